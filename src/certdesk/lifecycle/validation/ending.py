"""Proofs that can soon be reused no more (DOM-13): which authorisation domains they are of. Reads only."""

from datetime import datetime, timedelta

from certdesk.foundation.common import clock, sql

from . import domains

COUNT_UP_TO = 1_000
"""Counts are exact below this; at it they mean "this many or more"."""

_ENDING = (
    "FROM validation_evidence e WHERE e.account_id = %s AND e.at >= %s AND e.at < %s AND e.void_at IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM validation_evidence l WHERE l.account_id = e.account_id"
    " AND l.authorization_domain = e.authorization_domain AND l.void_at IS NULL AND l.at >= %s)"
)


def count(account_id: str, now: datetime, within: timedelta) -> int:
    """How many domains have a last proof that ends within that time, counted up to `COUNT_UP_TO`."""
    few = f"SELECT DISTINCT e.authorization_domain {_ENDING} LIMIT {COUNT_UP_TO}"
    found = sql.row(f"SELECT COUNT(*) FROM ({few}) few", _span(account_id, now, within))
    return int((found or (0,))[0])


def names(account_id: str, now: datetime, within: timedelta, after: str, limit: int) -> list[str]:
    """Those domains, in their order, behind `after`."""
    statement = (
        f"SELECT DISTINCT e.authorization_domain {_ENDING} AND e.authorization_domain > %s"
        " ORDER BY e.authorization_domain LIMIT %s"
    )
    found = sql.rows(statement, [*_span(account_id, now, within), after, limit])
    return [str(name) for (name,) in found]


def _span(account_id: str, now: datetime, within: timedelta) -> list[object]:
    """Proved in this span: still good today with the issuer that takes proofs longest, and soon with none."""
    longest = max((one.until for one in domains.reuse_of(now, now)), default=now) - now
    first, last = clock.to_micros(now - longest), clock.to_micros(now - longest + within)
    return [account_id, first, last, last]
