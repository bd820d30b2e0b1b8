"""My Orders, one order, its receipt (ORD-6)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.money_schemas import OrdersQuery
from certdesk.interfaces.operations.orders import filters_of
from certdesk.interfaces.operations.registry import File, call
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.orders import actions, queries, rules
from certdesk.lifecycle.orders.filters import OrderFilters
from certdesk.lifecycle.orders.models import Order
from certdesk.lifecycle.orders.states import OrderState

from ..forms.common import put
from ..forms.orders import OrderFilterForm
from ..present import Action
from . import bills, rows
from .page import alert, back_to, page, tell

VIEW, PAY = "bss:order:view", "bss:order:pay"
PAGE = 20


@dataclass(frozen=True, slots=True)
class Line:
    id: str
    url: str
    product: str
    certificates: int
    state: str
    label: str
    tone: str
    reason: str
    amount: str
    cash: str
    voucher: str
    refund: str
    currency: str
    created_at: datetime
    action: Action | None


@page(VIEW)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """My Orders by status, time, amount and text."""
    now, marker = clock.now(), request.GET.get("marker", "")
    form, filters = _filters(request, principal)
    found = queries.orders_page(principal, limit=PAGE, marker=marker or None, filters=filters, now=now)
    cash = queries.balance(principal) if principal.may(queries.VIEW_BALANCE) else None
    given = {name: value for name, value in form.cleaned_data.items() if value}
    context = {
        "title": _("My Orders"),
        "subtitle": _balance(principal, cash),
        "lines": [_line(order, principal, now, cash) for order in found.items],
        "tabs": _tabs(filters.state, given),
        "filtered": filters.is_set,
        "narrowed": bool(given.keys() - {"status"}),
        "form": form,
        "next_url": f"?{urlencode(given | {'marker': found.next_marker})}" if found.next_marker else "",
        "previous_url": f"{reverse('orders')}?{urlencode(given)}" if marker else "",
        "export_url": f"{reverse('export-orders')}?{urlencode(given)}",
        "may_see_balance": principal.may(queries.VIEW_BALANCE),
        "may_buy": rows.may_buy(principal),
        "buy": Action(_("Buy certificate"), reverse("buy"), "buy", look="primary", icon="plus"),
    }
    return render(request, "console/orders.html", context, status=422 if form.errors else 200)


def _filters(request: HttpRequest, principal: Principal) -> tuple[OrderFilterForm, OrderFilters]:
    """What is asked for; a filter that cannot be read is told at its field and left out."""
    form = OrderFilterForm(request.GET)
    form.is_valid()
    if form.cleaned_data.get("status", "") not in list(OrderState):
        form.cleaned_data["status"] = ""
    while True:
        try:
            return form, filters_of(principal, OrdersQuery(**form.cleaned_data))
        except CertdeskError as error:
            put(form, error)  # drops the field from cleaned_data, so this comes to an end


@page(VIEW)
def export(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The orders that the filters let through, as a CSV file."""
    form, _found = _filters(request, principal)
    _status, file = call("orders.export", principal, query=form.cleaned_data)
    assert isinstance(file, File)  # noqa: S101 tells the type checker what the operation declares
    response = HttpResponse(file.content, content_type=file.content_type)
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return response


def _tabs(state: str, given: dict[str, str]) -> list[dict[str, Any]]:
    """The states; the other filters are kept."""

    def url(value: str) -> str:
        kept = {name: one for name, one in given.items() if name != "status"}
        return f"{reverse('orders')}?{urlencode(kept | ({'status': value} if value else {}))}"

    everything = {"label": _("All"), "url": url(""), "active": not state}
    return [
        everything,
        *(
            {"label": bills.state_label(one), "url": url(one.value), "active": state == one.value}
            for one in OrderState
        ),
    ]


def _balance(principal: Principal, cash: dict[str, int] | None) -> str:
    """Beside the heading: what is there to pay from."""
    if cash is None:
        return ""
    currency = queries.account_facts(principal.account_id).currency
    return _("Balance: %(amount)s") % {"amount": bills.words(cash.get(currency, 0), currency)}


def _line(order: Order, principal: Principal, now: datetime, cash: dict[str, int] | None) -> Line:
    state = rules.state_of(order, now)
    return Line(
        id=order.id,
        url=reverse("order", args=[order.id]),
        product=bills.product_text(order),
        certificates=0 if rules.package_of(order.request) else order.quantity,
        state=state.value,
        label=bills.state_label(state),
        tone=bills.BADGES[state],
        reason=_reason(order, state, cash),
        amount=bills.amount(order.amount, order.currency),
        cash=bills.amount(order.cash, order.currency),
        voucher=bills.amount(order.voucher + order.coupon, order.currency)
        if order.voucher + order.coupon
        else "",
        refund=bills.amount(order.refund, order.currency) if order.refund else "",
        currency=order.currency,
        created_at=order.created_at,
        action=_pay(order, state, principal, small=True),
    )


def _reason(order: Order, state: OrderState, cash: dict[str, int] | None) -> str:
    """Why it is not paid: for the open ones as it is now, for the closed ones as it was then."""
    if state is OrderState.CANCELLED:
        return bills.ended(order)
    return bills.why_unpaid(order, None if cash is None else cash.get(order.currency, 0))


def _pay(order: Order, state: OrderState, principal: Principal, *, small: bool) -> Action | None:
    may = principal.may(PAY, queries.resource_of(order))
    if state is not OrderState.UNPAID or not may:
        return None
    return Action(
        _("Pay"),
        reverse("confirm-order", args=[order.id]),
        "pay",
        look="primary",
        small=small,
        for_name=order.id,
    )


@page(VIEW)
def shown(request: HttpRequest, principal: Principal, order_id: str) -> HttpResponse:
    """One order: what, how much, how it stands, which certificates came of it."""
    found = queries.receipt(principal, order_id)
    return render(request, "console/order.html", _context(found, principal, receipt=False))


@page(VIEW)
def receipt(request: HttpRequest, principal: Principal, order_id: str) -> HttpResponse:
    """After payment: what was paid, and the certificates to apply for."""
    found = queries.receipt(principal, order_id)
    if rules.state_of(found.order, clock.now()) is not OrderState.PAID:
        return back_to("order", order_id)
    return render(request, "console/order.html", _context(found, principal, receipt=True))


def _context(found: queries.Receipt, principal: Principal, *, receipt: bool) -> dict[str, Any]:
    order, now = found.order, clock.now()
    state = rules.state_of(order, now)
    made = certificates.of_order(principal, order.id)
    waiting = [one for one in made if one.state == State.PAID]
    cash = queries.balance(principal) if principal.may(queries.VIEW_BALANCE) else None
    may_cancel = state is OrderState.UNPAID and principal.may(PAY, queries.resource_of(order))
    return {
        "title": _("Receipt") if receipt else order.id,
        "crumbs": [{"label": _("My Orders"), "url": reverse("orders")}, *_crumb(order, receipt)],
        "order": order,
        "state": state.value,
        "label": bills.state_label(state),
        "tone": bills.BADGES[state],
        "bill": bills.bill(order),
        "facts": bills.facts(order),
        "paid": _paid_lines(found),
        "refund": bills.amount(order.refund, order.currency) if order.refund else "",
        "shares": _shares(found),
        "package": bool(rules.package_of(order.request)),
        "reason": _reason(order, state, cash),
        "waiting": len(waiting),
        "certificates": [_made(one, now) for one in made],
        "pay": _pay(order, state, principal, small=False),
        "apply": _apply(found, waiting, principal) if state is OrderState.PAID else None,
        "again": _again(principal) if state is not OrderState.UNPAID else None,
        "cancel_url": reverse("cancel-order", args=[order.id]) if may_cancel else "",
        "receipt": receipt,
        "receipt_url": reverse("receipt", args=[order.id])
        if state is OrderState.PAID and not receipt
        else "",
    }


def _crumb(order: Order, receipt: bool) -> list[dict[str, str]]:
    return [{"label": order.id, "url": reverse("order", args=[order.id])}] if receipt else []


def _paid_lines(found: queries.Receipt) -> list[bills.BillLine]:
    """Which part paid what; nothing for an order that is not paid or cost nothing."""
    order = found.order
    if not order.cash + order.voucher + order.coupon:
        return []
    parts = [(one.means, found.codes.get(one.source_id, one.source_id), one.amount) for one in found.parts]
    return bills.means_lines(order.cash, parts, order.currency)


def _shares(found: queries.Receipt) -> list[dict[str, str]]:
    """What of the order belongs to each certificate; one certificate alone has it all."""
    currency = found.order.currency
    if len(found.shares) < 2 and not found.order.refund:
        return []
    return [
        {
            "id": one.item_id,
            "url": reverse("certificate", args=[one.item_id]) if one.item_id.startswith("scs") else "",
            "cash": bills.amount(one.cash, currency),
            "other": bills.amount(one.voucher + one.coupon, currency) if one.voucher + one.coupon else "",
            "refund": bills.amount(one.refund, currency) if one.refunded_at else "",
        }
        for one in found.shares
    ]


def _made(certificate: Certificate, now: datetime) -> dict[str, Any]:
    return {
        "id": certificate.id,
        "name": certificate.name,
        "domain": certificate.domain,
        "state": certificate_rules.state_of(certificate, now).value,
        "url": reverse("certificate", args=[certificate.id]),
    }


def _again(principal: Principal) -> Action | None:
    return Action(_("Buy certificate"), reverse("buy"), "buy") if rows.may_buy(principal) else None


def _apply(found: queries.Receipt, waiting: list[Certificate], principal: Principal) -> Action | None:
    """One certificate: straight to its application; several: to the list; a package: to what it is for."""
    if rules.package_of(found.order.request):
        return Action(_("Take a free certificate"), f"{reverse('buy')}?cert_type=FREE", "buy", look="primary")
    if not waiting or not principal.may("scm:cert:apply"):
        return None
    if len(waiting) == 1:
        return Action(
            _("Apply for certificate"), reverse("apply", args=[waiting[0].id]), "apply", look="primary"
        )
    return Action(_("Go to the certificates"), f"{reverse('certificates')}?status=PAID", look="primary")


@page("", post=PAY)
def cancel(request: HttpRequest, principal: Principal, order_id: str) -> HttpResponse:
    """Cancels an unpaid order (ORD-3)."""
    try:
        actions.cancel(principal, order_id, clock.now())
        tell(request, _("The order is cancelled."), "order.cancelled")
    except WrongState as error:
        alert(request, error)
    return back_to("order", order_id)
