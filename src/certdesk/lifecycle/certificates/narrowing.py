"""What narrows the console's list beside status, keyword and tag. The overview counts by it as well."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal

from . import states
from .attention import COUNT_UP_TO, Condition
from .rows import COLUMNS, EXPIRY, LIST

_IN_FORCE = ", ".join(f"'{one.value}'" for one in sorted(states.EXPIRING))


@dataclass(frozen=True, slots=True)
class Narrow:
    """All that is set must hold.

    Attributes:
        ends_from, ends_before: in force now, and ending in this span (the first moment included).
        issued_since: bought here, with a current version that is valid from then on or later.
        ids: one of these.
    """

    ends_from: datetime | None = None
    ends_before: datetime | None = None
    issued_since: datetime | None = None
    ids: Sequence[str] | None = None


def conditions(narrow: Narrow, now: datetime) -> list[Condition]:
    """As SQL for `console_page` and `bounded`."""
    found: list[Condition] = []
    if narrow.ends_from is not None or narrow.ends_before is not None:
        found.append(_ends(narrow, now))
    if narrow.issued_since is not None:
        since = clock.to_micros(narrow.issued_since)
        # Whatever was issued was changed then or later: that index leads, the other condition decides.
        found.append(("c.updated_at >= %s AND c.not_before >= %s AND c.source = 'BOUGHT'", [since, since]))
    if narrow.ids is not None:
        found.append((f"c.id IN ({sql.marks(narrow.ids)})", [*narrow.ids]) if narrow.ids else ("1 = 0", []))
    return found


def _ends(narrow: Narrow, now: datetime) -> Condition:
    """LST-7: what has expired is not in force, even where the span began before."""
    first = now if narrow.ends_from is None else max(now, narrow.ends_from)
    text, values = f"c.state IN ({_IN_FORCE}) AND {EXPIRY} >= %s", [clock.to_micros(first)]
    if narrow.ends_before is None:
        return f"{text} AND c.not_after IS NOT NULL", [*values]
    return f"{text} AND {EXPIRY} < %s", [*values, clock.to_micros(narrow.ends_before)]


def bounded(principal: Principal, wanted: Sequence[Sequence[Condition]]) -> tuple[int, ...]:
    """How many certificates the principal may list under each, counted up to `COUNT_UP_TO`; one statement.

    Args:
        wanted: for each count the conditions that must all hold.
    """
    base, own = iam.where(principal, LIST, COLUMNS)
    parts: list[str] = []
    values: list[object] = []
    for conditions_ in wanted:
        where = " AND ".join([base, "c.state <> 'DELETED'", *(text for text, _ in conditions_)])
        few = f"SELECT 1 FROM certificates_certificate c WHERE {where} LIMIT {COUNT_UP_TO}"
        parts.append(f"(SELECT COUNT(*) FROM ({few}) few)")
        values += [*own, *(value for _, more in conditions_ for value in more)]
    found = sql.row(f"SELECT {', '.join(parts)}", values) or ()
    return tuple(int(one) for one in found)
