"""The price list: what is for sale, at what price, and why something is not (CAT-5, CAT-6, CAT-8)."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import CertificateType, Product
from certdesk.lifecycle.orders import queries

from .. import present
from . import bills
from .page import page


@dataclass(frozen=True, slots=True)
class Line:
    brand: str
    domain_type: str
    plain: str
    wildcard: str
    free: bool
    reason: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """A certificate type and its lines."""

    title: str
    scenario: str
    verification: str
    security: str
    approval: str
    lines: tuple[Line, ...]


@page("scm:certProduct:get")
def prices(request: HttpRequest, principal: Principal) -> HttpResponse:
    currency = queries.account_facts(principal.account_id).currency
    may_buy = principal.may("scm:cert:subscribe") and principal.may("bss:order:pay")
    book = catalogue()
    groups = [
        _group(kind, [one for one in book.products if one.type == kind.code], currency, may_buy)
        for kind in book.types.values()
    ]
    context = {"title": _("Prices"), "groups": groups, "currency": currency, "private_ca_matters": True}
    return render(request, "console/prices.html", context)


def _group(kind: CertificateType, products: list[Product], currency: str, may_buy: bool) -> Group:
    lines = tuple(_line(one, currency, may_buy) for one in products)
    return Group(
        _(kind.title), _(kind.scenario), _(kind.verification), _(kind.security), _(kind.approval), lines
    )


def _line(product: Product, currency: str, may_buy: bool) -> Line:
    chosen = {
        "cert_type": "FREE" if product.free else product.type,
        "cert_brand": product.brand,
        "domain_type": product.domain_type,
    }
    return Line(
        brand=product.brand_title,
        domain_type=str(present.DOMAIN_TYPES[str(product.domain_type)]),
        plain=_amount(product.plain_price.get(currency), currency),
        wildcard=_amount(product.wildcard_price.get(currency), currency),
        free=product.free,
        reason="" if product.available else _(product.reason),
        url=f"{reverse('buy')}?{urlencode(chosen)}" if may_buy and product.available else "",
    )


def _amount(minor: int | None, currency: str) -> str:
    return bills.amount(minor, currency) if minor else ""
