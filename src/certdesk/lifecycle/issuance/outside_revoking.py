"""Revocation at CAs outside: the call outside any transaction, then the record; tried until it is done."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certdesk.connectors.issuers.protocol import ByHand, IssuerConnector, IssuerError
from certdesk.foundation.common import clock
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.models import State as Waiting
from certdesk.foundation.jobs.registry import Handler, handler
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import versions
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.certificates.states import State

from . import outside, outside_orders
from . import outside_rules as rules
from .models import OutsideOrder

END = "issuance.end_version"
FOR_EVER = 1_000_000
BY_HAND = timedelta(hours=1)
"""Of a CA without an interface: so often it is looked whether an officer has noted that it is done."""


@dataclass(frozen=True, slots=True)
class ToRevoke:
    """One version and the CA that issued it. `done`: an officer has revoked it there already."""

    version_id: int
    connector: IssuerConnector
    der: bytes
    handle: str
    reason: int
    done: bool


@dataclass(frozen=True, slots=True)
class Revoked:
    """What came of one: no error means that it is revoked."""

    version_id: int
    error: IssuerError | None


def is_outside(version: Version) -> bool:
    return outside.is_outside(version.issuer.partition(":")[0])


def to_revoke(version: Version, reason: int) -> ToRevoke:
    """Read in `load`.

    Raises:
        CertdeskError: UNAVAILABLE while its issuer is not set up.
    """
    slug = version.issuer.partition(":")[0]
    connector = outside.connect(slug)
    by_hand = OutsideOrder.objects.filter(issuer=slug, serial=version.serial, revoked_by_hand=True).exists()
    done = by_hand and isinstance(connector, ByHand)
    handle = outside_orders.handle_of(version)
    return ToRevoke(version.id, connector, bytes(version.der), handle, reason, done)


async def revoke(work: ToRevoke) -> Revoked:
    """The call; twice is no error at the CA."""
    if work.done:
        return Revoked(work.version_id, None)
    try:
        await work.connector.revoke(work.der, work.handle, work.reason)
    except IssuerError as error:
        return Revoked(work.version_id, error)
    return Revoked(work.version_id, None)


def revoke_later(version: Version, reason: int) -> None:
    """In the caller's transaction: a job does it."""
    jobs.enqueue(
        END,
        {"version": version.id, "reason": reason},
        subject=version.certificate_id,
        dedupe_key=f"{END}:{version.id}",
    )


def waiting(certificate_id: str) -> dict[int, int]:
    """The versions that are still to be revoked at their CA because later ones have replaced them: id ->
    CRLReason."""
    found = Job.objects.filter(subject=certificate_id, kind=END, state__in=(Waiting.READY, Waiting.RUNNING))
    return {
        int(payload["version"]): int(payload["reason"]) for payload in found.values_list("payload", flat=True)
    }


@handler(END, max_attempts=FOR_EVER, lock="issuance:{subject}")
class EndVersion(Handler[ToRevoke, Revoked]):
    """A version that a later one has replaced."""

    def load(self, job: Job) -> ToRevoke | None:
        version = Version.objects.filter(id=int(job.payload["version"]), revoked_at=None).first()
        if version is None or version.not_after < clock.now():
            return None
        return to_revoke(version, int(job.payload["reason"]))

    async def perform(self, work: ToRevoke) -> Revoked:
        return await revoke(work)

    def store(self, job: Job, work: ToRevoke, result: Revoked) -> None:
        if result.error is None:
            versions.note_revoked(work.version_id, clock.now())
            return
        version = Version.objects.select_related("certificate").get(id=work.version_id)
        show(version, result.error)
        failures = int(job.payload.get("failures", 0)) + 1
        jobs.enqueue(
            END,
            {**job.payload, "failures": failures},
            subject=job.subject,
            run_at=again_at(result.error, failures),
            dedupe_key=f"{END}:{work.version_id}",
        )


def show(version: Version, error: IssuerError) -> None:
    """Why it is not revoked yet stands beside the certificate."""
    certificate = version.certificate
    words = f"{error.message} {error.next_step or 'It is tried again by itself.'}"
    certificates.note_failure(certificate.id, State(certificate.state), words[:500], clock.now())


def again_at(error: IssuerError, failures: int) -> datetime:
    """Real time: a no for good is asked about again every hour, for somebody may have mended its cause."""
    pause = timedelta(seconds=rules.pause_after_failure(error.retry_after, failures))
    return clock.real_now() + (max(pause, BY_HAND) if error.permanent else pause)
