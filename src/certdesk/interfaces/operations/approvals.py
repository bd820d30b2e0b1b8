"""Requests that need other people, and the rules that say which do (API §10)."""

from django.db.models import QuerySet

from certdesk.foundation.approvals import actions, changing, persons, queries, registry, rules
from certdesk.foundation.approvals.models import Request, State
from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.common.errors import BadParameter, CertdeskError
from certdesk.foundation.iam import persons as iam_persons
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.interfaces.words.say import say

from . import approval_schemas as schemas
from . import paging
from .registry import operation
from .shapes import Shape
from .two_person_changes import lines_of

APPROVALS, RULES = "/v3/scm/approvals", "/v3/scm/approval-rules"
_ONE = f"{APPROVALS}/{{id}}"
SHOW_RULES = "scm:approval:listRules"


@operation("approvals.list", "GET", APPROVALS, queries.LIST, query=schemas.ApprovalQuery, everyone=True)
def listed(principal: Principal, query: schemas.ApprovalQuery) -> Shape:
    """Requests, newest first: one's own; with the right those of the account."""
    found = _whose(principal, query.whose)
    if query.state or query.status:
        found = found.filter(state__in=_states(query.state or query.status))
    if query.operation:
        found = found.filter(operation=query.operation) | found.filter(kind=query.operation)
    if query.marker:
        last = queries.visible(principal).filter(id=query.marker).first()
        if last is None:
            raise paging.unknown_marker()
        older = found.filter(created_at__lt=last.created_at)
        found = older | found.filter(created_at=last.created_at, id__lt=last.id)
    rows, more = paging.cut(found, query.limit)
    items = [shape(principal, one) for one in rows]
    return {"items": items, "next_marker": rows[-1].id if more else None}


def _whose(principal: Principal, whose: str) -> "QuerySet[Request]":
    if whose == "mine":
        return queries.visible(principal).filter(requester_id=principal.user_id)
    if whose == "decide":
        return queries.waiting_for(principal)
    if whose != "all":
        raise BadParameter(
            f"The filter whose={whose!r} is not known.", next_step="Use all, mine or decide.", field="whose"
        )
    return queries.visible(principal)


def _states(text: str) -> list[str]:
    wanted = [one for one in text.upper().split(",") if one]
    unknown = sorted(set(wanted) - set(State.values))
    if unknown:
        raise BadParameter(
            f"The state {unknown[0]!r} is not known.",
            next_step=f"Use: {', '.join(State.values)}.",
            field="state",
        )
    return wanted


@operation("approvals.show", "GET", _ONE, queries.LIST, everyone=True)
def show(principal: Principal, id: str) -> Shape:  # noqa: A002
    """One request, with what exactly would be done, and who decided."""
    found = queries.fetch(principal, id)
    return {**shape(principal, found), "request": found.payload}


@operation("approvals.decide", "POST", f"{_ONE}/decision", persons.DECIDE, request=schemas.ApprovalDecision)
def decide(principal: Principal, id: str, body: schemas.ApprovalDecision) -> Shape:  # noqa: A002
    """Approves or rejects; never what one asked for oneself. A rejection gives its reason."""
    if body.decision not in ("approve", "reject"):
        raise BadParameter(
            f"decision {body.decision!r} is not known.", next_step="Use approve or reject.", field="decision"
        )
    approve = body.decision == "approve"
    return shape(principal, actions.decide(principal, id, approve, body.reason, clock.now()))


@operation("approvals.cancel", "POST", f"{_ONE}/cancel", queries.LIST, everyone=True)
def cancel(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Takes back what one asked for oneself, as long as nothing was done."""
    return shape(principal, actions.cancel(principal, id, clock.now()))


def shape(principal: Principal, one: Request) -> Shape:
    decisions = list(one.decisions.order_by("id"))
    reason = why_not(principal, one)
    return {
        "id": one.id,
        "operation": one.operation,
        "kind": one.kind,
        "summary": say(one.summary),
        "target": {"type": one.target_type, "id": one.target_id},
        "request_hash": one.request_hash,
        "requester": one.requester_name,
        "requester_id": one.requester_id,
        "created_at": wire(one.created_at),
        "expires_at": wire(one.expires_at),
        "state": one.state,
        "approvals_needed": one.needed,
        "approvals_given": sum(each.approved for each in decisions),
        "decisions": [
            {
                "approver": each.person_name,
                "decision": "approve" if each.approved else "reject",
                "reason": each.reason,
                "at": wire(each.at),
            }
            for each in decisions
        ],
        "outcome": say(one.outcome),
        "fetch_until": wire(one.fetch_until),
        "ended_at": wire(one.ended_at),
        "may_decide": one.state == State.PENDING and not reason,
        "why_not": say(reason) if one.state == State.PENDING else "",
    }


def why_not(principal: Principal, one: Request) -> str:
    """Why the principal may not decide a waiting request, one sentence; empty when it may."""
    if one.state != State.PENDING:
        return f"The request is {one.state.lower()} already, so it cannot be decided."
    try:
        principal.require(persons.DECIDE, persons.resource(one))
        rules.check_approver(iam_persons.acting(principal), persons.asking_side(one), persons.approvers(one))
    except CertdeskError as refusal:
        return refusal.message
    return ""


@operation("approvals.rules", "GET", RULES, SHOW_RULES)
def show_rules(principal: Principal) -> Shape:
    """Every kind of operation that can need other people, and whether it does in this account."""
    principal.require(SHOW_RULES, Resource("approval", "", principal.account_id))
    return rules_shape(principal.account_id)


def rules_shape(account_id: str) -> Shape:
    held = {one.operation: one for one in queries.rules_of(account_id)}
    items = []
    for kind, covers in registry.kinds.items():
        line = held.get(kind, rules.RuleLine(kind))
        items.append(
            {
                "operation": kind,
                "description": say(covers),
                "required": kind in held,
                "approvals": line.approvals,
                "hours": line.hours,
            }
        )
    return {"items": items, "next_marker": None}


@operation("approvals.set_rules", "PUT", RULES, changing.SET, request=schemas.ApprovalRules)
def set_rules(principal: Principal, body: schemas.ApprovalRules) -> Shape:
    """Puts these rules in the place of all present ones; to weaken them, other people must approve."""
    changing.set_rules(principal, lines_of(body))
    return rules_shape(principal.account_id)
