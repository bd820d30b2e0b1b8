"""Reads: the issuers of the installation, who may serve a product, what is left of a week's orders."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as day_time
from typing import Literal

from certdesk.connectors.issuers.acme.presets import PRESETS, Preset
from certdesk.connectors.issuers.protocol import Capabilities, IssuerConnector, IssuerError
from certdesk.connectors.issuers.registry import KINDS
from certdesk.foundation.common import settings, sql
from certdesk.foundation.common.errors import NotFound
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.pki.x509.keys import KeyAlgorithm

from . import dialing, rules
from .errors import NotSetUp
from .models import Day, Issuer, Place
from .rules import Candidate, Choice, Need, Passed
from .states import State

Like = Literal["one", "level", "brand"]
WEEK = timedelta(days=7)
FRESH = 10.0
"""Seconds for which `any_goes_outside` is kept."""
_outside = (0.0, False)
BUILT_IN_TITLE = "Built-in private CA"
BUILT_IN = Capabilities(
    levels=frozenset({"DV", "OV", "EV"}),
    ip=True,
    most_names=250,
    key_algorithms=frozenset(KeyAlgorithm),
    longest_days=398,
    advises=False,
    harmless_until_proceed=True,
)
"""What it may issue beyond that is the catalogue's to say, product by product."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Orders of the last seven days; `limit` is 0 where none is known, `free_at` when one counts no more."""

    used: int
    limit: int
    free_at: datetime | None = None


def built_in() -> Issuer:
    """The built-in CA as a line among the others; it stands in no table."""
    return Issuer(
        id=rules.BUILT_IN,
        slug=rules.BUILT_IN,
        kind=rules.BUILT_IN,
        title=BUILT_IN_TITLE,
        profile="private",
        priority=0,
        state=State.OK,
        capabilities=dialing.stored(BUILT_IN),
    )


def find(slug: str) -> Issuer | None:
    return Issuer.objects.filter(slug=slug).first()


def connect(slug: str) -> IssuerConnector:
    """The connector of an issuer, switched off or not: what is open there goes on. Asks nobody.

    Raises:
        NotSetUp: there is none of that slug, or its options cannot be used any more.
    """
    return connected(slug)[0]


def connected(slug: str) -> tuple[IssuerConnector, str]:
    """As `connect`, with the `secret_id` of the options that it has."""
    found = find(slug)
    if found is None:
        raise NotSetUp(slug)
    try:
        return dialing.connector(found), found.secret_id
    except IssuerError:
        raise NotSetUp(slug) from None


def is_by_hand(slug: str) -> bool:
    """Whether it has no interface; its kind says so, and no secret is opened for it."""
    kind = Issuer.objects.filter(slug=slug).values_list("kind", flat=True).first()
    return kind in KINDS and KINDS[kind].by_hand


def capabilities(slug: str) -> Capabilities:
    """As its connector told them last.

    Raises:
        NotSetUp: there is none of that slug.
    """
    if rules.is_built_in(slug):
        return BUILT_IN
    found = find(slug)
    if found is None:
        raise NotSetUp(slug)
    return dialing.read(found.capabilities)


def preset_of(slug: str) -> Preset | None:
    """The dated facts of the CA; only where it is reached at the address that they are about."""
    if rules.is_built_in(slug):
        return None
    shown = Issuer.objects.filter(slug=slug, kind="acme").values_list("shown", flat=True).first() or {}
    preset = PRESETS.get(str(shown.get("preset", "")))
    return preset if preset is not None and not shown.get("directory_url") else None


def title(slug: str) -> str:
    """As people read it; of one that is not there (any more), its slug."""
    if rules.is_built_in(slug):
        return BUILT_IN_TITLE
    found = find(slug)
    return found.title if found else slug


def own_order(product_id: str) -> tuple[str, ...]:
    """The operator's order of a product; empty where it is served as the catalogue says."""
    found = sql.rows("SELECT slug FROM issuers_place WHERE product_id = %s ORDER BY position", [product_id])
    return tuple(str(row[0]) for row in found)


def own_orders() -> dict[str, tuple[str, ...]]:
    """`own_order` of every product that has one."""
    found: dict[str, tuple[str, ...]] = {}
    for product_id, slug in Place.objects.order_by("product_id", "position").values_list(
        "product_id", "slug"
    ):
        found[product_id] = (*found.get(product_id, ()), slug)
    return found


def any_goes_outside() -> bool:
    """Whether the operator's own order of any product names an issuer of another house.

    Every page asks, so a process keeps the answer for a few seconds, or until it changes an order itself.
    """
    global _outside
    until, found = _outside
    if time.monotonic() >= until:
        slugs = Place.objects.values_list("slug", flat=True).distinct()
        found = not all(map(rules.is_built_in, slugs))
        _outside = (time.monotonic() + FRESH, found)
    return found


def offering() -> list[tuple[str, str]]:
    """Slug and title of each issuer of another house that serves a product now, as lists show them."""
    served = {one.issuer for one in catalogue().products}
    if not any_goes_outside() and all(map(rules.is_built_in, served - {""})):
        return []
    slugs = served | set(Place.objects.values_list("slug", flat=True).distinct())
    found = Issuer.objects.filter(slug__in=slugs).order_by("priority", "created_at", "id")
    return list(found.values_list("slug", "title"))


def titles(*, every: bool) -> dict[str, str]:
    """Title by slug, the built-in CA first: of `every` issuer, which the operator alone sees, or of those
    that serve a product."""
    if not every:
        return {rules.BUILT_IN: BUILT_IN_TITLE, **dict(offering())}
    found = Issuer.objects.order_by("priority", "created_at", "id").values_list("slug", "title")
    return {rules.BUILT_IN: BUILT_IN_TITLE, **dict(found)}


def forget() -> None:
    """Drop what this process keeps of the orders."""
    global _outside
    _outside = (0.0, False)


def order_of(product: Product) -> tuple[str, ...]:
    """Who may serve a product, the first one first: the operator's own order, else the catalogue's issuer."""
    return order_among(own_order(product.id), product)


def order_among(own: Sequence[str], product: Product) -> tuple[str, ...]:
    """As `order_of`, where its own order was read with others; empty for one that has none."""
    return tuple(own) or ((product.issuer,) if product.issuer else ())


def offered(product: Product) -> Product:
    """The product as it can be bought (CAT-6): where an issuer of its order is set up, and nowhere else."""
    return offered_all([product])[0]


def offered_all(products: Sequence[Product]) -> list[Product]:
    """As `offered`, for any number with two reads; with none where the built-in CA serves them all."""
    if all(map(_surely_sold, products)):
        return list(products)
    own = own_orders()
    known = set(Issuer.objects.values_list("slug", flat=True))
    return [_offered(one, order_among(own.get(one.id, ()), one), known) for one in products]


def _surely_sold(product: Product) -> bool:
    return product.available and rules.is_built_in(product.issuer)


def _offered(product: Product, order: Sequence[str], known: Collection[str]) -> Product:
    if _surely_sold(product):
        return product
    if any(rules.is_built_in(slug) or slug in known for slug in order):
        return replace(product, available=True, reason="")
    if not product.available:
        return product
    return replace(product, available=False, reason=f"no issuer is configured for {product.brand_title}.")


def product_of(product_id: str) -> Product:
    """Raises `NotFound`."""
    lines = (*catalogue().products, *catalogue().enrolment)
    found = next((one for one in lines if one.id == product_id), None)
    if found is None:
        raise NotFound(f"There is no product {product_id}.", next_step="Take one of the list of products.")
    return found


def like(product: Product, also: Like) -> list[Product]:
    """The products that get an order of issuers together with this one, itself among them.

    Args:
        also: `one` = itself alone, `level` = those of its brand and level, `brand` = those of its brand.
    """
    if also == "one":
        return [product]
    brand = [one for one in catalogue().products if one.brand == product.brand]
    found = brand if also == "brand" else [one for one in brand if one.level == product.level]
    return found or [product]  # what ACME clients are given is on no list of what is for sale


def products_of(slug: str) -> list[Product]:
    """The lines of the catalogue that it may serve, whichever place it has in their order; of what is on no
    list of what is for sale, those to which the operator has given it."""
    return [product for product, _ in served_by(slug, own_orders())]


def served_by(slug: str, own: Mapping[str, tuple[str, ...]]) -> list[tuple[Product, tuple[str, ...]]]:
    """As `products_of`, each with its whole order.

    Args:
        own: `own_orders()`, which several issuers share.
    """
    book = catalogue()
    for_sale = [(one, order_among(own.get(one.id, ()), one)) for one in book.products]
    enrolled = [(one, own.get(one.id, ())) for one in book.enrolment]
    return [(one, order) for one, order in for_sale + enrolled if slug in order]


def budget(issuer: Issuer, now: datetime) -> Budget:
    """What of its weekly limit is used; days are counted whole, so it is never less than the CA counts.

    Args:
        now: real time.
    """
    return budgets([issuer], now)[issuer.slug]


def budgets(issuers: Sequence[Issuer], now: datetime) -> dict[str, Budget]:
    """`budget` of each, by slug, with one read."""
    found: dict[str, list[Day]] = {one.id: [] for one in issuers}
    first = (now - WEEK).date()
    ours = [one.id for one in issuers if not rules.is_built_in(one.slug)]
    for day in Day.objects.filter(issuer_id__in=ours, day__gte=first, orders__gt=0).order_by("day"):
        found[day.issuer_id].append(day)
    return {one.slug: _budget(one.weekly_limit, found[one.id]) for one in issuers}


def _budget(limit: int, days: Sequence[Day]) -> Budget:
    """Args: days: with orders, the first one first."""
    free_at = _end_of(days[0].day) if days and limit else None
    return Budget(sum(one.orders for one in days), limit, free_at)


def _end_of(day: date) -> datetime:
    """When the orders of a day count no more."""
    return datetime.combine(day, day_time.min, UTC) + WEEK + timedelta(days=1)


def candidate(slug: str, product: Product, now: datetime) -> Candidate:
    """One issuer as it stands for a product."""
    if rules.is_built_in(slug):
        profile = product.profile if slug == product.issuer else "private"
        return Candidate(slug, BUILT_IN_TITLE, profile, BUILT_IN)
    found = find(slug)
    if found is None:
        return Candidate(slug, slug, product.profile, Capabilities(), configured=False)
    spent = budget(found, now)
    moved = settings.get().lab_clock is not None and found.profile == "public"  # its dates would be untrue
    return Candidate(
        slug,
        found.title,
        found.profile,
        dialing.read(found.capabilities),
        enabled=found.enabled and not moved,
        state=State(found.state),
        since=found.since,
        retry_at=found.retry_at,
        weekly_limit=spent.limit,
        used=spent.used,
        free_at=spent.free_at,
    )


def choose(
    product: Product,
    order: Sequence[str],
    names: tuple[str, ...],
    key_algorithm: str,
    now: datetime,
    *,
    without: Mapping[str, str] | None = None,
    busy: Mapping[str, Passed] | None = None,
) -> tuple[Choice, ...]:
    """Every issuer of the product in its order, with what speaks for or against it now.

    Args:
        order: `order_of` the product.
        now: real time.
        without: slugs that the caller rules out, each with one sentence, which is shown.
        busy: slugs that the caller rules out for a while.
    """
    need = Need(names, product.level, key_algorithm, product.profile)
    found = [candidate(slug, product, now) for slug in order]
    return rules.choose(found, need, now, without, busy)


def in_force(slug: str, now: datetime) -> int:
    """How many versions of an issuer are neither over nor revoked; one that was replaced is among them, as it
    may still have to be revoked there.

    Args:
        now: business time.
    """
    found = sql.row(
        "SELECT count(*) FROM certificates_version WHERE issuer LIKE %s AND not_after > %s"
        " AND revoked_at IS NULL",
        [f"{slug}:%", sql.plain(now)],
    )
    return int(found[0]) if found else 0
