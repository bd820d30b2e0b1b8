"""What My Orders may be narrowed to (ORD-6), as SQL conditions. No input goes into the text."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import sql
from certdesk.lifecycle.catalogue.rules import Catalogue

from .rules import states_of

_BRAND, _TYPE = "request->'request'->>'cert_brand'", "request->'request'->>'cert_type'"
_SEEN = "CASE WHEN state = 'UNPAID' AND closes_at <= %s THEN 'CANCELLED' ELSE state END"
"""`rules.state_of` as SQL."""
_CERTIFICATE = (
    "EXISTS (SELECT 1 FROM certificates_certificate c WHERE c.order_id = orders_order.id"
    " AND (c.id LIKE %s ESCAPE '!' OR lower(c.name) LIKE %s ESCAPE '!'"
    " OR lower(c.domain) LIKE %s ESCAPE '!'))"
)


@dataclass(frozen=True)
class OrderFilters:
    """Every filter that is set must hold.

    Attributes:
        state: what people see (`rules.state_of`), as a word or as its number.
        created_from, created_to: first and last moment, both included.
        least, most: amount, minor units, both included.
        content: part of the order's id, its product, or id, name or domain of one of its certificates.
    """

    state: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None
    least: int | None = None
    most: int | None = None
    content: str = ""

    @property
    def is_set(self) -> bool:
        return self != OrderFilters()


Condition = tuple[str, list[object]]


def conditions(filters: OrderFilters, book: Catalogue, now: datetime) -> list[Condition]:
    """The conditions with their parameters.

    Raises:
        BadParameter: an unknown state.
    """
    found: list[Condition] = []
    if filters.state:
        found.append(_state(filters.state, now))
    for column, operator, value in (
        ("created_at", ">=", filters.created_from),
        ("created_at", "<=", filters.created_to),
        ("amount", ">=", filters.least),
        ("amount", "<=", filters.most),
    ):
        if value is not None:
            found.append((f"{column} {operator} %s", [sql.plain(value)]))
    if filters.content.strip():
        found.append(_content(filters.content.strip(), book))
    return found


def _state(state: str, now: datetime) -> Condition:
    wanted = states_of(state)
    return f"{_SEEN} IN ({', '.join(['%s'] * len(wanted))})", [sql.plain(now), *wanted]


def _content(text: str, book: Catalogue) -> Condition:
    """Brands and types are found by their names in the catalogue, which the order keeps as codes."""
    wanted = text.lower()
    like = "%" + wanted.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
    parts, params = ["lower(id) LIKE %s ESCAPE '!'", _CERTIFICATE], [like] * 4
    named = (
        (_BRAND, [code for code, one in book.brands.items() if wanted in one.title.lower()]),
        (_TYPE, [code for code, one in book.types.items() if wanted in one.title.lower()]),
    )
    for column, codes in named:
        if codes:
            parts.append(f"{column} IN ({','.join(['%s'] * len(codes))})")
            params += codes
    return f"({' OR '.join(parts)})", list(params)
