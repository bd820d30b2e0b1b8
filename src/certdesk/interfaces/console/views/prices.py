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
from . import bills, rows
from .page import page


@dataclass(frozen=True, slots=True)
class Offer:
    """One product: its unit prices, empty where that kind of name is not sold, and the way to buy it."""

    domain_type: str
    plain: str
    wildcard: str
    reason: str
    url: str


@dataclass(frozen=True, slots=True)
class Line:
    """A brand: what it offers for each domain type, None where it offers nothing."""

    brand: str
    free: bool
    offers: tuple[tuple[str, Offer | None], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A certificate type and its lines."""

    title: str
    scenario: str
    verification: str
    security: str
    approval: str
    domain_types: tuple[str, ...]
    lines: tuple[Line, ...]


@page("scm:certProduct:get")
def prices(request: HttpRequest, principal: Principal) -> HttpResponse:
    currency = queries.account_facts(principal.account_id).currency
    may_buy = rows.may_buy(principal)
    book = catalogue()
    groups = [
        _group(kind, [one for one in book.products if one.type == kind.code], currency, may_buy)
        for kind in book.types.values()
    ]
    context = {"title": _("Prices"), "groups": groups, "currency": currency, "private_ca_matters": True}
    return render(request, "console/prices.html", context)


def _group(kind: CertificateType, products: list[Product], currency: str, may_buy: bool) -> Group:
    sold = [one for one in present.DOMAIN_TYPES if any(one == product.domain_type for product in products)]
    brands = dict.fromkeys((one.brand_title, one.free) for one in products)
    return Group(
        _(kind.title),
        _(kind.scenario),
        _(kind.verification),
        _(kind.security),
        _(kind.approval),
        tuple(str(present.DOMAIN_TYPES[one]) for one in sold),
        tuple(
            Line(brand, free, tuple(_cell(products, brand, free, one, currency, may_buy) for one in sold))
            for brand, free in brands
        ),
    )


def _cell(
    products: list[Product], brand: str, free: bool, domain_type: str, currency: str, may_buy: bool
) -> tuple[str, Offer | None]:
    found = [
        one for one in products if (one.brand_title, one.free, one.domain_type) == (brand, free, domain_type)
    ]
    title = str(present.DOMAIN_TYPES[domain_type])
    return title, _offer(found[0], currency, may_buy) if found else None


def _offer(product: Product, currency: str, may_buy: bool) -> Offer:
    chosen = {
        "cert_type": "FREE" if product.free else product.type,
        "cert_brand": product.brand,
        "domain_type": product.domain_type,
    }
    return Offer(
        domain_type=str(present.DOMAIN_TYPES[str(product.domain_type)]),
        plain="0" if product.free else _amount(product.plain_price.get(currency), currency),
        wildcard=_amount(product.wildcard_price.get(currency), currency),
        reason="" if product.available else _(product.reason),
        url=f"{reverse('buy')}?{urlencode(chosen)}" if may_buy and product.available else "",
    )


def _amount(minor: int | None, currency: str) -> str:
    return bills.amount(minor, currency) if minor else ""
