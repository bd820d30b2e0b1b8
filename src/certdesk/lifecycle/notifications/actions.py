"""Switching notices on and off, telling a stage, acknowledging it: the writers of the threads."""

from collections.abc import Sequence
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import queries as certificates

from . import habits, queries, recipients, timing_rules
from .models import Notice, Notices, Progress
from .queries import Candidate
from .recipients import Audience, To
from .rules import NoticeType, Stage
from .timing_rules import Hours

UPDATE = "scm:notification:update"
ACKNOWLEDGED = "notices.acknowledged"

Wanted = Sequence[tuple[str, Sequence[NoticeType]]]


def switch(principal: Principal, wanted: Wanted, *, on: bool) -> None:
    """Switches kinds of notices of certificates on or off: all of them or, where one is refused, none.

    Args:
        wanted: (certificate id, kinds) each.

    Raises:
        NoCertificate, Forbidden, UnderReview: as `certificates.queries.fetch`, for any of them.
    """
    found = [(certificates.fetch(principal, UPDATE, one), set(kinds)) for one, kinds in wanted]
    with sql.short_transaction():
        for certificate, kinds in found:
            values = {kind.name.lower(): on for kind in kinds}
            Notices.objects.update_or_create(
                certificate_id=certificate.id,
                defaults={**values, "account_id": certificate.account_id, "next_at": 0},
            )
            audit.record(
                principal,
                UPDATE,
                resource=f"cert:{certificate.id}",
                details={"notices": sorted(kinds), "on": on},
                account_id=certificate.account_id,
            )


def look_through(work: Sequence[Candidate], now: datetime) -> int:
    """Tells what has come to a stage and notes when to look again at the others; all of one account.

    In the caller's transaction. Answers how many notices were added.
    """
    account_id = work[0].account_id
    known, hours = recipients.audience(account_id), habits.hours(account_id)
    told = [(one, stage) for one in work if (stage := one.due(now)) is not None]
    _remember([one for one in work if one.due(now) is None], now)
    _remember_told(told, now)
    return _add(
        [
            _notice(one, stage.name, to, _when(hours, one, stage, now))
            for one, stage in told
            for to in recipients.of(one, known)
        ]
    )


def _when(hours: Hours, one: Candidate, stage: Stage, now: datetime) -> datetime:
    if stage.kind is NoticeType.EXPIRED:
        return now
    return timing_rules.send_at(hours, now, one.not_after)


def _remember(work: Sequence[Candidate], now: datetime) -> None:
    Notices.objects.bulk_create(
        [_thread(one, now) for one in work],
        update_conflicts=True,
        unique_fields=["certificate_id"],
        update_fields=["account_id", "seen_version", "next_at"],
    )


def _remember_told(work: Sequence[tuple[Candidate, Stage]], now: datetime) -> None:
    """A new stage opens the thread again (NTF-5)."""
    rows = []
    for one, stage in work:
        row = _thread(one, now)
        row.version, row.stage, row.told_at = one.version, stage.name, now
        rows.append(row)
    fields = ["account_id", "seen_version", "next_at", "version", "stage", "told_at"]
    fields += ["acknowledged_at", "acknowledged_by", "escalated"]
    Notices.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["certificate_id"], update_fields=fields
    )


def _thread(one: Candidate, now: datetime) -> Notices:
    return Notices(
        certificate_id=one.id,
        account_id=one.account_id,
        seen_version=one.version,
        next_at=one.next_at(now),
    )


def _notice(one: Candidate, stage: str, to: To, when: datetime, *, urgent: bool = False) -> Notice:
    return Notice(
        account_id=one.account_id,
        certificate_id=one.id,
        version=one.version,
        stage=stage,
        whom=to.whom,
        channel_id=to.channel_id,
        # An applicant's address is read again when it is used: an authorization may be cancelled before.
        recipient="" if to.whom == "APPLICANT" else to.recipient,
        digest=to.digest,
        locale=to.locale,
        urgent=urgent,
        send_at=when,
    )


def _add(notices: list[Notice]) -> int:
    """What stands there already is left as it is: exactly once for each recipient and way (NTF-1)."""
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
    return len(notices)


def escalate(account_id: str, now: datetime, limit: int) -> int:
    """Who comes next is told of stages that nobody acknowledged; answers how many certificates.

    In the caller's transaction.
    """
    known = recipients.audience(account_id)
    seen = 0
    for days in sorted({rule.after_days for rule in known.rules if rule.after_days}):
        work = queries.unanswered(account_id, days, now, limit)
        _add(_escalations(work, known, days, now))
        Notices.objects.filter(certificate_id__in=[one.id for one in work]).update(escalated=days)
        seen = max(seen, len(work))
    return seen


def _escalations(work: Sequence[Candidate], known: Audience, days: int, now: datetime) -> list[Notice]:
    """What the machine brings on is among them: it waits with the others (see `packing`) until that ends."""
    return [
        _notice(one, one.told[1], to, now, urgent=True)
        for one in work
        for to in recipients.of(one, known, after_days=days)
        if _kind(one) in one.on and (one.held(one.told[1]) or not one.quiet(one.told[1]))
    ]


def _kind(one: Candidate) -> NoticeType:
    return NoticeType.EXPIRED if one.told[1] == "expired" else NoticeType.EXPIRING


def acknowledge(principal: Principal, certificate_id: str, now: datetime) -> None:
    """Somebody takes care of it: silent until the next stage (NTF-5). A second time changes nothing.

    Raises:
        NoCertificate, Forbidden, UnderReview: as `certificates.queries.fetch`.
        WrongState: nobody has been told anything of the current version yet.
    """
    certificate = certificates.fetch(principal, UPDATE, certificate_id)
    with sql.short_transaction():
        thread = Notices.objects.filter(certificate_id=certificate.id).first()
        if thread is None or not thread.stage or thread.version != certificate.current_version:
            raise WrongState(
                "No expiry notice of this certificate has been sent yet, so there is none to acknowledge.",
                next_step="Acknowledge the first one when it comes, or switch the notices off.",
            )
        if silence(thread, principal.name, now):
            audit.record(
                principal,
                ACKNOWLEDGED,
                resource=f"cert:{certificate.id}",
                details={"stage": thread.stage},
                account_id=certificate.account_id,
            )


def silence(thread: Notices, who: str, now: datetime) -> bool:
    """Acknowledges the stage and drops what waits, in the caller's transaction; False: it was before."""
    changed = Notices.objects.filter(
        certificate_id=thread.certificate_id,
        version=thread.version,
        stage=thread.stage,
        acknowledged_at=None,
    ).update(acknowledged_at=now, acknowledged_by=who[:80])
    Notice.objects.filter(
        certificate_id=thread.certificate_id,
        version=thread.version,
        stage=thread.stage,
        state=Progress.WAITING,
    ).update(state=Progress.SILENCED, recipient="")
    return bool(changed)
