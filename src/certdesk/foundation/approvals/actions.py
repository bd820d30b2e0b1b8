"""Ask, decide, expire. The request that runs is the one that was approved, by its hash."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import ids, sql
from certdesk.foundation.common.errors import Conflict, NotFound, WrongState
from certdesk.foundation.iam.principal import Principal, Resource, system_principal
from certdesk.foundation.jobs import actions as jobs

from . import rules
from .models import Request, Rule, State

DECIDE = "scm:approval:decide"


def needed(account_id: str, operation: str) -> bool:
    """Whether the account wants a second person for `operation`."""
    return Rule.objects.filter(account_id=account_id, operation=operation).exists()


def set_rule(principal: Principal, operation: str, required: bool) -> None:
    """Switches the second person for `operation` on or off in the principal's account."""
    account_id = principal.account_id
    with sql.short_transaction():
        if required:
            Rule.objects.get_or_create(account_id=account_id, operation=operation)
        else:
            Rule.objects.filter(account_id=account_id, operation=operation).delete()
        audit.record(
            principal, "scm:approval:updateRules", details={"operation": operation, "required": required}
        )


def ask(principal: Principal, operation: str, payload: Mapping[str, Any], now: datetime) -> Request:
    """Freezes a request until somebody else has decided it, at most 7 days of business time.

    Args:
        payload: JSON values, no secrets; what the executor of `operation` needs.
    """
    request = Request(
        id=ids.hex32(),
        account_id=principal.account_id,
        operation=operation,
        payload=dict(payload),
        request_hash=rules.frozen_hash(operation, payload),
        requester_id=principal.user_id,
        requester_key=principal.access_key,
        created_at=now,
        expires_at=now + rules.LIFE,
    )
    with sql.short_transaction():
        request.save(force_insert=True)
        _note(principal, "approval.asked", request)
    return request


def decide(principal: Principal, request_id: str, approve: bool, reason: str, now: datetime) -> Request:
    """Approves or rejects; of two decisions the first one holds. An approved request runs in a job.

    Raises:
        NotFound: no such request in the principal's account.
        Forbidden: no right to decide, or the principal asked for it.
        BadParameter: a rejection without a reason.
        WrongState: it is decided or expired already.
        Conflict: somebody else decided at the same moment.
    """
    request = Request.objects.filter(id=request_id, account_id=principal.account_id).first()
    if request is None:
        raise NotFound("There is no such request.", next_step="Open the list of requests again.")
    principal.require(DECIDE, Resource("approval", request.id, request.account_id))
    rules.check_other_person(
        rules.Person(request.requester_id, request.requester_key),
        rules.Person(principal.user_id, principal.access_key),
    )
    reason = rules.check_reason(approve, reason)
    _check_open(request, now)
    with sql.short_transaction():
        _decide(principal, request, State.APPROVED if approve else State.REJECTED, reason, now)
    return request


def _check_open(request: Request, now: datetime) -> None:
    if request.state == State.PENDING and rules.is_expired(request.expires_at, now):
        expire(now)
        request.state = State.EXPIRED
    if request.state != State.PENDING:
        raise WrongState(
            f"The request is {request.state.lower()} already, so it cannot be decided.",
            next_step="Ask for it again if it is still wanted.",
        )


def _decide(principal: Principal, request: Request, state: State, reason: str, now: datetime) -> None:
    request.state, request.reason = state, reason
    request.decided_by, request.decided_at = principal.user_id, now
    pending = Request.objects.filter(id=request.id, state=State.PENDING, expires_at__gt=now)
    if not pending.update(state=state, reason=reason, decided_by=principal.user_id, decided_at=now):
        raise Conflict(
            "Somebody else decided this request at the same moment.", next_step="Open the request again."
        )
    _note(principal, f"approval.{state.lower()}", request)
    if state is State.APPROVED:
        jobs.enqueue(
            "approvals.run",
            {"request_id": request.id, "account_id": request.account_id, "user_id": request.requester_id},
            dedupe_key=f"approval:{request.id}",
        )


def expire(now: datetime, limit: int = 100) -> int:
    """Closes up to `limit` requests that nobody decided in time; answers how many."""
    closed = 0
    with sql.short_transaction():
        for request in Request.objects.filter(state=State.PENDING, expires_at__lte=now)[:limit]:
            if Request.objects.filter(id=request.id, state=State.PENDING).update(state=State.EXPIRED):
                _note(system_principal(request.account_id), "approval.expired", request)
                closed += 1
    return closed


def close(principal: Principal, request: Request, state: State, outcome: str) -> None:
    """Ends an approved request as DONE or FAILED; called by the job that ran it."""
    approved = Request.objects.filter(id=request.id, state=State.APPROVED)
    if approved.update(state=state, outcome=outcome):
        _note(principal, f"approval.{state.lower()}", request)


def _note(principal: Principal, event: str, request: Request) -> None:
    audit.record(
        principal,
        event,
        resource=f"approval:{request.id}",
        details={"operation": request.operation, "request_hash": request.request_hash},
        account_id=request.account_id,
    )
