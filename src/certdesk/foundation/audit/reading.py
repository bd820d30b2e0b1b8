"""Pages of one account's events, newest first, and the stretches that an export covers.

By time and id: both are the index's order, so that a page costs the same however far back it stands.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from certdesk.foundation.common import sql

from .filters import Filters
from .queries import COLUMNS, NAMES, checkpoint, named

MOST_LOOKED_AT = 50_000
"""Events that one page looks at: of a rare actor or action the page then ends early, with a marker."""
_LAST = (2**62, 2**62)
_BIGGEST = 2**63 - 1  # SQLite takes no larger one


class Place(NamedTuple):
    """Where a page goes on: behind this event. `at` in microseconds."""

    at: int
    id: int


class Page(NamedTuple):
    """`next` is None at the end. It may be given with few events or none: then only so far was looked."""

    events: list[dict[str, Any]]
    next: Place | None


def page(account_id: str, filters: Filters, limit: int, after: Place | None = None) -> Page:
    """Events of the account that the filters let through; rows as `verify.Row`, sealed or not yet."""
    within, values = _stretch(account_id, filters, after)
    rest, wanted = filters.of_rest()
    looked = f"SELECT {', '.join(NAMES)} FROM audit_event WHERE {within} ORDER BY at DESC, id DESC LIMIT %s"
    if rest:  # a filter over a subquery keeps its order; ordering again would read the whole of it first
        statement = f"SELECT * FROM ({looked}) looked WHERE 1 = 1{rest} LIMIT %s"
        found = sql.rows(statement, [*values, MOST_LOOKED_AT, *wanted, limit + 1])
    else:
        found = sql.rows(looked, [*values, limit + 1])
    events = [named(row) for row in found[:limit]]
    if len(found) > limit:
        return Page(events, Place(events[-1]["at"], events[-1]["id"]))
    return Page(events, _looked_until(within, values) if rest else None)


def _stretch(account_id: str, filters: Filters, after: Place | None) -> tuple[str, list[object]]:
    """The part of the log where the events stand: by the index of resources, or by that of time."""
    of_resource, resources = filters.of_resource()
    of_time, moments = filters.of_time()
    account = "account_id || '' = %s" if of_resource else "account_id = %s"  # leaves the other index
    return (
        f"{account}{of_resource}{of_time} AND (at, id) < (%s, %s)",
        [account_id, *resources, *moments, *(after or _LAST)],
    )


def _looked_until(within: str, values: list[object]) -> Place | None:
    """The last event that a page looked at; None when it looked at all."""
    found = sql.row(
        f"SELECT at, id, COUNT(*) OVER () FROM (SELECT at, id FROM audit_event WHERE {within}"
        " ORDER BY at DESC, id DESC LIMIT %s) looked ORDER BY at, id LIMIT 1",
        [*values, MOST_LOOKED_AT],
    )
    return Place(found[0], found[1]) if found and found[2] == MOST_LOOKED_AT else None


def event(account_id: str, event_id: int) -> dict[str, Any] | None:
    """One event of the account."""
    if event_id > _BIGGEST:
        return None
    found = sql.row(
        f"SELECT {', '.join(NAMES)} FROM audit_event WHERE account_id = %s AND id = %s",
        [account_id, event_id],
    )
    return named(found) if found else None


def next_wanted(account_id: str, filters: Filters, place: int, last: int) -> int | None:
    """The first sealed event behind `place`, up to `last`, that the filters let through."""
    found = _wanted(account_id, filters, place + 1, last, "LIMIT 1")
    return found[0] if found else None


def wanted_among(account_id: str, filters: Filters, first: int, last: int) -> set[int]:
    """Which of these places the filters let through."""
    return set(_wanted(account_id, filters, first, last, ""))


def _wanted(account_id: str, filters: Filters, first: int, last: int, limit: str) -> list[int]:
    """By place: the inner LIMIT keeps the databases from walking another index and sorting."""
    conditions, values = _all_conditions(filters)
    found = sql.rows(
        "SELECT sequence FROM (SELECT * FROM audit_event WHERE account_id = %s"
        " AND sequence BETWEEN %s AND %s ORDER BY sequence LIMIT %s) looked"
        f" WHERE 1 = 1{conditions} {limit}",
        [account_id, first, last, last - first + 1, *values],
    )
    return [int(row[0]) for row in found]


def _all_conditions(filters: Filters) -> tuple[str, list[object]]:
    parts = [filters.of_time(), filters.of_rest(), filters.of_resource()]
    return "".join(text for text, _ in parts), [one for _, values in parts for one in values]


def rows_between(account_id: str, first: int, last: int, chunk: int) -> Iterator[list[dict[str, Any]]]:
    """Sealed events by place, in pieces of `chunk`."""
    while rows := sql.rows(
        f"SELECT {', '.join(NAMES)} FROM audit_event WHERE account_id = %s AND sequence BETWEEN %s AND %s"
        " ORDER BY sequence LIMIT %s",
        [account_id, first, last, chunk],
    ):
        yield [named(row) for row in rows]
        first = rows[-1][len(COLUMNS)] + 1


def checkpoint_near(account_id: str, place: int, *, before: bool) -> dict[str, Any] | None:
    """The last checkpoint before `place`, or the first at it or behind it."""
    found = sql.row(
        "SELECT sequence, digest, at, signature, public_key FROM audit_checkpoint WHERE account_id = %s"
        f" AND sequence {'<' if before else '>='} %s ORDER BY sequence {'DESC' if before else 'ASC'} LIMIT 1",
        [account_id, place],
    )
    return checkpoint(account_id, found) if found else None
