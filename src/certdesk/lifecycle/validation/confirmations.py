"""Mails to the domain's mailboxes (DOM-9): the first ones, and sending again within limits."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind, NotFound, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox import queries as outbox_queries
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.applications.purposes import is_proving
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate

from . import mails, proofs, queries, rules
from .models import Challenge, ConfirmationMail, NameProof

RIGHT = "scm:cert:verify"


def send_first(asker: mails.Asker, challenges: Sequence[Challenge], now: datetime) -> None:
    """One mail with a value of its own to each of the first mailboxes, in the caller's transaction."""
    for challenge in challenges:
        domain = challenge.authorization_domain
        places = rules.first_mailboxes(domain, queries.registrable(domain), len(challenges))
        for address in places:
            mails.send_confirmation(asker, challenge, address, now)


def resend(principal: Principal, certificate_id: str, domain: str, address: str, now: datetime) -> int:
    """Sends the mails of one name again, or the first time to an address not yet written to.

    A mail whose value is still good goes out again as it is; an older one gives way to a new one. By DNS and
    by file it is the applicant's copy of the records or files.

    Args:
        domain: a name of the application, or its authorisation domain.
        address: one of the domain's mailboxes; empty = all that were written to. By email alone.

    Returns:
        How many mails were queued.

    Raises:
        NotFound, Forbidden: from `certificates.fetch`.
        WrongState: nothing of this certificate waits for a mail.
        BadParameter: no such name, or an address that may not confirm it.
        CertdeskError: TOO_MANY with the seconds to wait.
    """
    certificate = certificates.fetch(principal, RIGHT, certificate_id)
    with short_transaction():
        application = _waiting(certificate)
        challenge = _challenge(application, domain)
        if application.domain_method == "EMAIL":
            sent = send_again(mails.asker_of(application), challenge, address, now)
        else:
            sent = _send_copy(application, address)
        audit.record(
            principal,
            RIGHT,
            resource=f"cert:{certificate.id}",
            account_id=certificate.account_id,
            details={"domain": challenge.authorization_domain, "mails": sent},
        )
    return sent


def send_again(asker: mails.Asker, challenge: Challenge, address: str, now: datetime) -> int:
    """Mails to one mailbox, or to all that were written to, within the limits; in the caller's transaction.

    Raises:
        BadParameter: an address that may not confirm the domain.
        CertdeskError: TOO_MANY with the seconds to wait.
    """
    chosen = _chosen(challenge, address)
    sent = sum(_send(asker, challenge, one, now) for one in chosen)
    if not sent:
        raise _too_many(challenge, chosen)
    return sent


def _waiting(certificate: Certificate) -> Application:
    open_one = applications.open_application(certificate.id)
    application = proofs.lock(open_one.id) if open_one else None
    if application is None or not is_proving(application.purpose, certificate.state):
        raise WrongState(
            "No domain name of this certificate waits for its verification.",
            next_step="Open the certificate to see its state and the method that was chosen.",
        )
    return application


def _challenge(application: Application, domain: str) -> Challenge:
    wanted = domain.strip().lower().removesuffix(".")
    proof = NameProof.objects.filter(application=application, name=wanted).select_related("challenge").first()
    challenge = (
        proof.challenge
        if proof
        else Challenge.objects.filter(application=application, authorization_domain=wanted).first()
    )
    if challenge is None:
        raise BadParameter(
            f"{domain[:80]!r} is not a name of the application that waits.",
            next_step="Give one of the names of the application.",
            field="domain",
        )
    if challenge.verified_at is not None:
        raise WrongState(
            f"{challenge.authorization_domain} is verified already.", next_step="Nothing needs to be sent."
        )
    return challenge


def _chosen(challenge: Challenge, address: str) -> list[str]:
    allowed = queries.mailboxes(challenge.authorization_domain)
    if address:
        wanted = address.strip().lower()
        if wanted not in allowed:
            raise BadParameter(
                f"The address {address[:80]!r} may not confirm {challenge.authorization_domain}.",
                next_step=f"Choose one of: {', '.join(allowed)}.",
                field="address",
            )
        return [wanted]
    before = set(challenge.mails.values_list("address", flat=True))
    return [one for one in allowed if one in before] or list(allowed[: len(rules.MAILBOXES)])


def _send(asker: mails.Asker, challenge: Challenge, address: str, now: datetime) -> bool:
    mail = queries.last_mail(challenge.id, address)
    if mail is None or rules.value_is_old(mail.made_at, now):
        return mails.send_confirmation(asker, challenge, address, now) is not None
    real = clock.real_now()
    if rules.resend_wait(mail.times_sent, mail.last_sent_at, real):
        return False
    outbox.send_again(mail.message_id)
    ConfirmationMail.objects.filter(id=mail.id).update(times_sent=mail.times_sent + 1, last_sent_at=real)
    return True


def _send_copy(application: Application, address: str) -> int:
    """The applicant's copy of the records (DOM-2) or files (DOM-8), as it was."""
    if address:
        raise BadParameter(
            "An address is chosen only when names are verified by email.",
            next_step="Leave it out: the applicant gets the copy.",
            field="address",
        )
    copy = outbox_queries.latest_of(application.certificate_id, mails.copies(application))
    if copy is None:
        raise WrongState(
            "No copy was mailed to anybody for this application.",
            next_step="Open the verification page: everything to set up stands there.",
        )
    real = clock.real_now()
    wait = rules.resend_wait(max(1, copy.tries), copy.last_try or real, real)
    if wait:
        raise _again_later(wait)
    outbox.send_again(copy.id)
    return 1


def _too_many(challenge: Challenge, addresses: Sequence[str]) -> CertdeskError:
    """The shortest of the waits: one mailbox that is free again is enough."""
    real = clock.real_now()
    found = [one for address in addresses if (one := queries.last_mail(challenge.id, address))]
    if not found:
        return NotFound(
            f"No mailbox of {challenge.authorization_domain} takes mail.", next_step="Choose DNS instead."
        )
    wait = min(rules.resend_wait(one.times_sent, one.last_sent_at, real) for one in found)
    return _again_later(wait)


def _again_later(wait: timedelta) -> CertdeskError:
    return CertdeskError(
        "The mail was sent again a short while ago.",
        next_step="Look into the spam folder; wait before you send it once more, or choose another address.",
        kind=Kind.TOO_MANY,
        retry_after=max(1, math.ceil(wait.total_seconds())),
    )
