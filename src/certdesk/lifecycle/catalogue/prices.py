"""The prices in force: the file's with the operator's dated changes. The only writer of changes is here."""

from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal

from . import price_rules
from .models import PriceChange
from .price_rules import Change
from .queries import catalogue
from .rules import Expansion, Product, amount_text

SET = "certdesk:price:set"
COLUMNS = "product_id, kind, currency, minor, since, id"


def changes(product_id: str = "") -> list[Change]:
    """The changes of one product, or of all, oldest first."""
    where, params = ("WHERE product_id = %s", [product_id]) if product_id else ("", [])
    found = sql.rows(f"SELECT {COLUMNS} FROM catalogue_pricechange {where} ORDER BY id", params)
    return [
        Change(row[0], row[1], row[2], row[3], sql.moment(row[4]) or datetime.min, row[5]) for row in found
    ]


def current(product: Product, now: datetime) -> Product:
    """The product with the prices that count at `now`."""
    return price_rules.priced(product, changes(product.id), now)


def current_all(now: datetime) -> list[Product]:
    """Every line of the catalogue with the prices that count at `now`."""
    found = changes()
    if not found:
        return list(catalogue().products)
    return [price_rules.priced(one, found, now) for one in catalogue().products]


def current_expansion(now: datetime) -> Expansion | None:
    """The expansion package with the price that counts at `now`; none where none is sold."""
    expansion = catalogue().expansion
    if expansion is None:
        return None
    return price_rules.priced_expansion(expansion, changes(price_rules.EXPANSION), now)


def history(product_id: str) -> list[PriceChange]:
    """Who changed what and when, newest first."""
    return list(PriceChange.objects.filter(product_id=product_id).order_by("-id"))


def change(principal: Principal, wanted: Change, now: datetime) -> int:
    """Records a new price; it counts from its moment on. Answers the change's id.

    Raises:
        Forbidden: only the operator sets prices.
        BadParameter: as `price_rules.check_change`.
    """
    iam.require_operator(principal, SET)
    price_rules.check_change(catalogue(), wanted, now)
    with sql.short_transaction():
        made = PriceChange.objects.create(
            product_id=wanted.product_id,
            kind=wanted.kind,
            currency=wanted.currency,
            minor=wanted.minor,
            since=wanted.since,
            set_at=now,
            set_by=principal.user_id,
        )
        digits = catalogue().currencies[wanted.currency]
        audit.record(
            principal,
            SET,
            resource=f"product:{wanted.product_id}",
            details={
                "kind": wanted.kind,
                "currency": wanted.currency,
                "price": "of the file" if wanted.minor is None else amount_text(wanted.minor, digits),
                "since": wire(wanted.since),
            },
        )
    return made.id
