"""Answers about orders, products, prices and money (API §10)."""

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from certdesk.lifecycle.orders.states import OrderState
from certdesk.lifecycle.renewal.causes import Cause

from .certificates import CertificateId
from .common import Amount, FileAnswer, Made, Marker, Moment


class BoughtCertificate(TypedDict):
    cert_id: CertificateId


class Bought(TypedDict):
    """The order; its certificates are there once it is paid. `unpaid_reason`: why it is not."""

    order_id: str
    cert: list[BoughtCertificate]
    unpaid_reason: NotRequired[str]


class Renewed(Bought):
    """`inherits_remaining`: if the primary domain name stays, the rest of the old validity is added."""

    inherits_remaining: bool


class RenewalBlocker(TypedDict):
    """What stands in the way of a renewal; `detail` is what was said, if anything."""

    code: Annotated[str, Field(json_schema_extra={"enum": [cause.value for cause in Cause]})]
    sentence: str
    next_step: str
    detail: str


class AutoRenewalStanding(TypedDict):
    """`next_action` is BUY, ROLLOVER or empty."""

    enabled: bool
    deploy: bool
    next_action: str
    next_action_at: Moment
    blockers: list[RenewalBlocker]


class CalendarEntry(TypedDict):
    """From `planned_at` on it is replaced by `action`: BUY, ROLLOVER, or empty where its ACME client orders
    the next one, or a person buys another one."""

    cert_id: CertificateId
    name: str
    domain: str
    expires_at: Moment
    planned_at: Moment
    action: str
    by: Annotated[str, Field(json_schema_extra={"enum": ["MACHINE", "CLIENT", "PERSON"]})]
    blockers: list[RenewalBlocker]


class CalendarPage(TypedDict):
    items: list[CalendarEntry]
    next_marker: Marker


class Order(TypedDict):
    """`status` is the number of the billing API (§5.3), `state` the word for it."""

    order_id: str
    type: str
    status: int
    state: Annotated[str, Field(json_schema_extra={"enum": [state.value for state in OrderState]})]
    amount: Amount
    cash: Amount
    voucher: Amount
    coupon: Amount
    refund: Amount
    currency: str
    created_at: Moment
    paid_at: Moment
    closes_at: Moment
    unpaid_reason: str
    enterprise_project_id: str
    cert_ids: list[CertificateId]


class OrderPage(TypedDict):
    items: list[Order]
    next_marker: Marker


class PriceLine(TypedDict):
    kind: str
    unit: Amount
    names: int
    amount: Amount


class PaymentPart(TypedDict):
    means: str
    id: str
    amount: Amount


class OrderShare(TypedDict):
    id: str
    cash: Amount
    voucher: Amount
    coupon: Amount
    refund: Amount


class BookEntry(TypedDict):
    book: str
    amount: Amount
    at: Moment


class Receipt(Order):
    lines: list[PriceLine]
    parts: list[PaymentPart]
    shares: list[OrderShare]
    entries: list[BookEntry]


class CatalogueProduct(TypedDict):
    """One line of the catalogue; where it is not for sale `reason` says why."""

    product_id: str
    cert_brand: str
    brand_name: str
    cert_type: str
    type_name: str
    level: str
    domain_type: str
    free: bool
    available: bool
    reason: str
    issuer: str
    profile: str
    validity_months: list[int]
    domain_numbers: list[int]
    wildcard_in_multi: bool
    methods: list[str]
    record_type: str
    key_algorithms: list[str]
    scenario: str
    verification: str
    security_level: str
    approval_period: str
    unit_prices: dict[str, Amount]
    wildcard_unit_prices: dict[str, Amount]


class ProductPage(TypedDict):
    items: list[CatalogueProduct]
    next_marker: Marker


class Quote(TypedDict):
    available: bool
    reason: str
    amount: Amount
    currency: str


class VoucherInfo(TypedDict):
    id: str
    amount: Amount
    remaining: Amount
    currency: str
    granted_at: Moment
    expires_at: Moment
    note: str


class CouponInfo(TypedDict):
    """`percent` is 0 where the discount is an amount."""

    id: str
    code: str
    percent: int
    amount: Amount
    minimum: Amount
    currency: str
    granted_at: Moment
    expires_at: Moment
    order_id: str
    note: str


class Balance(TypedDict):
    cash: Amount
    currency: str
    vouchers: list[VoucherInfo]
    coupons: list[CouponInfo]


class AccountInfo(TypedDict):
    id: str
    name: str
    currency: str
    cash: Amount
    vouchers: Amount
    real_name_verified: bool
    special_enterprise: bool


class AccountPage(TypedDict):
    items: list[AccountInfo]
    next_marker: Marker


class LedgerEntry(TypedDict):
    posting: str
    book: str
    amount: Amount
    currency: str
    at: Moment


class AccountMoney(AccountInfo):
    voucher_list: list[VoucherInfo]
    coupon_list: list[CouponInfo]
    entries: list[LedgerEntry]


class Credited(TypedDict):
    account_id: str
    cash: Amount
    currency: str


class PriceChange(TypedDict):
    kind: str
    currency: str
    amount: Amount
    since: Moment
    in_force: bool
    set_at: Moment


class PriceHistory(TypedDict):
    product_id: str
    base: dict[str, dict[str, Amount]]
    items: list[PriceChange]


class PackageOrder(TypedDict):
    order_id: str
    adds: int
    unpaid_reason: NotRequired[str]


class PackageUse(TypedDict):
    used: int
    quota: int
    adds: int
    prices: dict[str, Amount]


class TypeV2(TypedDict):
    cert_type: str
    cert_brand: str
    domain_type: str
    product_id: str
    effective_time: int
    product_name: str


class TypeListV2(TypedDict):
    type_list: list[TypeV2]


class ProductV2(CatalogueProduct):
    effective_time: int
    product_name: str


ANSWERS: dict[str, object] = {
    "orders.buy": Bought,
    "certificates.renew": Renewed,
    "renewals.calendar": CalendarPage,
    "certificates.show_auto_renewal": AutoRenewalStanding,
    "certificates.set_auto_renewal": AutoRenewalStanding,
    "orders.list": OrderPage,
    "orders.export": FileAnswer("text/csv"),
    "orders.show": Order,
    "orders.pay": Order,
    "orders.cancel": Order,
    "orders.receipt": Receipt,
    "catalogue.products": ProductPage,
    "catalogue.price": Quote,
    "balance.show": Balance,
    "accounts.list": AccountPage,
    "accounts.show": AccountMoney,
    "accounts.set_flags": AccountInfo,
    "accounts.credit": Credited,
    "accounts.grant_voucher": Made,
    "accounts.grant_coupon": Made,
    "prices.history": PriceHistory,
    "prices.set": Made,
    "packages.buy": PackageOrder,
    "packages.use": PackageUse,
    "v2.product_types": TypeListV2,
    "v2.product": ProductV2,
    "v2.purchase": Bought,
}
