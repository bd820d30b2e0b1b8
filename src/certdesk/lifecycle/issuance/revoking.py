"""Revocation (REV): asked for, confirmed where an organisation stands behind it, done by a job.

From `request` on nothing takes it back (REV-3). Until it is confirmed the certificate is good; without a
confirmation within 30 days it is simply Issued again (REV-9).
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import queries as certificate_queries
from certdesk.lifecycle.certificates import versions
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.rules import state_of
from certdesk.lifecycle.certificates.states import BEING_REVOKED, Event, State, check_not_expired, step
from certdesk.lifecycle.validation import mails
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.x509 import key_proofs

from . import followup, issuers, outside_revoking
from . import revocation_rules as rules
from .models import Outcome, RevocationRequest
from .revocation_rules import Code

REVOKE = "scm:cert:revoke"
SETTLE = "issuance.revocation"
SPREAD = "issuance.compromised"
CONFIRMED = "certificate.revocation_confirmed"
CAMPAIGN = "campaign"
"""Who asks for many at a time: the lists of the CA are published for several together."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Attributes:
        reason_code: one of `revocation_rules.Code`, or empty.
        reason: the requester's own words, kept with the request.
        key_proof: a CSR in PEM as `key_proofs` wants it, or empty.
    """

    reason_code: str = ""
    reason: str = ""
    key_proof: str = ""


def request(principal: Principal, certificate_id: str, wish: Wish, now: datetime) -> State:
    """Asks to revoke a certificate; answers its state, CA verifying (revocation).

    Raises:
        NotFound, Forbidden: no such certificate, or no `scm:cert:revoke` on it.
        BadParameter, BadCsr: no such reason; a proof that proves nothing.
        WrongState: it is not Issued, was uploaded, or ends within a month (REV-1, REV-6).
        Conflict: another request was quicker.
    """
    certificate = certificate_queries.fetch(principal, REVOKE, certificate_id)
    code, words = rules.code_of(wish.reason_code), rules.check_words(wish.reason)
    _check_state(certificate, code, now)
    proved = _check_proof(certificate, code, wish.key_proof)
    with short_transaction():
        followup.drop_rollover(certificate.id, now)
        state = certificates.move(
            certificate.id, Event.REVOKE, now, principal=principal, set={"auto_renewal": False}
        )
        asked = RevocationRequest.objects.create(
            certificate=certificate,
            account_id=certificate.account_id,
            requested_by=principal.user_id,
            reason=rules.NUMBERS[code],
            words=words,
            proved=proved,
            made_at=now,
        )
        if rules.needs_confirmation(certificate):
            _ask_by_mail(certificate, asked, now)
        else:
            _release(asked, now)
    return state


def _check_state(certificate: Certificate, code: Code, now: datetime) -> None:
    check_not_expired(State(certificate.state), certificate.not_after, now, Event.REVOKE)
    if certificate.source == "BOUGHT":
        step(State(certificate.state), Event.REVOKE)
    rules.check_time(certificate, code, now)


def _check_proof(certificate: Certificate, code: Code, proof: str) -> bool:
    """Whether the compromise of the key is proved by a signature with it."""
    if not proof.strip():
        return False
    if code is not Code.KEY_COMPROMISE:
        raise BadParameter(
            "A proof of key compromise goes with the reason KEY_COMPROMISE alone.",
            next_step="Give that reason, or leave the proof out.",
            field="key_proof",
        )
    version = certificate_queries.current_version(certificate)
    digest = bytes.fromhex(version.spki_sha256) if version else b""
    key_proofs.check(proof, certificate.id, digest)
    return True


def _ask_by_mail(certificate: Certificate, asked: RevocationRequest, now: datetime) -> None:
    """REV-2: to the address of the application; the link stands in the mail alone."""
    application = application_queries.latest(certificate.id)
    if application is None:
        return
    secret = secrets.token_urlsafe(32)
    RevocationRequest.objects.filter(id=asked.id).update(digest=digest_of(secret))
    mails.send(
        certificate,
        application,
        "revocation-confirmation",
        {"company": str(application.company.get("name", "")), "until": now + rules.LINK_LIFE},
        message_of(asked.id),
        secrets={"confirm_link": f"{settings.get().base_url}/confirm/revocation-{secret}"},
    )


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def message_of(request_id: int) -> str:
    """The name of that mail for all times."""
    return f"revocation-confirmation:{request_id}"


def _release(asked: RevocationRequest, now: datetime) -> None:
    """Nobody has to be waited for any more."""
    RevocationRequest.objects.filter(id=asked.id, confirmed_at=None).update(confirmed_at=now)
    jobs.enqueue(SETTLE, subject=asked.certificate_id, dedupe_key=f"{SETTLE}:{asked.certificate_id}")


def confirm(principal: Principal, certificate_id: str, now: datetime) -> State:
    """Confirms on the console or by API instead of the mail's link; twice is no error.

    Raises:
        NotFound, Forbidden: as `request`. WrongState: no revocation waits for it.
    """
    certificate = certificate_queries.fetch(principal, REVOKE, certificate_id)
    with short_transaction():
        asked = open_request(certificate.id)
        if asked is None or state_of(certificate, now) not in BEING_REVOKED:
            raise WrongState(
                "No revocation of this certificate waits for a confirmation.",
                next_step="Open the certificate to see how it stands.",
            )
        confirm_open(principal, asked, now, by="account")
    return State(certificate.state)


def confirm_open(
    actor: audit.Actor, asked: RevocationRequest, now: datetime, *, by: str, source: str = ""
) -> None:
    """Marks it confirmed, in the caller's transaction. Twice writes nothing."""
    if asked.confirmed_at is not None:
        return
    _release(asked, now)
    audit.record(
        actor,
        CONFIRMED,
        resource=f"cert:{asked.certificate_id}",
        account_id=asked.account_id,
        details={"by": by, "source": source},
    )


def open_request(certificate_id: str) -> RevocationRequest | None:
    return RevocationRequest.objects.filter(certificate_id=certificate_id, outcome=Outcome.OPEN).first()


def revoke_now(
    certificate: Certificate, code: Code, words: str, now: datetime, *, who: str, proved: bool = False
) -> State:
    """Without a subscriber: from the host, a campaign, or because the key is known (REV-6). Own transaction.

    Args:
        code: that of a compromised key counts for a request that is open, too.
        proved: the key itself said that it is compromised: all keys of the certificate are blocked.

    Raises:
        WrongState, Conflict: as `request`, but for the month before the end and the confirmation.
    """
    principal = system_principal(certificate.account_id, who)
    with short_transaction():
        asked = open_request(certificate.id)
        if asked is None:
            followup.drop_rollover(certificate.id, now)
            certificates.move(
                certificate.id, Event.REVOKE, now, principal=principal, set={"auto_renewal": False}
            )
            asked = RevocationRequest.objects.create(
                certificate=certificate,
                account_id=certificate.account_id,
                requested_by=who,
                reason=rules.NUMBERS[code],
                words=words,
                proved=proved,
                made_at=now,
            )
        elif code is Code.KEY_COMPROMISE:
            said = RevocationRequest.objects.filter(id=asked.id)
            said.update(reason=rules.NUMBERS[code], proved=proved or asked.proved)
        confirm_open(principal, asked, now, by=who)
    return State.REVOKING


def end_version(version: Version, reason: int, now: datetime, *, many: bool = False) -> None:
    """One version revoked at its issuer and in the inventory, in the caller's transaction.

    At a CA outside a job does it, and the inventory says so once it is done there.

    Args:
        reason: CRLReason (RFC 5280 §5.3.1).
        many: as `Issuer.revoke`.
    """
    if outside_revoking.is_outside(version):
        outside_revoking.revoke_later(version, reason)
        return
    issuer = issuers.find(version.issuer.partition(":")[0])
    issuer.revoke(version.serial, reason, now, many=many)
    versions.note_revoked(version.id, now)


def distrust_key(version: Version, now: datetime) -> None:
    """REV-6: the key of the version is refused for ever, and whoever else has a certificate of it loses it.
    In the caller's transaction."""
    keystore.block(version.spki_sha256, f"compromise:{version.certificate_id}", now)
    jobs.enqueue(SPREAD, {"spki_sha256": version.spki_sha256}, subject=version.certificate_id)


def revoke_versions(
    principal: Principal, certificate: Certificate, upto: int, code: Code, now: datetime, *, why: str
) -> int:
    """Revokes what a later version has replaced; the certificate stays Issued. In the caller's transaction.

    Args:
        upto: the number of the last version to go; the current one stays.
        why: for the audit.

    Returns:
        How many versions were revoked; those that ended or were revoked before are passed over.
    """
    last = min(upto, certificate.current_version - 1)
    found = [one for one in versions.in_force(certificate.id, now) if one.number <= last]
    for version in found:
        end_version(version, rules.NUMBERS[code], now, many=True)
        audit.record(
            principal,
            "certificate.version_revoked",
            resource=f"cert:{certificate.id}",
            account_id=certificate.account_id,
            details={
                "version": version.number,
                "serial": version.serial,
                "reason": code.value,
                "why": why[:255],
            },
        )
    return len(found)


def reason_of(certificate_id: str) -> str:
    """Why it is or was asked to be revoked: the requester's words, else the name of the reason."""
    last = RevocationRequest.objects.filter(certificate_id=certificate_id).order_by("-id").first()
    if last is None:
        return ""
    return last.words or next(code.value for code, number in rules.NUMBERS.items() if number == last.reason)
