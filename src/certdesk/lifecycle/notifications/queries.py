"""Which certificates end, and how far their threads have come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.months import add_months
from certdesk.foundation.iam.models import Account
from certdesk.lifecycle.certificates import states
from certdesk.lifecycle.certificates.rows import EXPIRY

from . import rules, successions
from .models import Notices
from .rules import NoticeType, Stage
from .successions import Succession

NEVER = 2**63 - 1
"""`next_at` of what has no stage left."""

LONG, SOON = timedelta(days=1), timedelta(hours=1)

_STATES = ", ".join(f"'{one.value}'" for one in sorted(states.EXPIRING))
_SELECT = (
    "SELECT c.id, c.account_id, c.owner_id, c.enterprise_project_id, c.name, c.domain, c.source, v.number,"
    " v.not_before, v.not_after, v.created_at, COALESCE(n.version, 0), COALESCE(n.stage, ''),"
    " n.expiring, n.expired, CASE WHEN c.paid_until > v.not_after THEN 1 ELSE 0 END"
)
_FROM = (
    " FROM certificates_certificate c"
    " JOIN certificates_version v ON v.certificate_id = c.id AND v.number = c.current_version"
    " LEFT JOIN notifications_notices n ON n.certificate_id = c.id"
)
# The index of expiry finds who ends within the window; one look at the thread's row passes over those whose
# next stage has not come, so that only those are joined and read that have something to be told.
PAGE = (
    f"{_SELECT}{_FROM}"
    f" WHERE c.account_id = %s AND c.state IN ({_STATES}) AND {EXPIRY} BETWEEN %s AND %s"
    f" AND ({EXPIRY}, c.id) > (%s, %s) AND NOT EXISTS (SELECT 1 FROM notifications_notices s"
    " WHERE s.certificate_id = c.id AND s.seen_version = c.current_version AND s.next_at > %s)"
    f" ORDER BY {EXPIRY}, c.id LIMIT %s"
)
_ONE = f"{_SELECT}{_FROM} WHERE c.id IN (%s) AND c.state IN ({_STATES})"
_UNANSWERED = (
    f"{_SELECT}{_FROM}"
    f" WHERE n.account_id = %s AND n.acknowledged_at IS NULL AND n.told_at BETWEEN %s AND %s"
    f" AND n.escalated < %s AND n.version = c.current_version AND c.state IN ({_STATES})"
    " ORDER BY n.told_at, n.certificate_id LIMIT %s"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A certificate near its end, with what was told about it last.

    Attributes:
        here_since: when its current version was issued or uploaded.
        on: the kinds of notices that are switched on.
        rolls_over: its paid period goes on after its end (REN-8).
        succession: what was bought to renew it; None = nothing that is still there.
    """

    id: str
    account_id: str
    owner_id: str
    project_id: str
    name: str
    domain: str
    source: str
    version: int
    not_before: datetime
    not_after: datetime
    here_since: datetime
    told: tuple[int, str]
    on: frozenset[NoticeType]
    rolls_over: bool
    succession: Succession | None = None

    @property
    def stages(self) -> tuple[Stage, ...]:
        return rules.stages(self.not_before, self.not_after, self.here_since, rolls_over=self.rolls_over)

    def due(self, now: datetime) -> Stage | None:
        """The stage to tell now; None when it was told, is switched off, or nobody need act (see `quiet`)."""
        stage = rules.due(self.stages, now)
        if stage is None or stage.kind not in self.on or self.told == (self.version, stage.name):
            return None
        return None if self.quiet(stage.name) else stage

    def quiet(self, stage: str) -> bool:
        """Whether its end is no news for anybody: its renewal is served instead of it, or comes by itself."""
        newer = self.succession
        return newer is not None and (newer.settled or (newer.by_itself and stage not in rules.LAST))

    def held(self, stage: str) -> bool:
        """Whether it is quiet only as long as the machine brings its renewal on: that may end, unlike a
        renewal that is served."""
        return self.quiet(stage) and self.succession is not None and not self.succession.settled

    def next_at(self, now: datetime) -> int:
        """When there may be something to tell again, in microseconds."""
        following = rules.following(self.stages, now)
        moments = [] if following is None else [clock.to_micros(following.at)]
        stage = rules.due(self.stages, now)
        if self.succession and stage is not None and self.quiet(stage.name):  # what keeps it quiet may end
            moments.append(clock.to_micros(now + (LONG if self.succession.settled else SOON)))
        return min(moments, default=NEVER)


def accounts() -> list[str]:
    return list(Account.objects.order_by("id").values_list("id", flat=True))


def near_their_end(account_id: str, now: datetime, after: tuple[int, str], limit: int) -> list[Candidate]:
    """One page in the order of expiry; `after` = (expiry in microseconds, id) of the last one seen."""
    earliest = clock.to_micros(now - rules.LATE)
    latest = clock.to_micros(add_months(now, rules.EARLIEST_MONTHS) + timedelta(days=4))  # clamped months
    found = sql.rows(PAGE, [account_id, earliest, latest, *after, clock.to_micros(now), limit])
    return _candidates(found)


def candidates(ids: list[str]) -> dict[str, Candidate]:
    """Certificates in force or expired, by id."""
    if not ids:
        return {}
    found = sql.rows(_ONE.replace("(%s)", f"({sql.marks(ids)})"), ids)
    return {one.id: one for one in _candidates(found)}


def unanswered(account_id: str, days: int, now: datetime, limit: int) -> list[Candidate]:
    """Those whose last stage was told so many days ago, acknowledged by nobody and not escalated so far.

    What was told longer than 30 days before that is left alone.
    """
    until = now - timedelta(days=days)
    span = [clock.to_micros(until - rules.LATE), clock.to_micros(until)]
    return _candidates(sql.rows(_UNANSWERED, [account_id, *span, days, limit]))


def _candidates(rows: Sequence[sql.Row]) -> list[Candidate]:
    newer = successions.of([str(row[0]) for row in rows])
    return [_candidate(row, newer.get(str(row[0]))) for row in rows]


def _candidate(row: sql.Row, newer: Succession | None) -> Candidate:
    off = {kind for kind, on in zip(NoticeType, row[13:15], strict=True) if on is not None and not on}
    certificate_id, account_id, owner_id, project_id, name, domain, source = row[:7]
    return Candidate(
        id=certificate_id,
        account_id=account_id,
        owner_id=owner_id,
        project_id=project_id,
        name=name,
        domain=domain,
        source=source,
        version=int(row[7]),
        not_before=clock.from_micros(row[8]),
        not_after=clock.from_micros(row[9]),
        here_since=clock.from_micros(row[10]),
        told=(int(row[11]), str(row[12])),
        on=frozenset(NoticeType) - off,
        rolls_over=bool(row[15]),
        succession=newer,
    )


def switched_on(certificate_id: str) -> frozenset[NoticeType]:
    """The kinds of notices that are on; the caller fetched the certificate."""
    row = Notices.objects.filter(certificate_id=certificate_id).first()
    return frozenset(kind for kind in NoticeType if row is None or getattr(row, kind.name.lower()))
