"""Unsubscribing: asked for, reviewed by a job within seconds, refunded, gone (§5.2)."""

from datetime import datetime

import orjson

from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import endings, rules, versions
from certdesk.lifecycle.certificates import queries as certificate_queries
from certdesk.lifecycle.certificates.errors import StateChanged, UnderReview
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import Event, State, Via

from . import refunds
from .refunds import REFUND, Refunded

REVIEW = "orders.review_unsubscription"
INTERRUPTED = "The review of the unsubscription ended because another operation was asked for."
_ASKED = "certificate.unsubscribe"


def unsubscribe(principal: Principal, certificate_id: str, now: datetime) -> None:
    """Asks for the refund; a second time during the review changes nothing (UNS-1, UNS-2, UNS-6).

    Raises:
        NoCertificate, Forbidden: as `queries.fetch`.
        WrongState: state, age or origin do not allow it.
        StateChanged: another request was quicker.
    """
    certificate = certificate_queries.fetch(principal, REFUND, certificate_id)
    if certificate.state == State.UNSUBSCRIBING:
        return
    endings.check_unsubscribable(certificate, rules.state_of(certificate, now), now)
    with sql.short_transaction():
        certificates.move(certificate.id, Event.UNSUBSCRIBE, now, principal=principal)
        jobs.enqueue(
            REVIEW,
            {"user_id": principal.user_id, "account_id": certificate.account_id},
            subject=certificate.id,
            dedupe_key=f"{REVIEW}:{certificate.id}",
        )


def approve(principal: Principal, certificate_id: str, now: datetime) -> Refunded:
    """Money back, key destroyed, off the list; in the caller's transaction (UNS-3, UNS-5, UNS-7).

    Raises:
        NotFound, Forbidden: as `refunds.refund`.
        StateChanged: the review has ended meanwhile.
    """
    done = refunds.refund(principal, certificate_id, now)
    certificates.move(certificate_id, Event.UNSUBSCRIPTION_APPROVED, now, principal=principal)
    versions.destroy_keys(certificate_id)
    return done


def end_review(principal: Principal, certificate_id: str, now: datetime, why: str) -> bool:
    """Back to the former state with the reason; False when no review is under way any more (UNS-5)."""
    certificate = Certificate.objects.filter(id=certificate_id, state=State.UNSUBSCRIBING).first()
    if certificate is None:
        return False
    try:
        certificates.move(
            certificate_id,
            Event.UNSUBSCRIPTION_REFUSED,
            now,
            via=_former(certificate),
            principal=principal,
            note=why,
        )
    except StateChanged:
        return False
    return True


def interrupt(principal: Principal, refused: UnderReview) -> None:
    """Ends the review that an operation has met; for the faces, outside the operation's transaction."""
    end_review(principal, refused.certificate_id, clock.now(), INTERRUPTED)


def _former(certificate: Certificate) -> Via:
    """Where it was when the review began, by the audit row of that move."""
    asked = certificate_queries.events(certificate).filter(action=_ASKED).first()
    came_from = orjson.loads(asked.details or "{}").get("from") if asked else State.PAID.value
    return Via.FROM_REVOKED if came_from == State.REVOKED.value else Via.FROM_PAID
