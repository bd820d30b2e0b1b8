"""Who is written to about requests: those who may decide, and at the end the one who asked."""

from collections.abc import Mapping

import structlog
from django.utils.translation import override

from certdesk.foundation.approvals import persons, queries, rules
from certdesk.foundation.approvals.models import Request, State
from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import BadParameter, CertdeskError
from certdesk.foundation.iam import persons as iam_persons
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.person_rules import Person
from certdesk.foundation.outbox import actions as outbox
from certdesk.interfaces.words.say import say

MOST = 50  # people who are written to about one request
log = structlog.get_logger(__name__)
ENDS: Mapping[State, str] = {
    State.READY: "It is approved. Fetch it once within 24 hours.",
    State.DONE: "It is approved and done.",
    State.REJECTED: "It was rejected.",
    State.CANCELLED: "It was taken back.",
    State.VOID: "It does not hold any more: what it is about has changed.",
    State.EXPIRED: "Its time is over.",
    State.FAILED: "It was approved, but could not be done.",
}


def link(request: Request) -> str:
    return f"{settings.get().base_url}/approvals/{request.id}"


def tell_deciders(request: Request) -> int:
    """Mails everybody who may decide and did not ask; answers how many."""
    side = persons.asking_side(request)
    told = 0
    for user in queries.deciders(request.account_id, request):
        if user.email and told < MOST and _may(user, side):
            _send(request, "approval-asked", user, {"until": request.expires_at})
            told += 1
    return told


def _may(user: User, side: list[Person]) -> bool:
    try:
        rules.check_approver(iam_persons.person(user.id), side, [])
    except CertdeskError:
        return False
    return True


def tell_requester(request: Request) -> None:
    """Mails the one who asked what became of it; who took it back himself knows."""
    user = User.objects.filter(id=request.requester_id, is_active=True).exclude(email="").first()
    end = ENDS.get(State(request.state))
    if user is None or end is None or request.state == State.CANCELLED or request.fetched:
        return
    with override(user.language):
        why = request.reason if request.state == State.REJECTED else request.outcome
        reason = say(why) if why and why != end else ""
        _send(request, "approval-ended", user, {"end": say(end), "reason": reason})


def _send(request: Request, template: str, user: User, more: Mapping[str, object]) -> None:
    """A message never stops the others: an address that cannot be used is noted in the log."""
    with override(user.language):
        summary = say(request.summary)
    try:
        outbox.send(
            request.account_id,
            template,
            user.email,
            {"summary": summary, "requester": request.requester_name, "link": link(request), **more},
            certificate_id=request.target_id if request.target_type == "cert" else "",
            locale=user.language,
            dedupe_key=f"{template}:{request.id}:{request.state}:{user.id}",
        )
    except BadParameter as refused:
        log.warning("message not sent", approval=request.id, reason=refused.message)
