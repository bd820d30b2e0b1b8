"""Saved views and columns of the list: what a view may hold, which columns there are. Pure."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from certdesk.foundation.common.errors import BadParameter

from . import filters as checks
from .filters import SearchFilters

MOST = 50
"""Views of one user in one account."""
NAME_LIMIT = 63
_LIMITS = {
    "status": 20,
    "content": 255,
    "domain": 255,
    "tag": 400,
    "brand": 20,
    "issuer": 32,
    "owner": 32,
    "owner_group": 32,
    "project": 36,
    "sort": 8,
    "order": 4,
}
"""What a view holds, each a text, with its most characters."""


class Column(StrEnum):
    """Columns that the list can show beside the certificate itself; the order here is the usual one."""

    STATUS = "status"
    EXPIRES = "expires"
    SERVED = "served"
    OWNER = "owner"
    PROJECT = "project"
    KIND = "kind"
    TAGS = "tags"
    AUTO_RENEWAL = "auto_renewal"
    UPDATED = "updated"
    DESCRIPTION = "description"
    ID = "id"


USUAL = (Column.STATUS, Column.EXPIRES, Column.SERVED)


def read_query(given: Mapping[str, object]) -> dict[str, str]:
    """The filters and the order of a view; empty ones are left out.

    Raises:
        BadParameter: a filter that there is not, a text that is too long, a value that is not allowed.
    """
    found: dict[str, str] = {}
    for name, value in given.items():
        if name not in _LIMITS or not isinstance(value, str):
            raise BadParameter(
                f"{name[:40]!r} is not a filter of a view.",
                next_step=f"Use {', '.join(_LIMITS)}, each a text.",
                field="query",
            )
        if len(value) > _LIMITS[name] or "\x00" in value:
            raise BadParameter(
                f"{name} has {len(value)} characters; at most {_LIMITS[name]} are allowed.", field="query"
            )
        if value:
            found[name] = value
    checks.check_search(as_filters(found))
    return found


def as_filters(query: Mapping[str, str], limit: int = 10) -> SearchFilters:
    """The search that a view stands for."""
    known = {name: value for name, value in query.items() if name in _LIMITS}
    return SearchFilters(limit=limit, **known)  # type: ignore[arg-type]


def check_name(name: str) -> str:
    """The name without spaces around it.

    Raises:
        BadParameter: empty, too long, or with a character that cannot be seen.
    """
    name = name.strip()
    if not 0 < len(name) <= NAME_LIMIT or not name.isprintable():
        raise BadParameter(f"A view's name has 1 to {NAME_LIMIT} printable characters.", field="name")
    return name


def read_columns(given: Sequence[str]) -> list[Column]:
    """Columns in their order, each once; none means the usual ones.

    Raises:
        BadParameter: there is no such column.
    """
    known = {one.value: one for one in Column}
    for name in given:
        if name not in known:
            raise BadParameter(
                f"There is no column {name[:40]!r}.", next_step=f"Use {', '.join(known)}.", field="columns"
            )
    return [known[name] for name in dict.fromkeys(given)]


def stored_columns(given: object) -> tuple[Column, ...]:
    """What was stored, without columns that have gone since; the usual ones where nothing is left."""
    names = given if isinstance(given, list) else []
    return tuple(Column(one) for one in names if one in set(Column)) or USUAL
