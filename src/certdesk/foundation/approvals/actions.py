"""Ask, decide, cancel, hand out, expire. What runs is what was approved, by its hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import ids, sql
from certdesk.foundation.common.errors import CertdeskError, Conflict, WrongState
from certdesk.foundation.iam import persons as iam_persons
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs import actions as jobs

from . import persons, queries, registry, rules
from .errors import Changed
from .models import Decision, Request, State
from .persons import DECIDE
from .rules import RuleLine, Target

ASKED, ENDED = "approval.asked", "approval.ended"
"""Topics: a request waits for people; a request came to its end, or can be fetched."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An operation as somebody wants it: JSON values, no secrets, with what it is about."""

    kind: str
    operation: str
    payload: Mapping[str, Any]
    target: Target

    def hash(self, account_id: str) -> str:
        return rules.frozen_hash(account_id, self.operation, self.payload, self.target)


def ask(principal: Principal, wanted: Wanted, rule: RuleLine, now: datetime) -> Request:
    """Freezes what is wanted until other people have decided; asked twice, it is one request.

    Raises:
        Forbidden: an assumed role asks.
    """
    rules.check_asker(principal.agency)
    with sql.short_transaction():
        waiting = queries.open_request(principal, wanted.hash(principal.account_id), State.PENDING, now)
        if waiting is not None:
            return waiting
        request = _new(principal, wanted, rule, now)
        request.save(force_insert=True)
        _note(principal, ASKED, request)
        jobs.emit(ASKED, request.id)
    return request


def _new(principal: Principal, wanted: Wanted, rule: RuleLine, now: datetime) -> Request:
    return Request(
        id=ids.hex32(),
        account_id=principal.account_id,
        operation=wanted.operation,
        kind=wanted.kind,
        payload=dict(wanted.payload),
        summary=wanted.target.summary,
        target_type=wanted.target.type,
        target_id=wanted.target.id,
        target_version=wanted.target.version,
        request_hash=wanted.hash(principal.account_id),
        requester_id=principal.user_id,
        requester_name=principal.name[:64],
        requester_key=principal.access_key,
        requester_source=principal.source[:45],
        requester_mfa=principal.mfa,
        needed=rule.approvals,
        created_at=now,
        expires_at=now + timedelta(hours=rule.hours),
    )


def decide(principal: Principal, request_id: str, approve: bool, reason: str, now: datetime) -> Request:
    """Approves or rejects. The last approval that is needed starts the job that does it; one rejection ends
    it.

    Raises:
        NotFound: no such request for the principal.
        Forbidden: no right to decide, or the principal asked for it, by whatever path.
        Conflict: the principal has approved it already.
        BadParameter: a rejection without a reason.
        WrongState: it is over; `Changed` says that its target is not as it was, which ends it.
    """
    request = queries.fetch(principal, request_id)
    principal.require(DECIDE, persons.resource(request))
    reason = rules.check_reason(approve, reason)
    person, side = iam_persons.acting(principal), persons.asking_side(request)
    rules.check_approver(person, side, persons.approvers(request))
    changed = whats_changed(request) if approve and request.state == State.PENDING else ""
    with sql.short_transaction():
        request = _locked(request.id)
        late = _lapse(request, now)
        if not late and request.state == State.PENDING and not changed:
            rules.check_approver(person, side, persons.approvers(request))
            _decide(principal, request, approve, reason, now)
            return request
        if not late and request.state == State.PENDING:
            finish(principal, request, State.VOID, now, changed)
            raised: CertdeskError = Changed(changed)
        else:
            raised = _over(request)
    raise raised


def whats_changed(request: Request) -> str:
    """Why what was asked cannot be done any more to what it was asked for; empty when all is as it was."""
    try:
        target = registry.find(request.operation).target(request, persons.requester(request))
    except CertdeskError as refusal:
        return str(refusal)
    if rules.frozen_hash(request.account_id, request.operation, request.payload, target) == (
        request.request_hash
    ):
        return ""
    return "What it is about has changed since it was asked for."


def _locked(request_id: str) -> Request:
    """One decision of a request at a time; SQLite's writer holds the lock already."""
    return Request.objects.select_for_update().get(id=request_id)


def _lapse(request: Request, now: datetime) -> bool:
    """Ends a request whose time is over; whether it did."""
    until = request.fetch_until if request.state == State.READY else request.expires_at
    if request.state not in (State.PENDING, State.READY) or until is None or not rules.is_over(until, now):
        return False
    finish(system_principal(request.account_id), request, State.EXPIRED, now)
    return True


def _over(request: Request) -> CertdeskError:
    return WrongState(
        f"The request is {request.state.lower()} already, so it cannot be decided.",
        next_step="Ask for it again if it is still wanted.",
    )


def _decide(principal: Principal, request: Request, approve: bool, reason: str, now: datetime) -> None:
    Decision.objects.create(
        request=request,
        person_id=principal.user_id,
        person_name=principal.name[:64],
        person_key=principal.access_key,
        person_source=principal.source[:45],
        person_mfa=principal.mfa,
        approved=approve,
        reason=reason,
        at=now,
    )
    request.decided_by, request.decided_at, request.reason = principal.user_id, now, reason
    request.save(update_fields=["decided_by", "decided_at", "reason"])
    _note(principal, "approval.approved" if approve else "approval.rejected", request)
    if not approve:
        finish(principal, request, State.REJECTED, now, quiet=True)
    elif request.decisions.filter(approved=True).count() >= request.needed:
        request.state = State.APPROVED
        request.save(update_fields=["state"])
        jobs.enqueue(
            "approvals.run",
            {"request_id": request.id, "account_id": request.account_id, "user_id": request.requester_id},
            subject=request.target_id,
            dedupe_key=f"approval:{request.id}",
        )


def cancel(principal: Principal, request_id: str, now: datetime) -> Request:
    """The one who asked takes it back, as long as nothing was done.

    Raises:
        NotFound: no such request of the principal's own. WrongState: it is decided or over.
    """
    request = queries.fetch_own(principal, request_id)
    with sql.short_transaction():
        request = _locked(request.id)
        open_ = not _lapse(request, now) and request.state in (State.PENDING, State.READY)
        if open_:
            finish(principal, request, State.CANCELLED, now)
    if not open_:
        raise WrongState(
            f"The request is {request.state.lower()} already, so it cannot be taken back.",
            next_step="Open the list of requests again.",
        )
    return request


def finish(
    principal: Principal,
    request: Request,
    state: State,
    now: datetime,
    outcome: str = "",
    *,
    quiet: bool = False,
) -> None:
    """Ends an open request, in the caller's transaction; the state that it has in hand decides who wins.

    Args:
        quiet: the caller has written the audit row.
    """
    held = Request.objects.filter(id=request.id, state=request.state)
    ended = None if state is State.READY else now
    fetch = now + rules.FETCH if state is State.READY else request.fetch_until
    if not held.update(state=state, outcome=outcome, ended_at=ended, fetch_until=fetch):
        raise Conflict(
            "Somebody else decided this request at the same moment.", next_step="Open the request again."
        )
    request.state, request.outcome, request.ended_at, request.fetch_until = state, outcome, ended, fetch
    if not quiet:
        _note(principal, f"approval.{state.lower()}", request)
    jobs.emit(ENDED, request.id)


def hand_out(principal: Principal, request: Request, now: datetime) -> None:
    """The requester fetches what was approved, once; in the transaction that gives it.

    Raises:
        Conflict: it was fetched at the same moment. Forbidden: an approval does not hold any more.
    """
    persons.check_approvals(request)
    finish(principal, request, State.DONE, now, "It was fetched.")


def expire(now: datetime, limit: int = 100) -> int:
    """Closes up to `limit` requests that nobody decided or fetched in time; answers how many."""
    closed = 0
    for request_id in queries.lapsed(now, limit):
        with sql.short_transaction():
            closed += _lapse(_locked(request_id), now)
    return closed


def _note(principal: Principal, event: str, request: Request) -> None:
    audit.record(
        principal,
        event,
        resource=f"approval:{request.id}",
        details={
            "operation": request.operation,
            "target": f"{request.target_type}:{request.target_id}",
            "request_hash": request.request_hash,
            "requester": request.requester_id,
            "deciders": list(request.decisions.order_by("id").values_list("person_id", flat=True)),
        },
        account_id=request.account_id,
    )
