"""Which issuers may serve a product, in which order, and whom the choice would take now."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.issuers import product_orders, queries, rules, setting_up
from certdesk.lifecycle.issuers.setting_up import LIST, UPDATE

from ..forms.common import put
from ..forms.issuing import OrderForm
from .issuer_facts import product_title
from .issuers import crumbs
from .page import back_to, code_of, page, tell

SAMPLE = "www.example.com"
"""A plain name: what else is wanted is known with an application only."""


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Every product with its issuers."""
    titles = {one.slug: say(one.title) for one in [queries.built_in(), *setting_up.listed(principal)]}
    may, own = iam.is_operator(principal, UPDATE), queries.own_orders()
    context = {
        "title": _("Products and their issuers"),
        "crumbs": crumbs(),
        "groups": [
            {
                "title": brand.title,
                "lines": [_line(one, own.get(one.id, ()), titles, may=may) for one in _of(code)],
            }
            for code, brand in catalogue().brands.items()
        ],
    }
    return render(request, "console/issuer_products.html", context)


def _of(brand: str) -> list[Product]:
    return [one for one in catalogue().products if one.brand == brand]


def _line(product: Product, own: tuple[str, ...], titles: dict[str, str], *, may: bool) -> dict[str, Any]:
    order = queries.order_among(own, product)
    return {
        "title": product_title(product).removeprefix(f"{product.brand_title} "),
        "issuers": [titles.get(slug, slug) for slug in order],
        "own": bool(own),
        "url": reverse("issuer-order", args=[product.id]) if may else "",
    }


@page(UPDATE, post=UPDATE)
def edit(request: HttpRequest, principal: Principal, product_id: str) -> HttpResponse:
    """Sets the order of one product, or of its like at the same time."""
    iam.require_operator(principal, UPDATE)
    product = queries.product_of(product_id)
    form = _form(principal, product, request.POST if request.method == "POST" else None)
    code = ""
    if request.method == "POST" and form.is_valid():
        try:
            changed = _set(principal, product, form)
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
        else:
            words = ngettext("%(count)d product is changed.", "%(count)d products are changed.", changed)
            tell(request, words % {"count": changed}, "issuers.ordered")
            return back_to("issuer-order", product_id)
    order, key = queries.order_of(product), product.key_algorithms[0]
    choices = queries.choose(product, order, (SAMPLE,), key, clock.real_now())
    context = {
        "title": product_title(product),
        "subtitle": _("Order of issuers"),
        "crumbs": [*crumbs(), {"label": _("Products"), "url": reverse("issuer-products")}],
        "form": form,
        "code": code,
        "own": bool(queries.own_order(product.id)),
        "choices": [
            {"title": say(one.title), "taken": one.taken, "reason": say(one.reason)} for one in choices
        ],
        "now": say(rules.because(choices)),
        "back": reverse("issuer-products"),
    }
    return render(request, "console/issuer_order.html", context, status=422 if form.errors else 200)


def _form(principal: Principal, product: Product, data: Any) -> OrderForm:
    known = [(one.slug, say(one.title)) for one in [queries.built_in(), *setting_up.listed(principal)]]
    order = queries.order_of(product)
    missing = [(slug, slug) for slug in order if slug not in dict(known)]
    also = [
        ("one", _("This product alone")),
        ("level", _("All products of %(brand)s with the level %(level)s")),
        ("brand", _("All products of %(brand)s")),
    ]
    words = {"brand": product.brand_title, "level": product.level}
    return OrderForm([*known, *missing], order, [(name, text % words) for name, text in also], data)


def _set(principal: Principal, product: Product, form: OrderForm) -> int:
    wanted = queries.like(product, form.cleaned_data["also"])
    product_orders.set_orders(principal, [one.id for one in wanted], form.order())
    return len(wanted)
