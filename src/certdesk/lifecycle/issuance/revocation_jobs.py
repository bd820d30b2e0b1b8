"""Revocations by workers: the confirmed ones at the issuer, the others reminded of and let go (REV-9)."""

import time
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from certdesk.connectors.issuers.protocol import ControlWanted
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import versions
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.rules import state_of
from certdesk.lifecycle.certificates.states import BEING_REVOKED, EXPIRING, Event, State
from certdesk.lifecycle.validation import mails

from . import outside_revoking, privacy, queries, revoking
from . import revocation_rules as rules
from .models import Outcome, RevocationRequest
from .outside_revoking import Revoked, ToRevoke
from .revoking import SETTLE
from .revoking import SPREAD as SPREAD

WATCH = "issuance.revocations"
LAPSED = "The revocation was not confirmed within 30 days, so the certificate stays in force."
EXPIRED = "The certificate expired before its revocation was confirmed."
FOR_EVER = 1_000_000
AT_ONCE = 100  # rows of one transaction (law 13)
TOLD = "issuance.forget_told"
TELLING = timedelta(hours=1)  # in which the mail of a revocation is delivered, or read where none leaves
LOOK_AGAIN = timedelta(minutes=10)  # for those whose present state allows no revocation yet


@handler(SETTLE, max_attempts=FOR_EVER, lock="issuance:{subject}", short_lease=True)
class Settle(Handler[tuple[ToRevoke, ...], tuple[Revoked, ...]]):
    """REV-2, REV-4: at the issuer and in the inventory in one transaction; the CRL's job comes with it.

    CAs outside are asked first, outside any transaction; what they have revoked is recorded after that.
    """

    def load(self, job: Job) -> tuple[ToRevoke, ...] | None:
        found = self._found(job)
        if found is None:
            return None
        certificate, asked, now = *found, clock.now()
        if state_of(certificate, now) is State.EXPIRED:
            lapse(system_principal(certificate.account_id, job.kind), asked, EXPIRED, now)
            return None
        away = [one for one in versions.in_force(certificate.id, now) if outside_revoking.is_outside(one)]
        if away:
            return tuple(outside_revoking.to_revoke(one, asked.reason) for one in away)
        _revoke(system_principal(certificate.account_id, job.kind), certificate, asked, now)
        return None

    def _found(self, job: Job) -> tuple[Certificate, RevocationRequest] | None:
        asked = revoking.open_request(job.subject)
        certificate = Certificate.objects.filter(id=job.subject, state__in=BEING_REVOKED).first()
        if asked is None or asked.confirmed_at is None or certificate is None:
            return None
        return certificate, asked

    async def perform(self, work: tuple[ToRevoke, ...]) -> tuple[Revoked, ...]:
        return tuple([await outside_revoking.revoke(one) for one in work])

    def store(self, job: Job, work: tuple[ToRevoke, ...], result: tuple[Revoked, ...]) -> None:
        found = self._found(job)
        if found is None:
            return
        certificate, asked, now = *found, clock.now()
        _note_revoked(asked, result, now)
        error = next((one.error for one in result if one.error is not None), None)
        principal = system_principal(certificate.account_id, job.kind)
        if error is None:
            _revoke(principal, certificate, asked, now)
            return
        if isinstance(error, ControlWanted) and certificate.state == State.REVOKING:  # REV-7
            certificates.move(certificate.id, Event.REVOCATION_NEEDS_DOMAIN, now, principal=principal)
        outside_revoking.show(Version.objects.get(id=work[0].version_id), error)
        failures = int(job.payload.get("failures", 0)) + 1
        jobs.enqueue(
            SETTLE,
            {"failures": failures},
            subject=certificate.id,
            run_at=outside_revoking.again_at(error, failures),
            dedupe_key=f"{SETTLE}:{certificate.id}",
        )


def _note_revoked(asked: RevocationRequest, result: tuple[Revoked, ...], now: datetime) -> None:
    for one in result:
        if one.error is None:
            versions.note_revoked(one.version_id, now)
            if asked.proved:
                revoking.distrust_key(Version.objects.get(id=one.version_id), now)


def _revoke(principal: Principal, certificate: Certificate, asked: RevocationRequest, now: datetime) -> None:
    """Revokes what no CA outside has to; whatever one of them wanted to see (REV-7) it waits for no more."""
    many = asked.requested_by == revoking.CAMPAIGN
    for version in versions.in_force(certificate.id, now):
        revoking.end_version(version, asked.reason, now, many=many)
        if asked.proved:
            revoking.distrust_key(version, now)
    if certificate.state == State.REVOKING_DOMAIN:
        certificates.move(certificate.id, Event.REVOCATION_DOMAIN_PROVED, now, principal=principal)
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
        mails.send(certificate, application, "revoked", {"at": now}, _told(asked.id))
        _forget_later(certificate.id, asked.id)


def _told(request_id: int) -> str:
    """The name of the mail that tells of the revocation."""
    return f"revoked:{request_id}"


def _forget_later(certificate_id: str, request_id: int) -> None:
    jobs.enqueue(TOLD, {"request_id": request_id}, subject=certificate_id, run_at=clock.real_now() + TELLING)


@handler(TOLD)
class ForgetTold(Handler[bool, None]):
    """REV-8: the last message goes too, once it was delivered, or nobody tries any more."""

    def load(self, job: Job) -> bool | None:
        request_id = int(job.payload["request_id"])
        if not outbox.forget_when_sent(_told(request_id)):
            _forget_later(job.subject, request_id)
        return None


def lapse(principal: Principal, asked: RevocationRequest, why: str, now: datetime) -> None:
    """REV-9: Issued again with a note, in the caller's transaction."""
    certificates.move(asked.certificate_id, Event.LAPSE, now, principal=principal, note=why)
    _end(asked, Outcome.LAPSED, now)


class _TakenBack(Exception):
    """Ends a rehearsal."""


def rehearse(certificate: Certificate, now: datetime) -> timedelta:
    """Revokes the certificate as a campaign does, takes everything back, and answers how long the work took.

    What a commit costs is not in it. In a transaction of the caller's, or in one of its own.

    Raises:
        WrongState, Conflict: as `revoking.revoke_now`.
    """
    began = time.perf_counter()
    took = timedelta()
    with suppress(_TakenBack), sql.short_transaction():
        revoking.revoke_now(certificate, rules.Code.UNSPECIFIED, "", now, who="drill")
        asked = revoking.open_request(certificate.id)
        if asked is not None:
            _revoke(system_principal(certificate.account_id, SETTLE), certificate, asked, now)
        took = timedelta(seconds=time.perf_counter() - began)
        raise _TakenBack
    return took


@handler(WATCH, lock=WATCH)
class Watch(Handler[bool, None]):
    """Every minute: who has waited three days is reminded once, who has waited thirty is let go."""

    def load(self, job: Job) -> bool | None:
        now = clock.now()
        lost, due = queries.confirmed_without_job(SETTLE, AT_ONCE), _due(now)
        for certificate_id in lost:
            jobs.enqueue(SETTLE, subject=certificate_id, dedupe_key=f"{SETTLE}:{certificate_id}")
        for asked in due:
            _watch(asked, now)
        if AT_ONCE in (len(lost), len(due)):  # there may be more; each seen now is due no longer
            jobs.enqueue(WATCH, dedupe_key=WATCH)
        return None


def _due(now: datetime) -> QuerySet[RevocationRequest]:
    """Those for which something is to be done now; however many wait, none of these waits behind them."""
    reminder = Q(reminded_at=None, made_at__lte=now - rules.REMIND_AFTER)
    over = Q(made_at__lt=now - rules.LINK_LIFE) | Q(certificate__not_after__lt=now)
    waiting = RevocationRequest.objects.filter(
        reminder | over, outcome=Outcome.OPEN, confirmed_at=None, certificate__state=State.REVOKING
    )
    return waiting.select_related("certificate").order_by("id")[:AT_ONCE]


def _watch(asked: RevocationRequest, now: datetime) -> None:
    principal = system_principal(asked.account_id, WATCH)
    if state_of(asked.certificate, now) is State.EXPIRED:
        lapse(principal, asked, EXPIRED, now)
    elif rules.link_is_old(asked.made_at, now):
        lapse(principal, asked, LAPSED, now)
    else:
        RevocationRequest.objects.filter(id=asked.id).update(reminded_at=now)
        message = Message.objects.filter(dedupe_key=revoking.message_of(asked.id)).first()
        if message is not None:
            outbox.send_again(message.id)


@handler(SPREAD, max_attempts=FOR_EVER, lock=SPREAD)
class Spread(Handler[bool, None]):
    """REV-6: whoever else has a certificate of that key, in whatever account, loses it too (BR 4.9.1.1)."""

    def load(self, job: Job) -> bool | None:
        now = clock.now()
        digest, after = str(job.payload["spki_sha256"]), str(job.payload.get("after", ""))
        found = list(_of_key(digest, now, _REACHED).filter(id__gt=after)[:AT_ONCE])
        for certificate in found:
            _withdraw_trust(certificate, now)
        if len(found) == AT_ONCE:
            jobs.enqueue(SPREAD, {"spki_sha256": digest, "after": found[-1].id}, subject=job.subject)
        elif _of_key(digest, now, EXPIRING - _REACHED).exists():
            again = clock.real_now() + LOOK_AGAIN
            jobs.enqueue(SPREAD, {"spki_sha256": digest}, subject=job.subject, run_at=again)
        return None


_REACHED = BEING_REVOKED | {State.ISSUED, State.UPLOAD}
"""What can be done at once; whatever else is in force is looked at again."""


def _of_key(digest: str, now: datetime, states: Collection[State]) -> QuerySet[Certificate]:
    """Certificates with a version of that key that is in force, by id."""
    found = Certificate.objects.filter(
        versions__spki_sha256=digest,
        versions__revoked_at=None,
        versions__not_after__gte=now,
        state__in=states,
    )
    return found.distinct().order_by("id")


def _withdraw_trust(certificate: Certificate, now: datetime) -> None:
    words = "Its private key is known to others."
    if certificate.state != State.UPLOAD:  # one that waits for its confirmation waits no longer
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
