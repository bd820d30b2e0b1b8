"""Buying: what → order confirmation → payment → receipt (chapter 2)."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.interfaces.words.say import both
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.orders import actions, means, queries, rules
from certdesk.lifecycle.orders.errors import NotPayable, PaymentRefused
from certdesk.lifecycle.orders.models import Coupon, Order, Voucher
from certdesk.lifecycle.orders.payment_rules import why_not_coupon, why_not_voucher
from certdesk.lifecycle.orders.states import OrderState

from ..forms.buying import RENAMED, BuyForm, PayForm
from ..forms.common import put
from ..templatetags.certdesk_ui import date_text
from . import bills
from .balance import discount_text, shown_money
from .page import back_to, code_of, page, tell

SUBSCRIBE, PAY = "scm:cert:subscribe", "bss:order:pay"


@page(SUBSCRIBE, post=SUBSCRIBE)
def buy(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The purchase page; *Next* makes an unpaid order."""
    principal.require(PAY)
    book = catalogue()
    form = BuyForm(book, request.POST or None, initial=_initial(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.buy(principal, form.request(), clock.now(), auto_pay=False)
            return back_to("confirm-order", made.order_id)
        except CertdeskError as error:
            put(form, error, RENAMED)
    context = {
        "title": _("Buy certificate"),
        "crumbs": [{"label": _("Certificates"), "url": reverse("certificates")}],
        "form": form,
        "steps": path_of("choose"),
        "private_ca_matters": True,
        "price_url": reverse("buy-price"),
        "free_use": queries.free_use(principal),
    }
    return render(request, "console/buy.html", context, status=422 if form.errors else 200)


def _initial(request: HttpRequest) -> dict[str, str]:
    """The usual choice; a link may name others, e.g. from the price list."""
    usual = {
        "domain_type": "SINGLE_DOMAIN",
        "cert_type": "DV_SSL_CERT",
        "cert_brand": next(iter(catalogue().brands), ""),
        "primary_domain_type": "SINGLE_DOMAIN",
        "domain_numbers": "2",
        "wildcard_domain_number": "0",
    }
    return usual | {name: request.GET[name] for name in usual if name in request.GET}


@page("scm:certProduct:get")
def price(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The bill of what is chosen now, as a fragment; or why it cannot be bought (CAT-8)."""
    form = BuyForm(catalogue(), request.GET)
    context: dict[str, Any] = {}
    if form.is_valid():
        asked = form.request()
        body = {
            "cert_brand": asked.cert_brand,
            "cert_type": asked.cert_type,
            "domain_type": asked.domain_type,
            "domain_numbers": asked.domain_numbers,
            "effective_time": asked.effective_time,
            "order_number": asked.order_number,
            "primary_domain_type": asked.primary_domain_type,
            "wildcard_domain_number": asked.wildcard_domain_number,
            "free": asked.free,
        }
        try:
            _status, found = call("catalogue.price", principal, body=body)
            context = {"price": found, "free": asked.free}
        except CertdeskError as error:
            context = {"problem": both(error)}
    else:
        context = {"problem": _first_error(form)}
    return render(request, "console/_price.html", context)


def _first_error(form: BuyForm) -> str:
    """What is wrong with a quantity that was typed; a field still empty is no fault yet."""
    for name, errors in form.errors.items():
        if form.data.get(name):
            return f"{form[name].label}: {errors[0]}"
    return ""


@page(PAY, post=PAY)
def confirm(request: HttpRequest, principal: Principal, order_id: str) -> HttpResponse:
    """Order confirmation, statement and payment method. Sent twice, it pays once (ORD-4)."""
    order = queries.order(principal, order_id, PAY)
    state = rules.state_of(order, clock.now())
    if state is not OrderState.UNPAID:
        return back_to("receipt" if state is OrderState.PAID else "order", order.id)
    form = _pay_form(principal, order, request.POST or None)
    code = ""
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            actions.pay(
                principal,
                order.id,
                clock.now(),
                given["payment_method"],
                voucher_ids=given.get("voucher_ids", ()),
                coupon_code=given.get("coupon_code", ""),
                statement_accepted=given["agree_privacy_protection"],
            )
            tell(request, _("The order is paid."), "order.paid")
            return back_to("receipt", order.id)
        except NotPayable:  # the same form came twice; what became of the order stands on its page
            return back_to("confirm-order", order.id)
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
            if isinstance(error, PaymentRefused):
                order.refresh_from_db()
    return render(
        request,
        "console/confirm.html",
        _confirmation(principal, order, form, code),
        status=422 if form.errors else 200,
    )


def _confirmation(principal: Principal, order: Order, form: PayForm, code: str) -> dict[str, Any]:
    return {
        "title": _("Order confirmation"),
        "crumbs": [
            {"label": _("Certificates"), "url": reverse("certificates")},
            {"label": _("Buy certificate"), "url": reverse("buy")},
        ],
        "steps": path_of("pay"),
        "form": form,
        "code": code,
        "bill": bills.bill(order),
        "facts": bills.facts(order),
        "order": order,
        "reason": bills.why_unpaid(order, _cash(principal, order)),
        "cancel_url": reverse("cancel-order", args=[order.id]),
        "private_ca_matters": True,
        "plan_url": reverse("order-plan", args=[order.id]),
        "plan": _plan(order, {}),
        "unusable": _unusable(principal, order),
    }


def _pay_form(principal: Principal, order: Order, data: Any) -> PayForm:
    """Vouchers and coupons stand there only for those who may see the balance."""
    if not order.amount or not principal.may(queries.VIEW_BALANCE):
        return PayForm(_balance(principal, order), data)
    now = clock.now()
    return PayForm(
        _balance(principal, order),
        data,
        vouchers=[
            (one.id, _voucher_text(one))
            for one in means.vouchers(principal)
            if not why_not_voucher(one, order.currency, now)
        ],
        coupons=[
            (one.code, _coupon_text(one))
            for one in means.coupons(principal)
            if not why_not_coupon(one, order.amount, order.currency, now)
        ],
    )


def _voucher_text(one: Voucher) -> str:
    left = shown_money(one.remaining, one.currency)
    words = _("%(amount)s left, until %(date)s") % {"amount": left, "date": date_text(one.expires_at)}
    return f"{words} · {one.note or one.id}"


def _coupon_text(one: Coupon) -> str:
    return f"{one.code} · {discount_text(one)}"


def _unusable(principal: Principal, order: Order) -> list[str]:
    """Why a coupon that is still open does not fit this order: nobody wonders where it has gone."""
    if not order.amount or not principal.may(queries.VIEW_BALANCE):
        return []
    now = clock.now()
    return [
        _("Coupon %(code)s is for orders of %(amount)s and more.")
        % {"code": one.code, "amount": shown_money(one.minimum, one.currency)}
        for one in means.coupons(principal)
        if not one.order_id and one.expires_at > now and order.amount < one.minimum
    ]


@page(PAY)
def plan(request: HttpRequest, principal: Principal, order_id: str) -> HttpResponse:
    """What would pay the order with what is chosen now, as a fragment."""
    order = queries.order(principal, order_id, PAY)
    chosen = {"vouchers": request.GET.getlist("voucher_ids"), "coupon": request.GET.get("coupon_code", "")}
    return render(request, "console/_plan.html", {"plan": _plan(order, chosen)})


def _plan(order: Order, chosen: dict[str, Any]) -> dict[str, Any]:
    try:
        found = means.plan(order, chosen.get("vouchers", ()), chosen.get("coupon", ""), clock.now())
    except CertdeskError as error:
        return {"problem": both(error)}
    parts = [(one.means, "", one.amount) for one in found.parts]
    return {
        "lines": bills.means_lines(found.cash, parts, order.currency),
        "currency": order.currency,
        "total": bills.amount(order.amount, order.currency),
    }


def _balance(principal: Principal, order: Order) -> str:
    cash = _cash(principal, order)
    return "" if cash is None else bills.words(cash, order.currency)


def _cash(principal: Principal, order: Order) -> int | None:
    """Minor units of the order's currency; None for those who may not see the balance."""
    if not principal.may(queries.VIEW_BALANCE):
        return None
    return queries.balance(principal).get(order.currency, 0)


def path_of(at: str) -> list[dict[str, str]]:
    """The steps of a purchase; `at`: choose, pay or apply."""
    lines = [
        ("choose", _("Choose")),
        ("pay", _("Confirm and pay")),
        ("apply", _("Apply for the certificate")),
    ]
    names = [name for name, _label in lines]
    here = names.index(at)
    return [
        {"label": label, "note": "", "state": "done" if index < here else "now" if index == here else "todo"}
        for index, (_name, label) in enumerate(lines)
    ]
