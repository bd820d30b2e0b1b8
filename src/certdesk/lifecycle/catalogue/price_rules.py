"""Which price is in force at a moment: the file's, or the operator's latest change. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from certdesk.foundation.common.errors import BadParameter

from .rules import Catalogue, Expansion, Product

EXPANSION = "EXPANSION"
"""Stands for the expansion package where a product's id is asked for."""
PLAIN, WILDCARD = "plain", "wildcard"
MOST = 10**12
"""Minor units; above every honest price of one name."""


@dataclass(frozen=True)
class Change:
    """One dated change; `minor` None = the file's price again. `id` decides between two of one moment."""

    product_id: str
    kind: str
    currency: str
    minor: int | None
    since: datetime
    id: int = 0


Key = tuple[str, str]


def in_force(changes: Iterable[Change], now: datetime) -> dict[Key, int | None]:
    """By (kind, currency) the changes of one product that count at `now`: the last one begun."""
    found: dict[Key, int | None] = {}
    for change in sorted(changes, key=lambda one: (one.since, one.id)):
        if change.since <= now:
            found[change.kind, change.currency] = change.minor
    return found


def priced(product: Product, changes: Iterable[Change], now: datetime) -> Product:
    """The product with the prices that count at `now`."""
    current = in_force((one for one in changes if one.product_id == product.id), now)
    return replace(
        product,
        plain_price=_merged(product.plain_price, current, PLAIN),
        wildcard_price=_merged(product.wildcard_price, current, WILDCARD),
    )


def priced_expansion(expansion: Expansion, changes: Iterable[Change], now: datetime) -> Expansion:
    """The expansion package with the price that counts at `now`."""
    current = in_force((one for one in changes if one.product_id == EXPANSION), now)
    return replace(expansion, price=_merged(expansion.price, current, PLAIN))


def _merged(base: Mapping[str, int], current: Mapping[Key, int | None], kind: str) -> dict[str, int]:
    changed = {code: current.get((kind, code)) for code in base}
    return {code: minor if (new := changed[code]) is None else new for code, minor in base.items()}


def base_price(book: Catalogue, product_id: str, kind: str) -> Mapping[str, int]:
    """The file's prices of one kind of name.

    Raises:
        BadParameter: nothing of that id has a price of that kind.
    """
    if product_id == EXPANSION:
        base: Mapping[str, int] = book.expansion.price if book.expansion and kind == PLAIN else {}
    else:
        product = next((one for one in book.products if one.id == product_id and not one.free), None)
        prices = {PLAIN: product.plain_price, WILDCARD: product.wildcard_price} if product else {}
        base = prices.get(kind, {})
    if not base:
        raise BadParameter(
            f"The catalogue has no {kind} price of {product_id}.",
            next_step="Take a product_id of the list of products that has a price of this kind.",
            field="product_id",
        )
    return base


def check_change(book: Catalogue, change: Change, now: datetime) -> None:
    """A price can be changed from now or a later moment on; what was sold keeps its price.

    Raises:
        BadParameter: product, kind, currency, amount or moment cannot be used.
    """
    base = base_price(book, change.product_id, change.kind)
    if change.currency not in base:
        raise BadParameter(
            f"The catalogue has no prices in {change.currency}.",
            next_step=f"Use one of: {', '.join(base)}.",
            field="currency",
        )
    if change.minor is not None and not 0 < change.minor <= MOST:
        raise BadParameter(
            "A price must be above 0 and honest.", next_step="Write it like 1200.00.", field="amount"
        )
    if change.since < now:
        raise BadParameter(
            "A price cannot be changed for the past.", next_step="Choose now or a later time.", field="since"
        )
