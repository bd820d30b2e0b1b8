"""What CAs outside advise about when to replace their certificates (ARI, RFC 9773), as it was told last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from certdesk.connectors.issuers.protocol import Advice as Told
from certdesk.connectors.issuers.protocol import IssuerError
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.certificates.models import Certificate, Version

from . import advice_rules as rules
from . import outside
from .models import Advice, OutsideOrder

ASK = "issuance.ask_advice"
BATCH = 100  # law 13: rows of one round
SENT = timedelta(hours=1)
"""Asked for again after this where nothing became of a job that was sent."""
HURRIED = "certificate.replacement_hurried"
"""Audit action: the CA wants a certificate replaced sooner than usual."""


@dataclass(frozen=True, slots=True)
class AdviceInfo:
    """For people; `hurried`: sooner than usual, and `page` may say why. Moments are real time."""

    start: datetime | None
    end: datetime | None
    hurried: bool
    page: str
    problem: str
    asked_at: datetime | None
    next_at: datetime | None


def begin(order: OutsideOrder, number: int, now: datetime) -> None:
    """The version of that number is in force: its CA is asked from now on, or once it advises."""
    Advice.objects.create(
        order=order,
        certificate_id=order.certificate_id,
        version=number,
        next_at=now if outside.advises(order.issuer) else None,
    )


def begin_again(slug: str, now: datetime, after: str = "") -> str:
    """A CA advises that did not before: what it issued is asked for from now on. In the caller's transaction.

    Args:
        after: the reference at which the round before ended.

    Returns:
        Where this round ended; empty when nothing is left.
    """
    waiting = Advice.objects.filter(
        order__issuer=slug, next_at=None, version=F("certificate__current_version"), order_id__gt=after
    )
    found = list(waiting.order_by("order_id").values_list("order_id", flat=True)[:BATCH])
    Advice.objects.filter(order_id__in=found).update(next_at=now)
    return found[-1] if len(found) == BATCH else ""


def send_due(now: datetime) -> int:
    """A job for each that is to be asked for by now; how many. In the caller's transaction.

    Its next turn is set at once, whatever becomes of the job: nobody is asked for twice, and one that always
    fails never keeps the others waiting.
    """
    due = Advice.objects.filter(next_at__lte=now).order_by("next_at")
    found = list(due.values_list("order_id", "certificate_id")[:BATCH])
    Advice.objects.filter(order_id__in=[reference for reference, _ in found]).update(next_at=now + SENT)
    for reference, certificate_id in found:
        key = f"{ASK}:{reference}"
        jobs.enqueue(ASK, {"reference": reference}, subject=certificate_id, dedupe_key=key)
    return len(found)


def postpone(row: Advice, now: datetime, seconds: float | None) -> None:
    """Asked again after so many seconds; None = once the CA says that it advises (`begin_again`). What it
    said last stays in force."""
    row.next_at = None if seconds is None else now + timedelta(seconds=seconds)
    row.save(update_fields=["next_at"])


def end(row: Advice) -> None:
    """The answer matters no more."""
    row.next_at, row.hurried = None, False
    row.save(update_fields=["next_at", "hurried"])


def note(row: Advice, version: Version, told: Told, now: datetime) -> None:
    """Keeps what the CA said; that it begins to hurry is recorded, and not each window that it names then."""
    first = row.first_start or told.start
    hurried = rules.is_hurried(told.start, first, version.not_before, version.not_after)
    if hurried and not row.hurried:
        _record(row.certificate, told)
    row.starts_at, row.ends_at, row.first_start, row.hurried = told.start, told.end, first, hurried
    row.page, row.problem, row.failures, row.asked_at = told.explanation, "", 0, now
    row.next_at = now + timedelta(seconds=rules.pause(told.retry_after))
    row.save()


def note_failure(row: Advice, error: IssuerError, now: datetime) -> None:
    """The window that was told before stays in force; without one the lifetime decides."""
    row.failures, row.problem, row.asked_at = row.failures + 1, error.message[:500], now
    seconds = rules.pause_after_failure(row.failures, error.retry_after, lasts=error.permanent)
    row.next_at = now + timedelta(seconds=seconds)
    row.save()


def _record(certificate: Certificate, told: Told) -> None:
    audit.record(
        system_principal(certificate.account_id, ASK),
        HURRIED,
        resource=f"cert:{certificate.id}",
        account_id=certificate.account_id,
        details={"from": wire(told.start), "to": wire(told.end), "page": told.explanation[:300]},
    )


def windows(certificate_ids: Sequence[str]) -> dict[str, tuple[datetime, datetime, bool]]:
    """Start and end of the window of each one's current version, where its CA named one, and whether the CA
    hurries; one statement."""
    rows = Advice.objects.filter(certificate_id__in=certificate_ids, starts_at__isnull=False)
    found = rows.select_related("certificate").only(
        "starts_at", "ends_at", "hurried", "version", "certificate__current_version"
    )
    return {
        one.certificate_id: (one.starts_at, one.ends_at, one.hurried)
        for one in found
        if one.starts_at and one.ends_at and one.version == one.certificate.current_version
    }


def info(certificate: Certificate) -> AdviceInfo | None:
    """What was told of the current version; None where its CA was never asked."""
    row = Advice.objects.filter(certificate=certificate, version=certificate.current_version).first()
    if row is None or row.asked_at is None:
        return None
    return AdviceInfo(
        row.starts_at, row.ends_at, row.hurried, row.page, row.problem, row.asked_at, row.next_at
    )
