"""What is to be replaced now: hand-written SQL over the two small indexes of what the machine replaces."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from certdesk.foundation.common import clock, sql
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.catalogue import rehearsal
from certdesk.lifecycle.certificates.states import ROLLS_OVER
from certdesk.lifecycle.enrolment.succession import OF_CLIENT

from . import schedule
from .models import Renewal
from .schedule import Kind, Window

STEP = "renewal.step"
BATCH = 100  # law 13: rows of one transaction
EARLIEST = timedelta(days=140)  # a third of the longest version, and the spread
_STATES = ", ".join(f"'{one}'" for one in sorted(ROLLS_OVER))
_IN_FORCE = (
    f"c.state IN ({_STATES}) AND c.source = 'BOUGHT' AND c.not_after >= %s"
    f" AND SUBSTR(c.brand, 1, 1) <> '{rehearsal.SIGN}'"
)
_COLUMNS = "c.id, c.account_id, c.brand, c.current_version, c.not_before, c.not_after, c.paid_until"
_TO_BUY = (
    f"SELECT {_COLUMNS} FROM certificates_certificate c WHERE c.auto_renewal AND {_IN_FORCE}"
    " AND COALESCE(c.paid_until, c.not_after) <= %s"
    " AND NOT EXISTS (SELECT 1 FROM renewal_renewal r WHERE r.certificate_id = c.id AND r.kind = 'BUY')"
    " ORDER BY c.not_after, c.id LIMIT %s"
)
_TO_ROLL = (
    f"SELECT {_COLUMNS}, a.starts_at, a.ends_at, c.not_after FROM certificates_certificate c"
    " LEFT JOIN issuance_advice a ON a.certificate_id = c.id AND a.version = c.current_version"
    " WHERE c.paid_until > c.not_after"
    f" AND {_IN_FORCE} AND c.not_after <= %s"
    f" AND (a.hurried IS NOT TRUE OR NOT {OF_CLIENT})"
    " AND NOT EXISTS (SELECT 1 FROM renewal_renewal r WHERE r.certificate_id = c.id"
    " AND r.kind = 'ROLLOVER' AND r.version = c.current_version)"
    " AND (c.not_after, c.id) > (%s, %s) ORDER BY c.not_after, c.id LIMIT %s"
)
_HURRIED = (
    f"SELECT {_COLUMNS}, a.starts_at, a.ends_at, a.starts_at FROM issuance_advice a"
    " JOIN certificates_certificate c ON c.id = a.certificate_id AND c.current_version = a.version"
    f" WHERE a.hurried AND {_IN_FORCE} AND a.starts_at <= %s AND NOT {OF_CLIENT}"
    " AND NOT EXISTS (SELECT 1 FROM renewal_renewal r WHERE r.certificate_id = c.id"
    " AND r.kind = 'ROLLOVER' AND r.version = c.current_version)"
    " AND (a.starts_at, c.id) > (%s, %s) ORDER BY a.starts_at, c.id LIMIT %s"
)
"""Those that their CA wants replaced sooner than usual, also where no paid period is left beyond them.

What is an ACME client's is in neither list while its CA hurries: the client is told by our own renewal
information, which speaks of the version that it has, and renews by itself."""
_READY = (
    "SELECT r.id, r.certificate_id FROM renewal_renewal r JOIN certificates_certificate c"
    " ON c.id = (CASE WHEN r.new_id <> '' THEN r.new_id ELSE r.certificate_id END)"
    " WHERE r.state = 'OPEN' AND (r.next_at <= %s"
    " OR c.state || ':' || c.current_version || ':' || c.updated_at <> r.seen)"
    " ORDER BY r.next_at, r.id LIMIT %s"
)


@dataclass(frozen=True, slots=True)
class Due:
    """A certificate that may have to be replaced."""

    id: str
    account_id: str
    issuer: str
    version: int
    not_before: datetime
    not_after: datetime
    paid_until: datetime
    advice: Window | None = None

    def at(self, kind: Kind) -> datetime:
        if kind is Kind.BUY:
            return schedule.buy_at(self.id, self.paid_until)
        return schedule.rollover_at(self.id, self.not_before, self.not_after, self.advice)


def begin(now: datetime) -> int:
    """Opens the renewals that are due, within each issuer's budget; how many. In the caller's transaction."""
    begun, used = 0, Counter[str]()
    for kind, one in _due(now):
        if one.at(kind) > now or used[one.issuer] >= schedule.BUDGET:
            continue
        made, new = Renewal.objects.get_or_create(
            certificate_id=one.id,
            kind=kind.value,
            **({} if kind is Kind.BUY else {"version": one.version}),
            defaults={
                "account_id": one.account_id,
                "version": one.version,
                "next_at": now,
                "begun_at": now,
            },
        )
        if new:
            used[one.issuer] += 1
            begun += 1
            send(made.id, one.id)
    return begun


def _due(now: datetime) -> list[tuple[Kind, Due]]:
    """In the order in which they begin: what a CA hurries, purchases, rollovers in the usual course."""
    micros = clock.to_micros(now)
    hurried = _rollovers(_HURRIED, [micros, micros], now)
    bought = sql.rows(_TO_BUY, [micros, clock.to_micros(now + schedule.BUY_BEFORE), BATCH])
    usual = _rollovers(_TO_ROLL, [micros, clock.to_micros(now + EARLIEST)], now)
    found = [(Kind.ROLLOVER, one) for one in hurried]
    found += [(Kind.BUY, _row(row)) for row in bought]
    found += [(Kind.ROLLOVER, one) for one in usual]
    return found[: 2 * BATCH]


def _rollovers(statement: str, params: list[int], now: datetime) -> list[Due]:
    """Whose time has come, page by page until a batch of them is found.

    Args:
        statement: sorted by its last column, then by the id.
    """
    found: list[Due] = []
    last = (-(2**63), "")
    while True:
        rows = sql.rows(statement, [*params, *last, BATCH])
        found += [one for one in map(_row, rows) if one.at(Kind.ROLLOVER) <= now]
        if len(rows) < BATCH or len(found) >= BATCH:
            return found
        last = (int(rows[-1][-1]), str(rows[-1][0]))


def _row(row: sql.Row) -> Due:
    begin_, end = clock.from_micros(row[4]), clock.from_micros(row[5])
    paid = sql.moment(row[6]) or end
    texts = (str(row[0]), str(row[1]), str(row[2]), int(row[3]))
    told = row[7:9]
    window = None
    if told and told[0] is not None:
        window = Window(clock.from_micros(told[0]), clock.from_micros(told[1]))
    return Due(*texts, begin_, end, max(paid, end), window)


def send_ready(now: datetime) -> int:
    """A job for each open renewal whose time has come, or whose certificate has changed; how many."""
    rows = sql.rows(_READY, [clock.to_micros(now), BATCH])
    for renewal_id, certificate_id in rows:
        send(int(renewal_id), str(certificate_id))
    return len(rows)


def send(renewal_id: int, certificate_id: str) -> None:
    """One job a renewal: a second one for the same is none."""
    jobs.enqueue(STEP, {"renewal": renewal_id}, subject=certificate_id, dedupe_key=f"{STEP}:{renewal_id}")
