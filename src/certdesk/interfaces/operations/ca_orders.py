"""Orders at CAs outside: how one stands, and what an officer brings from a CA without an interface."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates import queries as certificate_queries
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import BEING_REVOKED, State
from certdesk.lifecycle.issuance import by_hand, outside_info
from certdesk.lifecycle.issuance.advice import AdviceInfo
from certdesk.lifecycle.issuance.outside_info import OrderInfo

from .registry import operation
from .schemas import CaAnswer
from .shapes import Shape

NEXT = {
    "you": ("domain owner", "Set up what the CA wants to see; it is looked at every few minutes."),
    "officer": ("RA officer", "An officer takes the CSR to the CA and uploads what it sends."),
    "revokes": ("RA officer", "An officer revokes it at the CA and notes here that it is done."),
}
ANSWER = "/v3/scm/certificates/{certificate_id}/ca-answer"


def of(found: Certificate) -> Shape:
    """The field `ca_order` of a certificate; nothing where it was never ordered outside."""
    info = outside_info.order_info(found)
    if info is None:
        return {}
    order = {
        "issuer": info.issuer,
        "title": info.title,
        "number": info.number,
        "state": info.state,
        "words": info.words,
        "problem": say(info.problem),
        "next_step": say(info.next_step),
        "asked_at": wire(info.asked_at),
        "next_at": wire(info.next_at),
        "who": info.who,
        "tasks": [
            {
                "name": one.name,
                "method": one.method,
                "where": one.where,
                "record_type": one.record_type,
                "value": one.value,
                "by": one.by,
                "seen": one.ready,
                "done": one.done,
                "words": one.words,
            }
            for one in info.tasks
        ],
        "reasons": [
            {"issuer": title, "taken": taken, "reason": say(why)} for title, taken, why in info.reasons
        ],
        "advice": _advice(info.advice),
    }
    return {"ca_order": order, **_next(found, info)}


def _advice(told: AdviceInfo | None) -> Shape | None:
    """When the CA wants the current version replaced (ARI); null where it was not asked."""
    if told is None:
        return None
    return {
        "start": wire(told.start),
        "end": wire(told.end),
        "hurried": told.hurried,
        "explanation": told.page,
        "problem": say(told.problem),
        "asked_at": wire(told.asked_at),
        "next_at": wire(told.next_at),
    }


def _next(found: Certificate, info: OrderInfo) -> Shape:
    """Who acts next, where it is not the CA."""
    key = info.who if found.state == State.ISSUING else ""
    if found.state in BEING_REVOKED and info.revokes:
        key = "revokes"
    if key not in NEXT:
        return {}
    actor, step = NEXT[key]
    return {"next_actor": actor, "next_step": say(step)}


@operation("certificates.ca_answer", "POST", ANSWER, by_hand.RIGHT, request=CaAnswer)
def answer(principal: Principal, certificate_id: str, body: CaAnswer) -> Shape:
    """An officer brings what a CA without an interface answered: a certificate, a no, or a revocation."""
    now = clock.now()
    certificate_queries.fetch(principal, by_hand.RIGHT, certificate_id)  # the right goes first
    given = [bool(body.certificate.strip()), bool(body.refusal.strip()), body.revoked]
    if sum(given) != 1:
        raise BadParameter(
            "Exactly one of certificate, refusal and revoked is given.",
            next_step="Send one of them.",
            field="certificate",
        )
    if body.revoked:
        state = by_hand.note_revoked(principal, certificate_id, now)
    elif body.refusal.strip():
        state = by_hand.refuse(principal, certificate_id, body.refusal)
    else:
        state = by_hand.bring(principal, certificate_id, body.certificate, now)
    return {"certificate_id": certificate_id, "status": state.value}
