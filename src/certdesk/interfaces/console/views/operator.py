"""The operator's desk: accounts, who stands behind them, and their money; top-up, vouchers, coupons."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.orders import accounts, grants, ledger

from ..forms.common import put
from ..forms.operator import CouponForm, CreditForm, FlagsForm, VoucherForm
from . import bills
from .balance import coupon_line, entry_lines, voucher_line
from .page import back_to, code_of, page, tell

PAGE = 50


@page(accounts.LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Every account with its balance."""
    after = request.GET.get("after", "")
    found = accounts.accounts(principal, after=after, limit=PAGE + 1)
    context = {
        "title": _("Accounts"),
        "lines": [
            {
                "name": one.name,
                "id": one.id,
                "url": reverse("account-money", args=[one.id]),
                "currency": one.currency,
                "cash": bills.amount(one.cash, one.currency),
                "vouchers": bills.amount(one.vouchers, one.currency) if one.vouchers else "",
                "flags": flag_words(one),
            }
            for one in found[:PAGE]
        ],
        "next_url": f"?after={found[PAGE - 1].name}" if len(found) > PAGE else "",
        "previous_url": reverse("accounts") if after else "",
    }
    return render(request, "console/accounts.html", context)


@page(accounts.LIST, post=accounts.LIST)
def shown(request: HttpRequest, principal: Principal, account_id: str) -> HttpResponse:
    """One account; small forms, of which one is sent. Each needs its own right."""
    found = accounts.money(principal, account_id)
    wanted = request.POST.get("form", "")
    made: dict[str, forms.Form] = {
        name: form(catalogue().currencies, found.line.currency, request.POST if name == wanted else None)
        for name, (form, action) in FORMS.items()
        if principal.may(action)
    }
    if principal.may(iam.SET_FLAGS):
        known = {name: getattr(found.line, name) for name in FlagsForm.base_fields}
        made["flags"] = FlagsForm(request.POST if wanted == "flags" else None, initial=known)
    code, sent = "", made.get(wanted)
    if sent is not None and sent.is_valid():
        try:
            told = SENT[wanted](principal, account_id, sent)
            tell(request, told, f"account.{wanted}")
            return back_to("account-money", account_id)
        except CertdeskError as error:
            code = code_of(error)
            put(sent, error, {"percent": "amount"})
    context = {
        "title": found.line.name,
        "crumbs": [{"label": _("Accounts"), "url": reverse("accounts")}],
        "line": found.line,
        "cash": bills.amount(found.line.cash, found.line.currency),
        "forms": made,
        "code": code,
        "vouchers": [voucher_line(one, clock.now()) for one in found.vouchers],
        "coupons": [coupon_line(one, clock.now()) for one in found.coupons],
        "entries": entry_lines(list(found.entries), links=False),
        "links": False,
    }
    status = 422 if sent is not None and sent.errors else 200
    return render(request, "console/account_money.html", context, status=status)


def flag_words(one: accounts.AccountLine) -> list[str]:
    """What is out of the ordinary about an account."""
    words = [] if one.real_name_verified else [_("No real-name authentication")]
    return [*words, _("Special enterprise")] if one.special_enterprise else words


def _flags(principal: Principal, account_id: str, form: Any) -> str:
    call("accounts.set_flags", principal, body=form.cleaned_data, account_id=account_id)
    return _("What is known about the account is saved.")


def _credit(principal: Principal, account_id: str, form: Any) -> str:
    call("accounts.credit", principal, body=form.cleaned_data, account_id=account_id)
    return _("The account has been topped up.")


def _voucher(principal: Principal, account_id: str, form: Any) -> str:
    call("accounts.grant_voucher", principal, body=form.cleaned_data, account_id=account_id)
    return _("The voucher has been granted.")


def _coupon(principal: Principal, account_id: str, form: Any) -> str:
    call("accounts.grant_coupon", principal, body=form.body(), account_id=account_id)
    return _("The coupon has been granted.")


FORMS: dict[str, tuple[Callable[..., forms.Form], str]] = {
    "credit": (CreditForm, ledger.CREDIT),
    "voucher": (VoucherForm, grants.GRANT_VOUCHER),
    "coupon": (CouponForm, grants.GRANT_COUPON),
}
SENT: dict[str, Callable[[Principal, str, Any], str]] = {
    "credit": _credit,
    "voucher": _voucher,
    "coupon": _coupon,
    "flags": _flags,
}
