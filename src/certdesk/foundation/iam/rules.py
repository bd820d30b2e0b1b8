"""The policy evaluator: what policies say of an action on a thing. Pure; Deny wins (IAM-4).

How documents are read stands in `documents`, how conditions compare in `conditions`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .conditions import OWNER_KEY, TIME_KEY, Condition, holds, holds_for_row, of_row
from .documents import (
    ALIASES,
    MAX_DOCUMENT,
    Effect,
    ResourcePattern,
    Statement,
    allow,
    check_action,
    parse,
    parse_stored,
)
from .subjects import Asker, Resource

__all__ = [
    "ALIASES",
    "MAX_DOCUMENT",
    "Asker",
    "Condition",
    "Decision",
    "Effect",
    "Match",
    "PolicyGrant",
    "Resource",
    "ResourcePattern",
    "Statement",
    "allow",
    "check_action",
    "decide",
    "holds",
    "of_row",
    "parse",
    "parse_stored",
]


@dataclass(frozen=True, slots=True)
class PolicyGrant:
    """A policy as a user holds it, in all projects (empty) or in one (IAM-6)."""

    policy: str
    statements: tuple[Statement, ...]
    project: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    policy: str
    statement: int
    effect: Effect


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer with its reasons; true when allowed."""

    allowed: bool
    action: str
    matched: tuple[Match, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed

    @property
    def denied_by(self) -> str:
        """Name of the policy whose Deny decided; empty when it was only not allowed."""
        return next((match.policy for match in self.matched if match.effect is Effect.DENY), "")


def decide(
    grants: Iterable[PolicyGrant],
    action: str,
    resource: Resource | None = None,
    asker: Asker | None = None,
) -> Decision:
    """Whether the grants allow `action` on `resource`; default deny, Deny wins.

    `resource=None` asks "on anything at all?": an Allow that is limited to some resources counts, a
    Deny that is limited to some does not. Rows are then filtered by `predicate`, or checked one by one.
    """
    return decide_among(relevant(grants, action), action, resource, asker or Asker(""))


Relevant = tuple[tuple[PolicyGrant, int, Statement], ...]


def relevant(grants: Iterable[PolicyGrant], action: str) -> Relevant:
    """The statements that name `action`, with their grants; the part of a decision that can be kept."""
    return tuple(
        (grant, index, statement)
        for grant in grants
        for index, statement in enumerate(grant.statements)
        if statement.names(action)
    )


def decide_among(named: Relevant, action: str, resource: Resource | None, asker: Asker) -> Decision:
    """As `decide`, with the relevant statements in hand."""
    matched = tuple(
        Match(grant.policy, index, statement.effect)
        for grant, index, statement in named
        if _applies(grant, statement, action, resource, asker)
    )
    allowed = bool(matched) and all(match.effect is Effect.ALLOW for match in matched)
    return Decision(allowed, action, matched)


def _applies(
    grant: PolicyGrant, statement: Statement, action: str, resource: Resource | None, asker: Asker
) -> bool:
    if not all(holds(condition, asker) for condition in statement.conditions if not of_row(condition)):
        return False
    service = action.partition(":")[0]
    if resource is None:
        limited = bool(
            grant.project or statement.resources or any(of_row(one) for one in statement.conditions)
        )
        return statement.effect is Effect.ALLOW or not limited
    if grant.project and grant.project != resource.enterprise_project_id:
        return False
    if statement.resources and not any(
        _covers(pattern, service, resource, asker) for pattern in statement.resources
    ):
        return False
    to_allow = statement.effect is Effect.ALLOW
    return all(
        holds_for_row(condition, resource, to_allow=to_allow)
        for condition in statement.conditions
        if of_row(condition)
    )


def is_timed(grants: Iterable[PolicyGrant]) -> bool:
    """Whether a decision by these grants may change by the hour, so that none may be kept."""
    return any(
        condition.key == TIME_KEY
        for grant in grants
        for statement in grant.statements
        for condition in statement.conditions
    )


def is_owner_bound(grants: Iterable[PolicyGrant]) -> bool:
    """Whether some right depends on who owns a thing: then nobody makes himself its owner."""
    return any(
        condition.key == OWNER_KEY
        for grant in grants
        for statement in grant.statements
        for condition in statement.conditions
    )


def _covers(pattern: ResourcePattern, service: str, resource: Resource, asker: Asker) -> bool:
    account = resource.account_id or asker.account_id
    return (
        pattern.service in ("", service)
        and pattern.account in ("", account)
        and pattern.type in ("", resource.type.lower())
        and (resource.id.startswith(pattern.path) if pattern.is_prefix else resource.id == pattern.path)
    )
