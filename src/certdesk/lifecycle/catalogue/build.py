"""From the checked shape of the file to the catalogue; what does not fit together is named by its key."""

from collections.abc import Iterator
from decimal import Decimal

from . import enrolment, rules
from .document import BrandPart, Document, Prices, ProductPart, ProfilePart, Step

Key = tuple[str | int, ...]


class Mismatch(Exception):
    """Two parts of the file do not fit together; `key` says where."""

    def __init__(self, key: Key, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key
        self.sentence = sentence


def build(document: Document) -> rules.Catalogue:
    """The catalogue.

    Raises:
        Mismatch: a name that is not defined, a missing price, or a product given twice; the first one.
    """
    for mismatch in mismatches(document):
        raise mismatch
    products = tuple(
        line for place, part in enumerate(document.products) for line in _products(document, place, part)
    )
    return rules.Catalogue(
        currencies=dict(document.currencies),
        brands={code: _brand(document, code, part) for code, part in document.brands.items()},
        types={
            code: rules.CertificateType(
                code, part.title, part.level, part.strong, part.scenario, part.verification, part.security,
                part.approval, part.approval_days,
            )
            for code, part in document.types.items()
        },
        profiles={name: _profile(name, part) for name, part in document.profiles.items()},
        products=products,
        expansion=_expansion(document),
        enrolment=enrolment.lines(document, products),
    )  # fmt: skip


def _expansion(document: Document) -> rules.Expansion | None:
    part = document.expansion
    if part is None:
        return None
    return rules.Expansion(part.adds, _minor(document, ("expansion", "price"), part.price))


def mismatches(document: Document) -> Iterator[Mismatch]:
    """Everything in the file that does not fit together, in the order of the file's tables."""
    yield from _names(document)
    yield from _limits(document)
    yield from _tables(document)
    seen: set[str] = set()
    for place, part in enumerate(document.products):
        try:
            lines = list(_products(document, place, part))
        except Mismatch as mismatch:
            yield mismatch
            continue
        yield from (_twice(place, line.id) for line in lines if line.id in seen)
        seen |= {line.id for line in lines}
    try:
        _expansion(document)
    except Mismatch as mismatch:
        yield mismatch


def _names(document: Document) -> Iterator[Mismatch]:
    for slug, issuer in document.issuers.items():
        if issuer.profile not in document.profiles:
            yield Mismatch(("issuers", slug, "profile"), f"profile {issuer.profile!r} is not defined")
    for code, brand in document.brands.items():
        if brand.issuer and brand.issuer not in document.issuers:
            yield Mismatch(("brands", code, "issuer"), f"issuer {brand.issuer!r} is not defined")


def _limits(document: Document) -> Iterator[Mismatch]:
    for kind in rules.DomainType:
        limits = document.domain_types.get(kind.value)
        if limits is None or limits.min_names > limits.max_names:
            yield Mismatch(("domain_types", kind.value), "min_names and max_names are needed, in order")
    for code, part in document.types.items():
        if part.approval_days and part.approval_days[0] > part.approval_days[1]:
            yield Mismatch(("types", code, "approval_days"), "the least comes first, then the most")


def _tables(document: Document) -> Iterator[Mismatch]:
    """A dated table says one thing on each day."""
    for name, part in document.profiles.items():
        for table, steps in (("validity", part.validity), ("reuse", part.reuse)):
            if len({step.since for step in steps}) < len(steps):
                yield Mismatch(("profiles", name, table), "two lines have the same date")


def _twice(place: int, product_id: str) -> Mismatch:
    return Mismatch(("products", place), f"{product_id} is given twice")


def _products(document: Document, place: int, part: ProductPart) -> Iterator[rules.Product]:
    key: Key = ("products", place)
    if part.brand not in document.brands:
        raise Mismatch((*key, "brand"), f"brand {part.brand!r} is not defined")
    if part.type not in document.types:
        raise Mismatch((*key, "type"), f"type {part.type!r} is not defined")
    if part.issuer and part.issuer not in document.issuers:
        raise Mismatch((*key, "issuer"), f"issuer {part.issuer!r} is not defined")
    issuer = document.brands[part.brand].issuer if part.issuer is None else part.issuer
    if (issuer and issuer not in document.issuers) or any(
        kind.value not in document.domain_types for kind in rules.DomainType
    ):
        return  # told where it stands, at the brand and at the domain types
    if part.free:
        yield _free(document, key, part)
        return
    offered = (
        (rules.DomainType.SINGLE, part.single, None, "single"),
        (rules.DomainType.MULTI, part.multi, part.multi_wildcard, "multi"),
        (rules.DomainType.WILDCARD, None, part.wildcard, "wildcard"),
    )
    for kind, plain, wildcard, name in offered:
        if plain or wildcard:
            yield _product(document, part, kind, _minor(document, (*key, name), plain),
                           _minor(document, (*key, name), wildcard))  # fmt: skip


def _free(document: Document, key: Key, part: ProductPart) -> rules.Product:
    if part.single or part.multi or part.multi_wildcard or part.wildcard:
        raise Mismatch((*key, "free"), "a free product has no price")
    if part.free_quota < 1:
        raise Mismatch((*key, "free"), "a free product needs free_quota, certificates an account")
    return _product(document, part, rules.DomainType.SINGLE, dict.fromkeys(document.currencies, 0), {})


def _product(
    document: Document,
    part: ProductPart,
    kind: rules.DomainType,
    plain: dict[str, int],
    wildcard: dict[str, int],
) -> rules.Product:
    brand, type_part = document.brands[part.brand], document.types[part.type]
    issuer = brand.issuer if part.issuer is None else part.issuer
    limits = document.domain_types[kind.value]
    return rules.Product(
        brand=part.brand,
        brand_title=brand.title,
        type=part.type,
        type_title=type_part.title,
        level=type_part.level,
        strong=type_part.strong,
        domain_type=kind,
        free=part.free,
        available=bool(issuer),
        reason="" if issuer else _why_not(brand),
        issuer=issuer,
        profile=document.issuers[issuer].profile if issuer else next(iter(document.profiles)),
        validity_months=part.validity_months,
        reissue_days=_reissue_days(part, brand),
        record_type=part.record_type or brand.record_type,
        methods=part.methods or type_part.methods,
        key_algorithms=part.key_algorithms or type_part.key_algorithms,
        names=(limits.min_names, limits.max_names),
        wildcard_in_multi=kind is rules.DomainType.MULTI and type_part.wildcard_in_multi and bool(wildcard),
        www_and_apex=brand.www_and_apex,
        allow_internal=part.allow_internal,
        organization_reuse_months=brand.organization_reuse_months,
        free_quota=part.free_quota,
        plain_price=plain,
        wildcard_price=wildcard,
        caa_domains=document.issuers[issuer].caa_domains if issuer else (),
    )


def _reissue_days(part: ProductPart, brand: BrandPart) -> int:
    if part.free:
        return 0  # FRE-4: never reissued
    return brand.reissue_days if part.reissue_days is None else part.reissue_days


def _brand(document: Document, code: str, part: BrandPart) -> rules.Brand:
    title = document.issuers[part.issuer].title if part.issuer else ""
    reason = "" if part.issuer else _why_not(part)
    return rules.Brand(code, part.title, part.issuer, title, reason, part.region)


def _why_not(brand: BrandPart) -> str:
    return brand.reason or f"no issuer is configured for {brand.title}."


def _minor(document: Document, key: Key, prices: Prices | None) -> dict[str, int]:
    """Minor units by currency; every currency of the file must be there."""
    if prices is None:
        return {}
    if set(prices) != set(document.currencies):
        wanted = ", ".join(document.currencies)
        raise Mismatch(key, f"prices are needed in exactly these currencies: {wanted}")
    return {code: _exact(key, amount, document.currencies[code]) for code, amount in prices.items()}


def _exact(key: Key, amount: Decimal, digits: int) -> int:
    scaled = amount.scaleb(digits)
    if scaled != scaled.to_integral_value():
        raise Mismatch(key, f"{amount} has more than {digits} digits after the point")
    return int(scaled)


def _profile(name: str, part: ProfilePart) -> rules.Profile:
    ends = {str(method): day for method, day in part.method_ends.items()}
    return rules.Profile(name, _dated(part.validity), _dated(part.reuse), ends)


def _dated(steps: tuple[Step, ...]) -> tuple[rules.Dated, ...]:
    return tuple(rules.Dated(step.since, step.days) for step in sorted(steps, key=lambda step: step.since))
