"""Answers about requests that need other people, and about the rules."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from .common import Marker, Moment


class ApprovalWaiting(TypedDict):
    """202: the operation waits for other people; this is its request."""

    approval_id: str


class ApprovalTarget(TypedDict):
    type: str
    id: str


class ApprovalDecisionMade(TypedDict):
    approver: str
    decision: Annotated[str, Field(json_schema_extra={"enum": ["approve", "reject"]})]
    reason: str
    at: Moment


class ApprovalInfo(TypedDict):
    id: str
    operation: str
    kind: str
    summary: str
    target: ApprovalTarget
    request_hash: str
    requester: str
    requester_id: str
    created_at: Moment
    expires_at: Moment
    state: str
    approvals_needed: int
    approvals_given: int
    decisions: list[ApprovalDecisionMade]
    outcome: str
    fetch_until: Moment
    ended_at: Moment
    may_decide: bool
    why_not: str


class ApprovalShown(ApprovalInfo):
    """With path parameters, query and body as they are frozen."""

    request: dict[str, Any]


class ApprovalPage(TypedDict):
    items: list[ApprovalInfo]
    next_marker: Marker


class ApprovalRuleInfo(TypedDict):
    operation: str
    description: str
    required: bool
    approvals: int
    hours: int


class ApprovalRuleList(TypedDict):
    items: list[ApprovalRuleInfo]
    next_marker: Marker


ANSWERS: dict[str, object] = {
    "approvals.list": ApprovalPage,
    "approvals.show": ApprovalShown,
    "approvals.decide": ApprovalInfo,
    "approvals.cancel": ApprovalInfo,
    "approvals.rules": ApprovalRuleList,
    "approvals.set_rules": ApprovalRuleList,
}
