"""Which certificates end, who is told, and what is switched on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.months import add_months
from certdesk.foundation.iam.models import Account, User
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.certificates import states
from certdesk.lifecycle.certificates.rows import EXPIRY

from . import rules
from .models import Notices
from .rules import NoticeType, Stage

_STATES = ", ".join(f"'{one.value}'" for one in sorted(states.EXPIRING))
_PAGE = (
    "SELECT c.id, c.account_id, c.owner_id, c.name, c.domain, c.source, v.number, v.not_before, v.not_after,"
    " v.created_at, COALESCE(n.version, 0), COALESCE(n.stage, ''), n.expiring, n.expired"
    " FROM certificates_certificate c"
    " JOIN certificates_version v ON v.certificate_id = c.id AND v.number = c.current_version"
    " LEFT JOIN notifications_notices n ON n.certificate_id = c.id"
    f" WHERE c.account_id = %s AND c.state IN ({_STATES}) AND {EXPIRY} BETWEEN %s AND %s"
    f" AND ({EXPIRY}, c.id) > (%s, %s) ORDER BY {EXPIRY}, c.id LIMIT %s"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A certificate near its end, with what was told about it last.

    Attributes:
        here_since: when its current version was issued or uploaded.
        on: the kinds of notices that are switched on.
    """

    id: str
    account_id: str
    owner_id: str
    name: str
    domain: str
    source: str
    version: int
    not_before: datetime
    not_after: datetime
    here_since: datetime
    told: tuple[int, str]
    on: frozenset[NoticeType]

    def due(self, now: datetime) -> Stage | None:
        """The stage to tell now; None when it was told, or is switched off."""
        stage = rules.due(rules.stages(self.not_before, self.not_after, self.here_since), now)
        if stage is None or stage.kind not in self.on or self.told == (self.version, stage.name):
            return None
        return stage


def accounts() -> list[str]:
    return list(Account.objects.order_by("id").values_list("id", flat=True))


def near_their_end(account_id: str, now: datetime, after: tuple[int, str], limit: int) -> list[Candidate]:
    """One page in the order of expiry; `after` = (expiry in microseconds, id) of the last one seen."""
    earliest = clock.to_micros(now - rules.LATE)
    latest = clock.to_micros(add_months(now, rules.EARLIEST_MONTHS) + timedelta(days=4))  # clamped months
    found = sql.rows(_PAGE, [account_id, earliest, latest, *after, limit])
    return [_candidate(row) for row in found]


def _candidate(row: sql.Row) -> Candidate:
    off = {kind for kind, on in zip(NoticeType, row[12:14], strict=True) if on is not None and not on}
    certificate_id, account_id, owner_id, name, domain, source = row[:6]
    return Candidate(
        id=certificate_id,
        account_id=account_id,
        owner_id=owner_id,
        name=name,
        domain=domain,
        source=source,
        version=int(row[6]),
        not_before=clock.from_micros(row[7]),
        not_after=clock.from_micros(row[8]),
        here_since=clock.from_micros(row[9]),
        told=(int(row[10]), str(row[11])),
        on=frozenset(NoticeType) - off,
    )


def recipients(one: Candidate) -> list[tuple[str, str]]:
    """(address, locale) of each, once (NTF-6): the applicant of an issued one, and the account's contact."""
    contact = _contact(one)
    found = [(contact.email, contact.language)] if contact else []
    if one.source != "UPLOADED":
        application = applications.latest(one.id)
        address = applications.applicant_address(application.id) if application else ""
        if address and address.lower() not in {known.lower() for known, _ in found}:
            found.insert(0, (address, contact.language if contact else "en"))
    return found


def _contact(one: Candidate) -> User | None:
    """The user who owns the certificate; when he is gone, the account's first one with an address."""
    users = User.objects.filter(account_id=one.account_id, is_active=True).exclude(email="")
    return users.filter(id=one.owner_id).first() or users.order_by("created_at", "id").first()


def switched_on(certificate_id: str) -> frozenset[NoticeType]:
    """The kinds of notices that are on; the caller fetched the certificate."""
    row = Notices.objects.filter(certificate_id=certificate_id).first()
    return frozenset(kind for kind in NoticeType if row is None or getattr(row, kind.name.lower()))
