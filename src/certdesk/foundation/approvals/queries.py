"""Reads of approval requests and rules."""

from datetime import datetime

from django.db.models import Q, QuerySet

from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.iam import finding, snapshot
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal, Resource, Via

from .models import Request, Rule, State
from .persons import DECIDE, resource
from .rules import RuleLine

LIST = "scm:approval:list"
COUNT_UP_TO = 100


def rules_of(account_id: str) -> list[RuleLine]:
    """The rules of an account, by kind of operation."""
    found = Rule.objects.filter(account_id=account_id).order_by("operation")
    return [RuleLine(one.operation, one.approvals, one.hours) for one in found]


def rule_of(account_id: str, kind: str) -> RuleLine | None:
    """The rule for one kind of operation; None when no other person is needed."""
    one = Rule.objects.filter(account_id=account_id, operation=kind).first()
    return RuleLine(one.operation, one.approvals, one.hours) if one else None


def visible(principal: Principal) -> "QuerySet[Request]":
    """Newest first: one's own requests, and with the right those of the account."""
    mine = Q(requester_id=principal.user_id)
    rows = Request.objects.filter(account_id=principal.account_id)
    listed = finding.visible(rows, principal, LIST, "approval")
    decided = finding.visible(rows, principal, DECIDE, "approval")
    allowed = mine | Q(id__in=listed.values("id")) | Q(id__in=decided.values("id"))
    return rows.filter(allowed).order_by("-created_at", "-id")


def fetch(principal: Principal, request_id: str) -> Request:
    """Raises:
    NotFound: no such request that the principal may see.
    """
    found = visible(principal).filter(id=request_id).first()
    if found is None:
        raise _missing(request_id)
    return found


def fetch_own(principal: Principal, request_id: str) -> Request:
    """Raises:
    NotFound: the principal asked for no such thing.
    """
    found = Request.objects.filter(
        id=request_id, account_id=principal.account_id, requester_id=principal.user_id
    ).first()
    if found is None or not principal.user_id:
        raise _missing(request_id)
    return found


def _missing(request_id: str) -> NotFound:
    return NotFound("There is no such request.", next_step="Open the list of requests again.")


def open_request(principal: Principal, request_hash: str, state: State, now: datetime) -> Request | None:
    """The principal's own request for exactly this, if it still holds."""
    time = {"fetch_until__gt": now} if state is State.READY else {"expires_at__gt": now}
    found = Request.objects.filter(
        account_id=principal.account_id,
        requester_id=principal.user_id,
        request_hash=request_hash,
        state=state,
        **time,
    )
    return found.order_by("-created_at", "-id").first()


def about(account_id: str, target_type: str, target_id: str) -> "QuerySet[Request]":
    """What waits about one thing, oldest first."""
    return Request.objects.filter(
        account_id=account_id,
        target_type=target_type,
        target_id=target_id,
        state__in=[State.PENDING, State.APPROVED, State.READY],
    ).order_by("created_at", "id")


def waiting_for(principal: Principal) -> "QuerySet[Request]":
    """Open requests of others that the principal has said nothing about; it may still be no other person."""
    if not principal.user_id or not principal.may(DECIDE):
        return Request.objects.none()
    found = visible(principal).filter(state=State.PENDING).exclude(requester_id=principal.user_id)
    return found.exclude(decisions__person_id=principal.user_id)


def waiting_count(principal: Principal) -> int:
    """How many wait for the principal, counted up to `COUNT_UP_TO`."""
    return len(waiting_for(principal).values_list("id", flat=True)[:COUNT_UP_TO])


def lapsed(now: datetime, limit: int) -> list[str]:
    """Requests whose time is over."""
    late = Q(state=State.PENDING, expires_at__lte=now) | Q(state=State.READY, fetch_until__lte=now)
    return list(Request.objects.filter(late).order_by("expires_at").values_list("id", flat=True)[:limit])


def deciders(account_id: str, request: Request | None = None) -> list[User]:
    """Active users who may decide a request of the account, by name."""
    held = snapshot.take(account_id)
    about_it = resource(request) if request else Resource("approval", "", account_id)
    found = User.objects.filter(account_id=account_id, is_active=True).order_by("name")
    return [
        user
        for user in found
        if Principal(account_id, user.id, user.name, Via.JOB, grants=held.of_user(user.id)).may(
            DECIDE, about_it
        )
    ]
