"""The price list: what is for sale, at what price, and why something is not (CAT-5, CAT-6, CAT-8)."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.catalogue import prices as current_prices
from certdesk.lifecycle.catalogue.price_rules import EXPANSION
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import CertificateType, DomainType, Expansion, Product
from certdesk.lifecycle.issuers.queries import offered_all
from certdesk.lifecycle.orders import queries

from .. import present
from ..forms.applying import ALGORITHMS
from . import bills, rows
from .page import page


@dataclass(frozen=True, slots=True)
class May:
    """What the reader may do with a line."""

    buy: bool
    edit: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """One product: its unit prices, empty where that kind of name is not sold, and the way to buy it."""

    domain_type: str
    plain: str
    wildcard: str
    reason: str
    url: str
    changed: bool
    edit_url: str


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
    """Every line of the catalogue with the price that counts now."""
    currency = queries.account_facts(principal.account_id).currency
    may = May(
        buy=rows.may_buy(principal),
        edit=iam.is_operator(principal, current_prices.SET),
    )
    now = clock.now()
    book, lines = catalogue(), offered_all(current_prices.current_all(now))
    groups = [
        _group(kind, [one for one in lines if one.type == kind.code], currency, may)
        for kind in book.types.values()
    ]
    context = {
        "title": _("Prices"),
        "groups": groups,
        "currency": currency,
        "private_ca_matters": True,
        "tabs": tabs("prices"),
        "package": _package(current_prices.current_expansion(now), currency, may),
    }
    return render(request, "console/prices.html", context)


def tabs(active: str) -> list[dict[str, object]]:
    lines = [("prices", _("Price list")), ("compare", _("Compare types"))]
    return [{"label": label, "url": reverse(name), "active": name == active} for name, label in lines]


def _package(found: Expansion | None, currency: str, may: May) -> dict[str, object] | None:
    if found is None or currency not in found.price:
        return None
    return {
        "adds": found.adds,
        "price": bills.amount(found.price[currency], currency),
        "url": reverse("packages") if may.buy else "",
        "edit_url": reverse("edit-price", args=[EXPANSION]) if may.edit else "",
    }


@page("scm:certProduct:get")
def compare(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Domain types and certificate types side by side, as tables 2-1 and 2-2 of the guide (CAT-5)."""
    book = catalogue()
    currency = queries.account_facts(principal.account_id).currency
    lines = offered_all(current_prices.current_all(clock.now()))
    context = {
        "title": _("Compare types"),
        "crumbs": [{"label": _("Prices"), "url": reverse("prices")}],
        "tabs": tabs("compare"),
        "currency": currency,
        "types": [
            _compared(kind, [one for one in lines if one.type == kind.code and not one.free], currency)
            for kind in reversed(list(book.types.values()))
        ],
        "domain_types": _domain_types(),
        "brands": [
            {"title": one.title, "issuer": _(one.issuer_title), "reason": say(one.reason)}
            for one in book.brands.values()
        ],
        "private_ca_matters": True,
    }
    return render(request, "console/compare.html", context)


def _compared(kind: CertificateType, products: list[Product], currency: str) -> dict[str, object]:
    """One row of table 2-2, with what can be bought of it and from which price on."""
    sold = [one for one in products if one.available]
    least = min((one.plain_price.get(currency, 0) or 0 for one in sold if one.plain_price), default=0)
    return {
        "title": _(kind.title),
        "scenario": _(kind.scenario),
        "verification": _(kind.verification),
        "security": _(kind.security),
        "approval": _(kind.approval),
        "tone": {"Highest": "good", "High": "wait"}.get(kind.security, "end"),
        "domain_types": [
            str(present.DOMAIN_TYPES[str(one)])
            for one in DomainType
            if any(p.domain_type is one for p in sold)
        ],
        "keys": ", ".join(ALGORITHMS.get(one, one) for one in (sold[0].key_algorithms if sold else ())),
        "least": bills.amount(least, currency) if least else "",
        "brands": ", ".join(dict.fromkeys(one.brand_title for one in sold)),
        "reason": "" if sold else say(products[0].reason) if products else _("It is not in the catalogue."),
        "url": f"{reverse('buy')}?{urlencode({'cert_type': kind.code})}" if sold else "",
    }


def _domain_types() -> list[dict[str, object]]:
    """Table 2-1."""
    return [
        {
            "title": present.DOMAIN_TYPES["SINGLE_DOMAIN"],
            "names": "1",
            "lines": [_("One domain name, for example example.com.")],
        },
        {
            "title": present.DOMAIN_TYPES["MULTI_DOMAIN"],
            "names": "2–250",
            "lines": [
                _("Up to 250 domain names in one certificate; the number is chosen when buying."),
                _("Wildcard names only with OV and OV Pro; other types hold plain names."),
                _("Names can be added at different times: some when applying, the rest after issuance."),
                _("For more names than were bought, buy another certificate."),
            ],
        },
        {
            "title": present.DOMAIN_TYPES["WILDCARD"],
            "names": "1",
            "lines": [
                _("One wildcard name with one star; *.*.example.com is not possible."),
                _("*.example.com covers a.example.com and b.example.com, but not a.a.example.com."),
            ],
        },
    ]


def _group(kind: CertificateType, products: list[Product], currency: str, may: May) -> Group:
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
            Line(brand, free, tuple(_cell(products, brand, free, one, currency, may) for one in sold))
            for brand, free in brands
        ),
    )


def _cell(
    products: list[Product], brand: str, free: bool, domain_type: str, currency: str, may: May
) -> tuple[str, Offer | None]:
    found = [
        one for one in products if (one.brand_title, one.free, one.domain_type) == (brand, free, domain_type)
    ]
    title = str(present.DOMAIN_TYPES[domain_type])
    return title, _offer(found[0], currency, may) if found else None


def _offer(product: Product, currency: str, may: May) -> Offer:
    chosen = {
        "cert_type": "FREE" if product.free else product.type,
        "cert_brand": product.brand,
        "domain_type": product.domain_type,
    }
    return Offer(
        domain_type=str(present.DOMAIN_TYPES[str(product.domain_type)]),
        plain="0" if product.free else _amount(product.plain_price.get(currency), currency),
        wildcard=_amount(product.wildcard_price.get(currency), currency),
        reason="" if product.available else say(product.reason),
        url=f"{reverse('buy')}?{urlencode(chosen)}" if may.buy and product.available else "",
        changed=_changed(product, currency),
        edit_url=reverse("edit-price", args=[product.id]) if may.edit and not product.free else "",
    )


def _changed(product: Product, currency: str) -> bool:
    """Whether the operator's price counts instead of the file's."""
    base = catalogue().product(product.brand, product.type, product.domain_type, free=product.free)
    return any(
        one.get(currency) != two.get(currency)
        for one, two in (
            (base.plain_price, product.plain_price),
            (base.wildcard_price, product.wildcard_price),
        )
    )


def _amount(minor: int | None, currency: str) -> str:
    return bills.amount(minor, currency) if minor else ""
