"""One step of a renewal at a time, and what is written of it: the only writer of open renewals."""

from datetime import datetime, timedelta

from django.db import transaction

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs.errors import UserGone
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance import followup

from . import buying, causes, placing, rolling, schedule, telling
from .causes import SILENT, Cause
from .models import Renewal
from .outcome import HOUR, Done, Ended, Failed, Moved, Outcome, Waits
from .schedule import Kind

AT_ONCE = 4  # steps that follow each other without anybody else
DONE = "certificate.renewed"


def advance(renewal_id: int, now: datetime) -> None:
    """Takes an open renewal as far as it goes now; in the caller's transaction."""
    renewal = Renewal.objects.select_for_update().filter(id=renewal_id, state="OPEN").first()
    old = Certificate.objects.filter(id=renewal.certificate_id).first() if renewal else None
    if renewal is None or old is None:
        return
    if renewal.next_at <= now:
        renewal.seen = placing.RETRY
    for _ in range(AT_ONCE):
        outcome = _tried(renewal, old, now)
        if not isinstance(outcome, Moved):
            break
        renewal.seen = ""
    _write(renewal, old, outcome, now)


def _tried(renewal: Renewal, old: Certificate, now: datetime) -> Outcome:
    """A refusal takes back what the step wrote, and nothing else."""
    step = buying.step if renewal.kind == Kind.BUY else rolling.step
    new_id, application_id = renewal.new_id, renewal.application_id
    try:
        with transaction.atomic():
            return step(renewal, old, now)
    except buying.Short as short:
        refused: Outcome = Failed(Cause.BALANCE, str(short))
    except (CertdeskError, UserGone) as error:
        refused = Failed(_cause(renewal, error), str(error))
    renewal.new_id, renewal.application_id = new_id, application_id
    return refused


def _cause(renewal: Renewal, error: BaseException) -> Cause:
    if renewal.kind == Kind.BUY and not renewal.new_id:
        return causes.of(error, Cause.SALE)
    gone = renewal.kind == Kind.ROLLOVER and str(error).startswith(followup.DETAILS_GONE)
    return Cause.PRIVACY if gone else causes.of(error, Cause.REFUSED)


def _write(renewal: Renewal, old: Certificate, outcome: Outcome, now: datetime) -> None:
    match outcome:
        case Done():
            renewal.state, renewal.done_at, renewal.reason = "DONE", now, ""
            _set(renewal, outcome.cause, "")
            _record(renewal, old)
        case Ended():
            renewal.state, renewal.done_at = "ENDED", now
            _set(renewal, None, "")
        case Failed():
            whole = _whole(old)
            renewal.next_at = now + schedule.pause(renewal.attempts, whole)
            renewal.attempts += 1
            _set(renewal, outcome.cause, outcome.reason)
        case Waits():
            renewal.next_at = now + outcome.pause
            _set(renewal, outcome.cause, outcome.reason)
        case Moved():  # so many steps at once are enough: the next look goes on
            renewal.next_at = now
    renewal.seen = watched(renewal.new_id or renewal.certificate_id)
    _tell(renewal, old, now)
    renewal.save()


def _whole(certificate: Certificate) -> timedelta:
    if certificate.not_before is None or certificate.not_after is None:
        return HOUR
    return schedule.lifetime(certificate.not_before, certificate.not_after)


def _set(renewal: Renewal, cause: Cause | None, reason: str) -> None:
    renewal.cause, renewal.reason = (cause.value if cause else ""), reason[:500]


def _tell(renewal: Renewal, old: Certificate, now: datetime) -> None:
    """People hear of a cause once, and of one that only time can heal when time runs short."""
    if not renewal.cause:
        return
    cause = Cause(renewal.cause)
    near = old.not_after is not None and schedule.urgent(now, old.not_after, _whole(old))
    if cause.value == renewal.told or (cause in SILENT and not near):
        return
    telling.tell(renewal, old, cause)
    renewal.told = cause.value


def _record(renewal: Renewal, old: Certificate) -> None:
    audit.record(
        system_principal(old.account_id, "renewal.step"),
        DONE,
        resource=f"cert:{old.id}",
        account_id=old.account_id,
        details={"kind": renewal.kind, "by": renewal.new_id, "served": bool(renewal.bindings)},
    )


def watched(certificate_id: str) -> str:
    """What a look compares: it changes whenever the certificate is moved, issued anew, or fails."""
    row = Certificate.objects.filter(id=certificate_id).values_list("state", "current_version", "updated_at")
    found = row.first()
    return f"{found[0]}:{found[1]}:{clock.to_micros(found[2])}" if found else ""
