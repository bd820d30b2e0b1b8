"""Revocations by workers: the confirmed ones at the issuer, the others reminded of and let go (REV-9)."""

from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.rules import state_of
from certdesk.lifecycle.certificates.states import Event, State
from certdesk.lifecycle.validation import mails
from certdesk.pki.keystore import actions as keystore

from . import issuers, privacy, revoking
from . import revocation_rules as rules
from .models import Outcome, RevocationRequest
from .revoking import SETTLE

WATCH = "issuance.revocations"
SPREAD = "issuance.compromised"
LAPSED = "The revocation was not confirmed within 30 days, so the certificate stays in force."
EXPIRED = "The certificate expired before its revocation was confirmed."
FOR_EVER = 1_000_000
AT_ONCE = 100  # rows of one transaction (law 13)


@handler(SETTLE, max_attempts=FOR_EVER, lock="issuance:{subject}", short_lease=True)
class Settle(Handler[bool, None]):
    """REV-2, REV-4: at the issuer and in the inventory in one transaction; the CRL's job comes with it."""

    def load(self, job: Job) -> bool | None:
        asked = revoking.open_request(job.subject)
        certificate = Certificate.objects.filter(id=job.subject, state=State.REVOKING).first()
        if asked is None or asked.confirmed_at is None or certificate is None:
            return None
        now = clock.now()
        principal = system_principal(certificate.account_id, job.kind)
        if state_of(certificate, now) is State.EXPIRED:
            lapse(principal, asked, EXPIRED, now)
        else:
            _revoke(principal, certificate, asked, now)
        return None


def _revoke(principal: Principal, certificate: Certificate, asked: RevocationRequest, now: datetime) -> None:
    for version in Version.objects.filter(certificate=certificate, revoked_at=None, not_after__gte=now):
        issuers.find(version.issuer.partition(":")[0]).revoke(version.serial, asked.reason, now)
        Version.objects.filter(id=version.id).update(revoked_at=now)
        if asked.proved:
            keystore.block(version.spki_sha256, f"compromise:{certificate.id}", now)
            jobs.enqueue(SPREAD, {"spki_sha256": version.spki_sha256}, subject=certificate.id)
    certificates.move(certificate.id, Event.REVOKED, now, principal=principal)
    _end(asked, Outcome.DONE, now)
    privacy.forget_messages(certificate.id)  # REV-8: all but the last one, which is still to be sent
    _tell(certificate, asked, now)
    privacy.forget_records(certificate, now)


def _end(asked: RevocationRequest, outcome: Outcome, now: datetime) -> None:
    """The mail's link opens nothing any more."""
    RevocationRequest.objects.filter(id=asked.id).update(outcome=outcome, ended_at=now)
    outbox.forget_secret_of(revoking.message_of(asked.id))


def _tell(certificate: Certificate, asked: RevocationRequest, now: datetime) -> None:
    application = application_queries.latest(certificate.id)
    if application is not None:
        mails.send(certificate, application, "revoked", {"at": now}, f"revoked:{asked.id}")


def lapse(principal: Principal, asked: RevocationRequest, why: str, now: datetime) -> None:
    """REV-9: Issued again with a note, in the caller's transaction."""
    certificates.move(asked.certificate_id, Event.LAPSE, now, principal=principal, note=why)
    _end(asked, Outcome.LAPSED, now)


@handler(WATCH, lock=WATCH)
class Watch(Handler[bool, None]):
    """Every minute: who has waited three days is reminded once, who has waited thirty is let go."""

    def load(self, job: Job) -> bool | None:
        now = clock.now()
        waiting = RevocationRequest.objects.filter(outcome=Outcome.OPEN).select_related("certificate")
        for asked in waiting.order_by("id")[:AT_ONCE]:
            _watch(asked, now)
        return None


def _watch(asked: RevocationRequest, now: datetime) -> None:
    certificate = asked.certificate
    if certificate.state != State.REVOKING:
        return
    principal = system_principal(asked.account_id, WATCH)
    if asked.confirmed_at is not None:
        jobs.enqueue(SETTLE, subject=certificate.id, dedupe_key=f"{SETTLE}:{certificate.id}")
    elif state_of(certificate, now) is State.EXPIRED:
        lapse(principal, asked, EXPIRED, now)
    elif rules.link_is_old(asked.made_at, now):
        lapse(principal, asked, LAPSED, now)
    elif asked.reminded_at is None and now >= asked.made_at + rules.REMIND_AFTER:
        RevocationRequest.objects.filter(id=asked.id).update(reminded_at=now)
        message = Message.objects.filter(dedupe_key=revoking.message_of(asked.id)).first()
        if message is not None:
            outbox.send_again(message.id)


@handler(SPREAD, max_attempts=FOR_EVER, lock=SPREAD)
class Spread(Handler[bool, None]):
    """REV-6: whoever else has a certificate of that key, in whatever account, loses it too (BR 4.9.1.1)."""

    def load(self, job: Job) -> bool | None:
        now = clock.now()
        digest = str(job.payload["spki_sha256"])
        found = Certificate.objects.filter(
            versions__spki_sha256=digest,
            versions__revoked_at=None,
            versions__not_after__gte=now,
            state__in=(State.ISSUED, State.UPLOAD),
        ).distinct()
        for certificate in found.order_by("id"):
            _withdraw_trust(certificate, now)
        return None


def _withdraw_trust(certificate: Certificate, now: datetime) -> None:
    words = "Its private key is known to others."
    if certificate.state == State.ISSUED:
        revoking.revoke_now(certificate, rules.Code.KEY_COMPROMISE, words, now, who=SPREAD)
        return
    certificates.note_failure(certificate.id, State.UPLOAD, words, now)
    audit.record(
        system_principal(certificate.account_id, SPREAD),
        "certificate.key_compromised",
        resource=f"cert:{certificate.id}",
        account_id=certificate.account_id,
    )


periodic(WATCH, 60, at_start=True)
