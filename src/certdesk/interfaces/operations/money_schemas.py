"""What requests about orders and money carry: shapes and outer limits only."""

from typing import Annotated

from pydantic import Field

from .schemas import Body, Line, Number, Word

Amount = Annotated[str, Field(max_length=24)]
"""A decimal as text: JSON's own numbers are binary fractions."""


class OrdersQuery(Body):
    """Filters of My Orders; times as we write them, or dates."""

    limit: Number = 10
    marker: Line = ""
    status: Word = ""
    created_from: Word = ""
    created_to: Word = ""
    min_amount: Amount = ""
    max_amount: Amount = ""
    content: Line = ""


class Package(Body):
    """An expansion package (FRE-2)."""

    agree_privacy_protection: bool
    is_auto_pay: bool = False


class Credit(Body):
    amount: Amount
    currency: Word = ""
    reference: Word = ""


class GrantVoucher(Body):
    amount: Amount
    currency: Word = ""
    expires_at: Word
    note: Line = ""


class GrantCoupon(Body):
    """`percent` or `amount`."""

    code: Word
    percent: Number | None = None
    amount: Amount = ""
    minimum: Amount = ""
    currency: Word = ""
    expires_at: Word
    note: Line = ""


class SetFlags(Body):
    """A flag that is left out stays as it is."""

    real_name_verified: bool | None = None
    special_enterprise: bool | None = None


class SetPrice(Body):
    """Without an amount the catalogue file's price counts again; without `since`, at once."""

    kind: Word = "plain"
    currency: Word
    amount: Amount = ""
    since: Word = ""


class PurchaseV2(Body):
    """API §1.12."""

    cert_brand: Word
    cert_type: Word
    domain_type: Word
    effective_time: Number = 1
    domain_numbers: Number = 1
    order_number: Number = 1
    agree_privacy_protection: bool
