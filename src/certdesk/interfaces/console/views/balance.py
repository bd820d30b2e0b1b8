"""What the account has to pay with: cash, vouchers, coupons; and the lines of its ledger."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.orders import means, queries
from certdesk.lifecycle.orders.models import Coupon, Entry, Voucher

from .. import presentation
from . import bills
from .page import page

ENTRIES = 30


@dataclass(frozen=True, slots=True)
class Means:
    """A voucher or coupon as the lists show it."""

    id: str
    name: str
    value: str
    condition: str
    label: str
    tone: str
    state: str
    expires_at: datetime
    order_url: str = ""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    at: datetime
    text: str
    book: str
    amount: str
    currency: str
    url: str


@page(queries.VIEW_BALANCE)
def shown(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The account's own money."""
    now, currency = clock.now(), queries.account_facts(principal.account_id).currency
    cash = queries.balance(principal)
    currencies = [currency, *sorted(code for code, minor in cash.items() if minor and code != currency)]
    context = {
        "title": _("Balance"),
        "crumbs": [{"label": _("My Orders"), "url": reverse("orders")}],
        "cash": [(code, bills.amount(cash.get(code, 0), code)) for code in currencies],
        "vouchers": [voucher_line(one, now) for one in means.vouchers(principal)],
        "coupons": [coupon_line(one, now) for one in means.coupons(principal)],
        "entries": entry_lines(queries.entries(principal, ENTRIES)),
        "free_use": queries.free_use(principal),
    }
    return render(request, "console/balance.html", context)


def shown_money(minor: int, currency: str) -> str:
    """`¥ 388.00` as plain text."""
    return presentation.money(Decimal(minor).scaleb(-bills.digits(currency)), currency)


def voucher_line(one: Voucher, now: datetime) -> Means:
    whole = _("of %(amount)s") % {"amount": shown_money(one.amount, one.currency)}
    if now >= one.expires_at:
        label, tone, state = _("Expired"), "end", "EXPIRED"
    elif not one.remaining:
        label, tone, state = _("Used up"), "end", "USED"
    else:
        label, tone, state = _("Can pay"), "good", "OPEN"
    left = shown_money(one.remaining, one.currency)
    return Means(one.id, one.note, left, whole, label, tone, state, one.expires_at)


def coupon_line(one: Coupon, now: datetime) -> Means:
    least = shown_money(one.minimum, one.currency)
    condition = _("orders of %(amount)s and more") % {"amount": least} if one.minimum else _("any order")
    if one.order_id:
        label, tone, state = _("Used"), "end", "USED"
    elif now >= one.expires_at:
        label, tone, state = _("Expired"), "end", "EXPIRED"
    else:
        label, tone, state = _("Can pay"), "good", "OPEN"
    url = reverse("order", args=[one.order_id]) if one.order_id else ""
    return Means(one.code, one.note, discount_text(one), condition, label, tone, state, one.expires_at, url)


def discount_text(one: Coupon) -> str:
    """`10 % off` or `¥ 50.00 off`."""
    if one.percent is not None:
        return _("%(percent)d %% off") % {"percent": one.percent}
    return _("%(amount)s off") % {"amount": shown_money(one.amount or 0, one.currency)}


def entry_lines(entries: list[Entry], *, links: bool = True) -> list[LedgerLine]:
    """The ledger in words; a posting's other sides stand beside it in their own lines."""
    return [
        LedgerLine(
            one.at,
            _posting_text(one.posting),
            _book_text(one.book),
            bills.amount(one.amount, one.currency),
            one.currency,
            _order_url(one.posting) if links else "",
        )
        for one in entries
    ]


def _posting_text(posting: str) -> str:
    kind, _colon, name = posting.partition(":")
    words = {
        "pay": _("Payment of order %(name)s"),
        "credit": _("Top-up"),
        "grant": _("Voucher %(name)s granted"),
        "refund": _("Refund of order %(name)s"),
    }
    return words.get(kind, posting) % {"name": name.partition(":")[0]}


def _order_url(posting: str) -> str:
    kind, _colon, name = posting.partition(":")
    return reverse("order", args=[name.partition(":")[0]]) if kind in ("pay", "refund") else ""


def _book_text(book: str) -> str:
    return {
        "CASH": _("Account balance"),
        "VOUCHER": _("Vouchers"),
        "COUPON": _("Discounts"),
        "GRANTS": _("Grants"),
        "REVENUE": _("Sales"),
        "OUTSIDE": _("Paid in"),
    }.get(book, book)
