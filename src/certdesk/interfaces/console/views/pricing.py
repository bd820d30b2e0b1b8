"""Changing a price: dated, recorded, audited; the catalogue file stays the base (CAT-8)."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, NotFound
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.catalogue import price_rules, prices
from certdesk.lifecycle.catalogue.queries import catalogue

from ..forms.common import put
from ..forms.operator import PriceForm
from . import bills, rows
from .page import back_to, code_of, page, tell

KINDS = (price_rules.PLAIN, price_rules.WILDCARD)


@page(prices.SET, post=prices.SET)
def edit(request: HttpRequest, principal: Principal, product_id: str) -> HttpResponse:
    """The prices of one product with their history, and the form that sets a new one."""
    iam.require_operator(principal, prices.SET)
    offered = _prices(product_id)
    form = PriceForm(_choices(offered), f"{clock.now():%Y-%m-%d}", request.POST or None)
    code = ""
    if request.method == "POST" and form.is_valid():
        try:
            call("prices.set", principal, body=_body(form), product_id=product_id)
            tell(request, _("The new price is recorded."), "price.set")
            return back_to("edit-price", product_id)
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
    context = {
        "title": product_text(product_id),
        "crumbs": [{"label": _("Prices"), "url": reverse("prices")}],
        "form": form,
        "code": code,
        "offered": offered,
        "history": _history(product_id),
    }
    return render(request, "console/price_edit.html", context, status=422 if form.errors else 200)


def product_text(product_id: str) -> str:
    """`DigiCert · OV · Single domain`, or the expansion package.

    Raises:
        NotFound: nothing of that id has a price.
    """
    if product_id == price_rules.EXPANSION and catalogue().expansion:
        return _("Expansion package of free certificates")
    for one in catalogue().products:
        if one.id == product_id and not one.free:
            return rows.kind(one.brand, one.type, str(one.domain_type), "BOUGHT", False)
    raise NotFound(
        f"There is no product {product_id} with a price.", next_step=_("Choose one in the list of prices.")
    )


def _prices(product_id: str) -> list[dict[str, Any]]:
    """Each price of the product: the file's and the one in force."""
    product_text(product_id)
    current = price_rules.in_force(prices.changes(product_id), clock.now())
    found = []
    for kind in KINDS:
        try:
            base = price_rules.base_price(catalogue(), product_id, kind)
        except CertdeskError:
            continue
        for currency, minor in base.items():
            now = current.get((kind, currency))
            found.append(
                {
                    "value": f"{kind}:{currency}",
                    "label": kind_text(kind),
                    "currency": currency,
                    "base": bills.amount(minor, currency),
                    "now": bills.amount(minor if now is None else now, currency),
                    "changed": now is not None and now != minor,
                }
            )
    return found


def _choices(offered: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["value"], f"{one['label']}, {one['currency']}") for one in offered]


def kind_text(kind: str) -> str:
    return _("Each wildcard name") if kind == price_rules.WILDCARD else _("Each plain name")


def _body(form: PriceForm) -> dict[str, str]:
    kind, _colon, currency = form.cleaned_data["price"].partition(":")
    given = form.cleaned_data
    return {"kind": kind, "currency": currency, "amount": given["amount"], "since": given["since"]}


def _history(product_id: str) -> list[dict[str, Any]]:
    found = prices.history(product_id)
    names = dict(User.objects.filter(id__in={one.set_by for one in found}).values_list("id", "name"))
    now = clock.now()
    return [
        {
            "label": kind_text(one.kind),
            "currency": one.currency,
            "amount": "" if one.minor is None else bills.amount(one.minor, one.currency),
            "since": one.since,
            "ahead": one.since > now,
            "set_at": one.set_at,
            "who": names.get(one.set_by, _("the host")),
        }
        for one in found
    ]
