"""The console's list: what needs you first, then what waits, then what is good, then what has ended.

Each group is one indexed branch of a single statement; a page goes on where the last one ended.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal

from . import rules, selecting, states
from .filters import Marker, SearchFilters, check_limit, read_marker
from .models import NO_EXPIRY
from .rows import (
    COLUMNS,
    EXPIRY,
    EXPIRY_UNINDEXED,
    LIST,
    Row,
    row_of,
    select,
    status_condition,
)
from .states import State, Tone

COUNT_UP_TO = 1_000
"""Counts on tabs are exact below this; at it they mean "this many or more"."""


Condition = tuple[str, list[object]]
"""A condition on `c` (`certificates_certificate`) in SQL, and its parameters."""


class Tab(StrEnum):
    ALL = "all"
    YOU = "you"
    WAITING = "waiting"
    GOOD = "good"
    ENDED = "ended"


@dataclass(frozen=True)
class Group:
    """One branch: certificates of one tab in one order.

    Attributes:
        counted: the condition that counts fastest, where it is another one than `where`.
        states: those of the certificates. Each is read by itself: of a list of states a database believes
            that it holds most certificates, and then reads them all.
    """

    name: str
    tab: Tab
    where: str
    params: tuple[object, ...]
    column: str
    descending: bool = True
    counted: str = ""
    states: tuple[State, ...] = ()

    def conditions(self, where: str) -> list[str]:
        """`where` once for each state."""
        return [f"{where} AND c.state = '{one.value}'" for one in self.states] or [where]


@dataclass(frozen=True)
class ConsolePage:
    items: list[Row]
    next_marker: str | None


def groups(now: datetime) -> tuple[Group, ...]:
    """The branches in the order of the page; together they hold every certificate once."""
    micros, soon = clock.to_micros(now), clock.to_micros(now + rules.REMINDER)
    not_over = f"(c.state NOT IN ({_codes(states.EXPIRING)}) OR {EXPIRY_UNINDEXED} >= %s)"
    in_force = "c.state IN ('ISSUED', 'UPLOAD')"
    # Most certificates are good: read them in the order of the page, by neither state nor expiry.
    good = f"(c.state || '') IN ('ISSUED', 'UPLOAD') AND {EXPIRY_UNINDEXED} > %s"
    good_counted = f"{in_force} AND {EXPIRY} > %s AND {EXPIRY} < {NO_EXPIRY}"
    near = f"{in_force} AND {EXPIRY} >= %s AND {EXPIRY} <= %s"
    return (
        Group("soon", Tab.YOU, near, (micros, soon), EXPIRY, False),
        Group("you", Tab.YOU, not_over, (micros,), "c.updated_at", states=_of(Tone.YOU, Tone.BAD)),
        Group("waiting", Tab.WAITING, not_over, (micros,), "c.updated_at", states=_of(Tone.WAIT)),
        Group("good", Tab.GOOD, good, (soon,), "c.updated_at", True, good_counted),
        Group("revoked", Tab.ENDED, "c.state = 'REVOKED'", (), "c.updated_at"),
        Group("expired", Tab.ENDED, *_expired(now), EXPIRY),
    )  # fmt: skip


def _of(*tones: Tone) -> tuple[State, ...]:
    stored = [state for state, row in states.ROWS.items() if row.tone in tones and state is not State.EXPIRED]
    return tuple(sorted(stored))


def _codes(found: Collection[State]) -> str:
    return ", ".join(f"'{state.value}'" for state in sorted(found))


def _expired(now: datetime) -> tuple[str, tuple[object, ...]]:
    text, params = status_condition(State.EXPIRED, now)
    return text, tuple(params)


def console_page(
    principal: Principal,
    tab: Tab = Tab.ALL,
    marker: str | None = None,
    *,
    content: str = "",
    status: State | None = None,
    tag: str = "",
    filters: SearchFilters | None = None,
    more: Sequence[Condition] = (),
    limit: int = 20,
    now: datetime | None = None,
) -> ConsolePage:
    """A page of the console's list, needs attention first; one SQL statement.

    Args:
        content: keyword over name and domain names.
        status: only certificates that people see in this state.
        tag: only certificates with this tag, `key` or `key=value`.
        filters: these instead of the three; their order counts for nothing here.
        more: conditions that must hold beside these, see `narrowing`.

    Raises:
        BadParameter: limit or marker is not one that the list gives.
    """
    check_limit(limit)
    now = now or clock.now()
    wanted = [group for group in groups(now) if tab in (Tab.ALL, group.tab)]
    last = read_marker(marker, [group.name for group in wanted]) if marker else None
    if last:
        wanted = wanted[[group.name for group in wanted].index(last.order) :]
    filters = filters or SearchFilters(
        status=status.value if status else "ALL", content=content, tag=tag, limit=limit
    )
    selected = selecting.select(principal, filters, now, more=more)
    if selected.nothing:
        return ConsolePage([], None)
    base, params = selected.where, selected.params
    parts: list[str] = []
    values: list[object] = []
    for place, group in enumerate(wanted):
        text, given = _branch(group, base, params, last if place == 0 else None, limit + 1)
        parts.append(f"SELECT * FROM ({text}) g{place}")
        values += given
    found = sql.rows(f"SELECT * FROM ({' UNION ALL '.join(parts)}) t LIMIT {limit + 1}", values)
    return _page(found, wanted, limit, now)


def _branch(
    group: Group, base: str, params: list[object], last: Marker | None, limit: int
) -> tuple[str, list[object]]:
    where, values = f"{base} AND {group.where}", [*params, *group.params]
    if last:
        where += f" AND ({group.column}, c.id) {'<' if group.descending else '>'} (%s, %s)"
        values += [last.value, last.id]
    direction = "DESC" if group.descending else "ASC"
    order = f"{group.column} {direction}, c.id {direction}"
    also = f", '{group.name}' AS part, {group.column} AS place"
    found = [f"{select(one, order, also)} LIMIT {limit}" for one in group.conditions(where)]
    if len(found) == 1:
        return found[0], values
    each = " UNION ALL ".join(f"SELECT * FROM ({one}) s{place}" for place, one in enumerate(found))
    ordered = f"SELECT * FROM ({each}) e ORDER BY place {direction}, id {direction} LIMIT {limit}"
    return ordered, values * len(found)


def _page(found: list[sql.Row], wanted: list[Group], limit: int, now: datetime) -> ConsolePage:
    """UNION ALL promises no order between branches, so the page is put in order here."""
    order = {group.name: place for place, group in enumerate(wanted)}
    found.sort(key=lambda values: order[values[-2]])
    items = [row_of(values, now) for values in found[:limit]]
    if len(found) <= limit:
        return ConsolePage(items, None)
    end = found[limit - 1]
    return ConsolePage(items, Marker(end[-2], end[-1], end[0]).text())


_FEW = f"(SELECT COUNT(*) FROM (SELECT 1 FROM certificates_certificate c WHERE {{}} LIMIT {COUNT_UP_TO}) few)"


def counts(principal: Principal, now: datetime | None = None) -> dict[Tab, int]:
    """How many certificates stand under each tab, counted up to `COUNT_UP_TO`; one SQL statement."""
    now = now or clock.now()
    base, params = iam.where(principal, LIST, COLUMNS)
    parts: list[str] = []
    values: list[object] = []
    found = groups(now)
    for group in found:
        counted = group.conditions(f"{base} AND {group.counted or group.where}")
        parts.append(" + ".join(_FEW.format(one) for one in counted))
        values += [*params, *group.params] * len(counted)
    numbers = sql.row(f"SELECT {', '.join(parts)}", values) or ()
    totals = dict.fromkeys(Tab, 0)
    for group, number in zip(found, numbers, strict=True):
        for tab in (Tab.ALL, group.tab):
            totals[tab] = min(COUNT_UP_TO, totals[tab] + int(number))
    return totals
