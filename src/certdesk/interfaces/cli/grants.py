"""Vouchers and discount coupons from the host's command line."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from . import start
from .output import Json, show
from .people import AccountName, account_named

Expires = Annotated[
    datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day on which it pays, UTC, e.g. 2027-12-31.")
]
Note = Annotated[str, typer.Option(help="What it is for; the buyer reads it.")]
Currency = Annotated[str, typer.Option(help="CNY or USD; default: the account's.")]


def voucher(
    amount: Annotated[str, typer.Option(help="Decimal amount, e.g. 1000 or 99.50.")],
    expires: Expires,
    account: AccountName = "",
    currency: Currency = "",
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Give an account a voucher: it pays orders until it is used up or expires."""
    start.django()
    from certdesk.foundation.common import clock
    from certdesk.foundation.iam.principal import Via, system_principal
    from certdesk.lifecycle.catalogue.queries import catalogue
    from certdesk.lifecycle.orders import grants
    from certdesk.lifecycle.orders.grant_rules import NewVoucher
    from certdesk.lifecycle.orders.money import parse_amount, show_amount

    target = account_named(account)
    wanted = currency or target.currency
    digits = catalogue().currencies.get(wanted, 2)
    minor = parse_amount(amount, digits)
    made = NewVoucher(wanted, minor, _end(expires), note)
    principal = replace(system_principal(target.id), via=Via.CLI)
    voucher_id = grants.grant_voucher(principal, target.id, made, clock.now())
    amount_shown = show_amount(minor, digits)
    show({"account": target.name, "voucher": voucher_id, "amount": amount_shown, "currency": wanted}, as_json)


def coupon(
    code: Annotated[str, typer.Option(help="What the buyer types: capital letters, digits, hyphens.")],
    expires: Expires,
    account: AccountName = "",
    percent: Annotated[int, typer.Option(help="Discount of 1 to 100 percent.")] = 0,
    amount: Annotated[str, typer.Option(help="Or a decimal amount, e.g. 50.")] = "",
    minimum: Annotated[str, typer.Option(help="Least amount of the order.")] = "0",
    currency: Currency = "",
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Give an account a discount coupon for one order."""
    start.django()
    from certdesk.foundation.common import clock
    from certdesk.foundation.iam.principal import Via, system_principal
    from certdesk.lifecycle.catalogue.queries import catalogue
    from certdesk.lifecycle.orders import grants
    from certdesk.lifecycle.orders.grant_rules import NewCoupon
    from certdesk.lifecycle.orders.money import parse_amount

    target = account_named(account)
    wanted = currency or target.currency
    digits = catalogue().currencies.get(wanted, 2)
    made = NewCoupon(
        code=code.strip().upper(),
        currency=wanted,
        expires_at=_end(expires),
        percent=percent or None,
        amount=parse_amount(amount, digits) if amount else None,
        minimum=parse_amount(minimum, digits, "minimum"),
        note=note,
    )
    principal = replace(system_principal(target.id), via=Via.CLI)
    coupon_id = grants.grant_coupon(principal, target.id, made, clock.now())
    show({"account": target.name, "coupon": coupon_id, "code": made.code}, as_json)


def _end(day: datetime) -> datetime:
    """The first moment after the day."""
    return day.replace(tzinfo=UTC) + timedelta(days=1)
