"""What is for sale and at what price; pure. Amounts are integers of minor units (fen, cent)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import cast

from certdesk.pki.authority.profiles import PROFILES
from certdesk.pki.authority.types import ProfileName

from . import rehearsal
from .errors import NoPrice, NoSuchProduct, NotForSale


class DomainType(StrEnum):
    """CAT-1; the values are the API's `domain_type`."""

    SINGLE = "SINGLE_DOMAIN"
    MULTI = "MULTI_DOMAIN"
    WILDCARD = "WILDCARD"


@dataclass(frozen=True)
class Dated:
    """A number of days in force from a date on, until the next line of its table."""

    since: date
    days: int


@dataclass(frozen=True)
class Profile:
    """Dated policy of one kind of CA: how long a domain proof is reused, shorter certificates, if any, and
    the days from which methods of proof count no more."""

    name: str
    validity: tuple[Dated, ...]
    reuse: tuple[Dated, ...]
    method_ends: Mapping[str, date] = field(default_factory=dict)


@dataclass(frozen=True)
class Brand:
    """A certificate authority as the guide names it (CAT-6)."""

    code: str
    title: str
    issuer: str
    issuer_title: str
    reason: str
    region: str = "default"


@dataclass(frozen=True)
class CertificateType:
    """What a type means to a buyer (CAT-5, table 2-2).

    Attributes:
        approval: the promised period in words; `approval_days`: its least and most working days.
    """

    code: str
    title: str
    level: str
    strong: bool
    scenario: str
    verification: str
    security: str
    approval: str
    approval_days: tuple[int, int] | None = None


@dataclass(frozen=True)
class Product:
    """One line of the catalogue: brand × type × domain type, paid or free.

    Attributes:
        level: DV, OV or EV.
        strong: a Pro type (CAT-4): stronger algorithms for leaf and chain.
        available: can be bought now; if not, `reason` is a sentence that says why (CAT-6).
        issuer: slug of the configured issuer that serves it; empty when there is none.
        profile: `private` or `public`, the dated policy it is issued under.
        validity_months: periods offered, months.
        reissue_days: window of REI-1, days since issuance.
        record_type: TXT or CNAME (DOM-16).
        methods: DNS, FILE, EMAIL (APP-13).
        key_algorithms: what a CSR may carry, e.g. RSA_2048.
        names: least and most names of one certificate (CAT-1).
        organization_reuse_months: ORG-4; 0 = the organisation is checked each time.
        free_quota: certificates an account may ever have of a free product (FRE-1); 0 = paid.
        plain_price, wildcard_price: minor units by currency of one name for one year.
        caa_domains: the names by which CAA records permit its issuer (DOM-12).
        allow_ip: IP addresses may be among its names (RFC 8738).
    """

    brand: str
    brand_title: str
    type: str
    type_title: str
    level: str
    strong: bool
    domain_type: DomainType
    free: bool
    available: bool
    reason: str
    issuer: str
    profile: str
    validity_months: tuple[int, ...]
    reissue_days: int
    record_type: str
    methods: tuple[str, ...]
    key_algorithms: tuple[str, ...]
    names: tuple[int, int]
    wildcard_in_multi: bool
    www_and_apex: bool
    allow_internal: bool
    organization_reuse_months: int
    free_quota: int
    plain_price: Mapping[str, int] = field(default_factory=dict)
    wildcard_price: Mapping[str, int] = field(default_factory=dict)
    caa_domains: tuple[str, ...] = ()
    allow_ip: bool = False

    @property
    def id(self) -> str:
        """Stable id of the line, e.g. `GEOTRUST.OV_SSL_CERT.WILDCARD`."""
        return ".".join((self.brand, self.type, self.domain_type)) + (".FREE" if self.free else "")

    @property
    def needs_organization(self) -> bool:
        return self.level in ("OV", "EV")


@dataclass(frozen=True)
class Expansion:
    """The package that adds free certificates to an account's quota (FRE-2).

    Attributes:
        price: minor units by currency.
    """

    adds: int
    price: Mapping[str, int]


@dataclass(frozen=True)
class Quantities:
    """What the price depends on beside the product: names of each certificate, years, certificates."""

    plain: int
    wildcard: int = 0
    years: int = 1
    certificates: int = 1


@dataclass(frozen=True)
class PriceLine:
    """Names of one kind: `minor` = unit × names × years × certificates."""

    kind: str
    unit: int
    names: int
    minor: int


@dataclass(frozen=True)
class Price:
    currency: str
    minor: int
    lines: tuple[PriceLine, ...]
    digits: int = 2

    @property
    def text(self) -> str:
        return amount_text(self.minor, self.digits)


@dataclass(frozen=True)
class Catalogue:
    """The whole catalogue of one file; immutable, shared by all threads.

    Attributes:
        enrolment: what ACME clients get free of charge from the built-in CA; on no list of what is for sale.
    """

    currencies: Mapping[str, int]
    brands: Mapping[str, Brand]
    types: Mapping[str, CertificateType]
    profiles: Mapping[str, Profile]
    products: tuple[Product, ...]
    expansion: Expansion | None = None
    enrolment: tuple[Product, ...] = ()
    _index: Mapping[tuple[str, str, str, bool], Product] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lines = (*self.enrolment, *self.products)
        index = {(line.brand, line.type, str(line.domain_type), line.free): line for line in lines}
        object.__setattr__(self, "_index", index)

    def product(self, brand: str, type_code: str, domain_type: str, *, free: bool = False) -> Product:
        """The line of the catalogue, for sale or not.

        Raises:
            NoSuchProduct: with the field of the buy request that is at fault.
        """
        found = self._index.get((brand, type_code, domain_type, free))
        if found is None and rehearsal.is_rehearsal(brand) and not free:
            found = self._rehearsed(brand, type_code, domain_type)
        if found is None:
            raise self._missing(brand, type_code, domain_type, free)
        return found

    def _rehearsed(self, brand: str, type_code: str, domain_type: str) -> Product | None:
        """The line of a test order: as ACME clients have it, but from that issuer."""
        slug = rehearsal.slug_of(brand)
        for one in self.enrolment:
            if (one.type, str(one.domain_type)) == (type_code, domain_type):
                return replace(one, brand=brand, brand_title=rehearsal.TITLE, issuer=slug)
        return None

    def check_buyer(self, product: Product, *, by_acme: bool, operator: bool = False) -> None:
        """What costs nothing because an ACME client proves each name is for these clients alone, and test
        orders for the operator.

        Raises:
            NotForSale: somebody else asks for it.
        """
        if not by_acme and product in self.enrolment:
            raise NotForSale(
                "Certificates of the built-in CA that are free of charge are for ACME clients alone.",
                next_step="Have an ACME client ask for it, or buy one of the list of products.",
                field="cert_brand",
            )
        if rehearsal.is_rehearsal(product.brand) and not operator:
            raise NotForSale(
                "Test orders are for the operator alone.",
                next_step="Buy one of the list of products.",
                field="cert_brand",
            )

    def takes_addresses(self, brand: str) -> bool:
        """Whether IP addresses may be among the names of one of its products (RFC 8738)."""
        return any(product.allow_ip for product in self._index.values() if product.brand == brand)

    def _missing(self, brand: str, type_code: str, domain_type: str, free: bool) -> NoSuchProduct:
        for value, known, name in (
            (brand, list(self.brands), "cert_brand"),
            (type_code, list(self.types), "cert_type"),
            (domain_type, [str(kind) for kind in DomainType], "domain_type"),
        ):
            if value not in known:
                return NoSuchProduct(
                    f"{name} {value!r} is not in the catalogue.",
                    next_step=f"Use one of: {', '.join(known)}.",
                    field=name,
                )
        what = f"{'free ' if free else ''}{self.types[type_code].title}"
        return NoSuchProduct(
            f"The catalogue has no {what} of {self.brands[brand].title} with domain type {domain_type}.",
            next_step="Choose another domain type or certificate type.",
            field="domain_type",
        )

    def price(self, product: Product, quantities: Quantities, currency: str) -> Price:
        """CAT-8: unit price × names × years × certificates, exact.

        Raises:
            NoPrice: the product has no price in `currency`.
        """
        lines = tuple(
            _line(kind, prices, names, quantities, currency)
            for kind, prices, names in (
                ("plain", product.plain_price, quantities.plain),
                ("wildcard", product.wildcard_price, quantities.wildcard),
            )
            if names
        )
        digits = self.currencies.get(currency, 2)
        return Price(currency, sum(line.minor for line in lines), lines, digits)

    def reuse_days(self, product: Product, on: date) -> int:
        """Days that a domain proof may be reused for the product on that date (DOM-13)."""
        return in_force(self.profiles[product.profile].reuse, on)

    def ended_methods(self, product: Product, on: date) -> dict[str, date]:
        """The methods that count no more on that day, each with the day since which."""
        ends = self.profiles[product.profile].method_ends
        return {method: day for method, day in sorted(ends.items()) if on >= day}

    def max_validity_days(self, profile: str, on: date) -> int:
        """The longest certificate of a profile that is issued on that date, days.

        The table is the authority's, its margin left unused; the catalogue may only shorten it.
        """
        own = self.profiles[profile].validity
        most = PROFILES[cast(ProfileName, profile)].usable(on)
        return min(most, in_force(own, on)) if own else most

    def approval_period(self, type_code: str) -> str:
        """Table 3-6, e.g. `3 to 5 working days`."""
        return self.types[type_code].approval


def in_force(table: tuple[Dated, ...], on: date) -> int:
    """Days of the last line that starts on or before `on`; the first line reaches back for ever."""
    days = table[0].days
    for line in table:
        if line.since <= on:
            days = line.days
    return days


def check_for_sale(product: Product) -> None:
    """CAT-6: a product without an issuer is shown, with the reason, and cannot be bought.

    Raises:
        NotForSale: with that reason.
    """
    if not product.available:
        raise NotForSale(
            f"{product.brand_title} {product.type_title} cannot be bought: {product.reason}",
            next_step="Choose another certificate authority, or ask the operator to configure an issuer.",
            field="cert_brand",
        )


def amount_text(minor: int, digits: int = 2) -> str:
    """Minor units as a decimal string: 199900 → `1999.00`. No binary float is involved."""
    sign = "-" if minor < 0 else ""
    whole, part = divmod(abs(minor), 10**digits)
    return f"{sign}{whole}.{part:0{digits}d}" if digits else f"{sign}{whole}"


def _line(kind: str, prices: Mapping[str, int], names: int, asked: Quantities, currency: str) -> PriceLine:
    if currency not in prices:
        raise NoPrice(
            f"There is no price in {currency}.",
            next_step=f"The catalogue has prices in: {', '.join(sorted(prices)) or 'no currency'}.",
            field="currency",
        )
    unit = prices[currency]
    return PriceLine(kind, unit, names, unit * names * asked.years * asked.certificates)
