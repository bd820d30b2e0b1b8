"""Orders in words and amounts, for confirmation, order and receipt."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from certdesk.interfaces.words.say import say
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import amount_text
from certdesk.lifecycle.orders import rules
from certdesk.lifecycle.orders.models import Order
from certdesk.lifecycle.orders.states import OrderState

from ..presentation import money
from ..templatetags.certdesk_ui import moment
from . import rows
from .cards.facts import Fact

BADGES = {
    OrderState.UNPAID: "you",
    OrderState.PAID: "good",
    OrderState.CANCELLED: "end",
    OrderState.REFUNDED: "end",
}


@dataclass(frozen=True, slots=True)
class BillLine:
    label: str
    amount: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    lines: tuple[BillLine, ...]
    total: str
    currency: str


def digits(currency: str) -> int:
    return catalogue().currencies.get(currency, 2)


def amount(minor: int, currency: str) -> str:
    """Minor units as a decimal string, for the `money` filter."""
    return amount_text(minor, digits(currency))


def words(minor: int, currency: str) -> str:
    """Minor units for running text: `¥ 1,820.00`."""
    return money(Decimal(minor).scaleb(-digits(currency)), currency).replace(" ", "\N{NO-BREAK SPACE}")


def why_unpaid(order: Order, cash: int | None) -> str:
    """Why nobody can pay the order now, and what helps; empty when nothing is in the way.

    Args:
        cash: the balance in minor units; None for those who may not see it.
    """
    if order.state != OrderState.UNPAID or cash is None or cash >= order.amount:
        return ""
    return _(
        "The balance is too small: %(needed)s needed, %(there)s there. "
        "Ask your operator to credit the account, then pay."
    ) % {"needed": words(order.amount, order.currency), "there": words(cash, order.currency)}


def ended(order: Order) -> str:
    """How an order came to be closed."""
    return {
        "cancelled by the buyer": _("The buyer cancelled it. Nothing was paid."),
        "closed by itself after 24 hours": _("It was not paid within 24 hours. Nothing was paid."),
    }.get(order.unpaid_reason, say(order.unpaid_reason))


def bill(order: Order) -> Bill:
    """How the amount came about (CAT-8): names of each kind × unit price × years × certificates."""
    asked = order.request.get("request", {})
    lines = [_line(one, asked, order) for one in order.request.get("price", [])]
    return Bill(tuple(lines), amount(order.amount, order.currency), order.currency)


def _line(line: dict[str, Any], asked: dict[str, Any], order: Order) -> BillLine:
    if line["kind"] == "package":
        return BillLine(product_text(order), amount(int(line["minor"]), order.currency))
    names = int(line["names"])
    label = (
        ngettext("%(count)d wildcard name", "%(count)d wildcard names", names)
        if line["kind"] == "wildcard"
        else ngettext("%(count)d domain name", "%(count)d domain names", names)
    ) % {"count": names}
    note = _("%(unit)s a year each × %(years)s × %(certificates)s") % {
        "unit": words(int(line["unit"]), order.currency),
        "years": ngettext("%(count)d year", "%(count)d years", int(asked.get("effective_time", 1)))
        % {"count": int(asked.get("effective_time", 1))},
        "certificates": ngettext("%(count)d certificate", "%(count)d certificates", order.quantity)
        % {"count": order.quantity},
    }
    return BillLine(label, amount(int(line["minor"]), order.currency), note)


def product_text(order: Order) -> str:
    adds = rules.package_of(order.request)
    if adds:
        return ngettext(
            "Expansion package: %(count)d free certificate more",
            "Expansion package: %(count)d free certificates more",
            adds,
        ) % {"count": adds}
    asked = order.request.get("request", {})
    return rows.kind(
        str(asked.get("cert_brand", "")),
        str(asked.get("cert_type", "")),
        str(asked.get("domain_type", "")),
        "BOUGHT",
        bool(asked.get("free")),
    )


def facts(order: Order) -> list[Fact]:
    """What was ordered."""
    of_certificates = [] if rules.package_of(order.request) else _certificate_facts(order)
    return [
        Fact(_("Product"), product_text(order)),
        *of_certificates,
        Fact(_("Order"), order.id, mono=True),
        Fact(_("Ordered"), moment(order.created_at)),
        Fact(_("Closes if unpaid"), moment(order.closes_at) if order.state == OrderState.UNPAID else ""),
        Fact(_("Paid"), moment(order.paid_at) if order.paid_at else ""),
    ]


def renewed(certificate_id: str) -> Fact:
    """What the order renews; the id alone, since the reader may not have the right to the certificate."""
    url = reverse("certificate", args=[certificate_id]) if certificate_id else ""
    return Fact(_("Renews"), certificate_id, url, mono=True)


def _certificate_facts(order: Order) -> list[Fact]:
    bought = order.request.get("bought", {})
    return [
        Fact(_("Issued by"), issuer_text(order)),
        Fact(_("Domain quantity"), str(bought.get("domain_quota", 1))),
        Fact(
            _("Validity period"),
            _("%(months)d months from issuance") % {"months": int(bought.get("validity_months", 12))},
        ),
        Fact(_("Quantity"), str(order.quantity)),
        renewed(str(bought.get("renews", ""))),
    ]


def means_lines(cash: int, parts: Iterable[tuple[str, str, int]], currency: str) -> list[BillLine]:
    """What paid, one line each: coupons and vouchers by (means, name, minor units), then the balance."""
    words = {"COUPON": _("Discount coupon"), "VOUCHER": _("Voucher")}
    lines = [BillLine(words[means], amount(minor, currency), name) for means, name, minor in parts]
    if cash or not lines:
        lines.append(BillLine(_("Account balance"), amount(cash, currency)))
    return lines


def issuer_text(order: Order) -> str:
    brand = catalogue().brands.get(str(order.request.get("request", {}).get("cert_brand", "")))
    return _(brand.issuer_title) if brand else ""


def state_label(state: OrderState) -> str:
    return {
        OrderState.UNPAID: _("Pending payment"),
        OrderState.PAID: _("Paid"),
        OrderState.CANCELLED: _("Closed"),
        OrderState.REFUNDED: _("Refunded"),
    }[state]
