"""The policy evaluator: documents of Version "1.1" in, a decision out. Pure; Deny wins (IAM-3, IAM-4).

A policy that this file cannot apply to every row in SQL as well as in Python is refused when it is
saved (law 5); one that is found unreadable later denies everything.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from certdesk.foundation.common.errors import BadParameter

# The older name of an action and the present one mean the same (API §3.2).
ALIASES = {
    "scm:cert:purchase": "scm:cert:subscribe",
    "scm:cert:complete": "scm:cert:apply",
    "scm:cert:edit": "scm:cert:update",
}
_OLDER = {now: old for old, now in ALIASES.items()}
_PART = re.compile(r"[A-Za-z0-9_*-]+")
_SERVICE = re.compile(r"[a-z0-9*-]+")
ROW_KEYS = {"g:EnterpriseProjectId": "enterprise_project_id", "scm:Owner": "owner_id"}
PRINCIPAL_KEYS = {"g:UserId": "user_id", "g:UserName": "name"}
SOURCE_KEY = "g:SourceIp"
MAX_STATEMENTS, MAX_ACTIONS = 8, 100


class Effect(StrEnum):
    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Resource:
    """The thing an action is about; an empty `account_id` means the principal's own account."""

    type: str
    id: str = ""
    account_id: str = ""
    enterprise_project_id: str = "0"
    owner_id: str = ""


@dataclass(frozen=True, slots=True)
class ResourcePattern:
    """`service:region:account:type:path`; `path` is exact, a prefix, or empty for all."""

    service: str
    account: str
    type: str
    path: str
    is_prefix: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of one operator; `negated` for StringNotEquals and NotIpAddress."""

    key: str
    values: tuple[str, ...]
    negated: bool
    is_network: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    effect: Effect
    actions: tuple[str, ...]
    resources: tuple[ResourcePattern, ...] = ()
    conditions: tuple[Condition, ...] = ()
    matcher: re.Pattern[str] = field(default=re.compile(r"(?!)"), compare=False, repr=False)

    def names(self, action: str) -> bool:
        """Whether an action pattern covers `action` under any of its names."""
        return any(self.matcher.fullmatch(name) for name in action_names(action))


@dataclass(frozen=True, slots=True)
class PolicyGrant:
    """A policy as a user holds it, in all projects (empty) or in one (IAM-6)."""

    policy: str
    statements: tuple[Statement, ...]
    project: str = ""


@dataclass(frozen=True, slots=True)
class Asker:
    """What the evaluator needs to know of the principal."""

    account_id: str
    user_id: str = ""
    name: str = ""
    source: str = ""


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


@lru_cache(maxsize=2048)
def canonical(action: str) -> str:
    """The one name of an action: service as it is, the rest in lower case, aliases resolved."""
    service, _, rest = action.partition(":")
    lowered = f"{service}:{rest.lower()}"
    return ALIASES.get(lowered, lowered)


@lru_cache(maxsize=2048)
def action_names(action: str) -> tuple[str, ...]:
    """Every name that a pattern may use for this action."""
    name = canonical(action)
    older = _OLDER.get(name)
    return (name, older) if older else (name,)


# --- reading documents ---------------------------------------------------------------------------


def parse(document: object) -> tuple[Statement, ...]:
    """The statements of a policy document.

    Raises:
        BadParameter: the document is malformed, or has a part that could not be enforced everywhere.
    """
    if not isinstance(document, Mapping) or set(document) - {"Version", "Statement"}:
        raise _refused("A policy is an object with Version and Statement and nothing else.")
    if document.get("Version") != "1.1":
        raise _refused('Version must be "1.1".')
    statements = document.get("Statement")
    if not isinstance(statements, list) or not 1 <= len(statements) <= MAX_STATEMENTS:
        raise _refused(f"Statement must be a list of 1 to {MAX_STATEMENTS} statements.")
    return tuple(_statement(statement) for statement in statements)


def parse_stored(document: object) -> tuple[Statement, ...]:
    """Like `parse`, but an unreadable document denies everything: it may have held a Deny."""
    try:
        return parse(document)
    except BadParameter:
        return (_make(Effect.DENY, ("*:*:*",)),)


def allow(*actions: str) -> tuple[Statement, ...]:
    """One Allow statement over all resources, for the house's own principals."""
    return (_make(Effect.ALLOW, tuple(_action(action) for action in actions)),)


def _refused(sentence: str) -> BadParameter:
    return BadParameter(sentence, next_step="Correct the policy document and save it again.", field="policy")


def _statement(raw: object) -> Statement:
    if not isinstance(raw, Mapping) or set(raw) - {"Action", "Effect", "Resource", "Condition"}:
        raise _refused("A statement has Action, Effect and optionally Resource and Condition, nothing else.")
    effect = raw.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise _refused("Effect must be Allow or Deny.")
    actions = _texts(raw.get("Action"), "Action", MAX_ACTIONS)
    resources = _resources(raw["Resource"]) if "Resource" in raw else ()
    conditions = _conditions(raw["Condition"]) if "Condition" in raw else ()
    return _make(Effect(effect), tuple(_action(action) for action in actions), resources, conditions)


def _make(
    effect: Effect,
    actions: tuple[str, ...],
    resources: tuple[ResourcePattern, ...] = (),
    conditions: tuple[Condition, ...] = (),
) -> Statement:
    pattern = "|".join(re.escape(action).replace(r"\*", ".*") for action in actions)
    return Statement(effect, actions, resources, conditions, re.compile(pattern))


def _texts(raw: object, name: str, limit: int) -> list[str]:
    if not isinstance(raw, list) or not 1 <= len(raw) <= limit:
        raise _refused(f"{name} must be a list of 1 to {limit} strings.")
    if not all(isinstance(text, str) and 0 < len(text) <= 255 for text in raw):
        raise _refused(f"{name} must hold strings of 1 to 255 characters.")
    return list(raw)


def _action(text: str) -> str:
    """`service:type:operation`; `bss:*` and `*` are short for the whole service and everything."""
    parts = text.split(":")
    if parts[-1] == "*":
        parts += ["*"] * (3 - len(parts))
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise _refused(f"{text!r} is not an action of the form service:type:operation.")
    if not _SERVICE.fullmatch(parts[0]):
        raise _refused(f"The service of the action {text!r} must be in lower case.")
    return canonical(":".join(parts))


def _resources(raw: object) -> tuple[ResourcePattern, ...]:
    return tuple(_resource(text) for text in _texts(raw, "Resource", MAX_ACTIONS))


def _resource(text: str) -> ResourcePattern:
    parts = text.split(":", 4)
    if len(parts) != 5:
        raise _refused(f"{text!r} is not a resource of the form service:region:account:type:path.")
    service, region, account, kind, path = parts
    if region not in ("", "*", "global"):
        raise _refused(f"The region in {text!r} must be *: the service has no regions.")
    if any("*" in part and part != "*" for part in (service, account, kind)):
        raise _refused(f"In {text!r} only the path may have a * beside other characters.")
    if "*" in path.rstrip("*") or path.endswith("**") or not path:
        raise _refused(f"The path in {text!r} must be one id, or a beginning followed by one *.")
    plain = [("" if part == "*" else part) for part in (service, account, kind)]
    return ResourcePattern(
        plain[0], plain[1], plain[2].lower(), path.removesuffix("*"), is_prefix=path.endswith("*")
    )


_OPERATORS = {
    "StringEquals": (False, False),
    "StringNotEquals": (True, False),
    "IpAddress": (False, True),
    "NotIpAddress": (True, True),
}


def _conditions(raw: object) -> tuple[Condition, ...]:
    if not isinstance(raw, Mapping) or not raw:
        raise _refused("Condition must be an object of operators.")
    found: list[Condition] = []
    for operator, keys in raw.items():
        if operator not in _OPERATORS:
            raise _refused(f"The condition operator {operator!r} is not known: {', '.join(_OPERATORS)}.")
        if not isinstance(keys, Mapping) or not keys:
            raise _refused(f"{operator} must be an object of condition keys.")
        negated, is_network = _OPERATORS[operator]
        for key, values in keys.items():
            found.append(_condition(key, _texts(values, str(key), 50), negated, is_network))
    return tuple(found)


def _condition(key: Any, values: list[str], negated: bool, is_network: bool) -> Condition:
    known = {SOURCE_KEY} if is_network else {*ROW_KEYS, *PRINCIPAL_KEYS}
    if key not in known:
        raise _refused(f"The condition key {key!r} cannot be used here: {', '.join(sorted(known))}.")
    if is_network:
        for value in values:
            try:
                ip_network(value)
            except ValueError:
                raise _refused(f"{value!r} is not an IP address or network.") from None
    return Condition(key, tuple(values), negated, is_network)


# --- deciding ------------------------------------------------------------------------------------


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
    return all(_row_holds(condition, resource) for condition in statement.conditions if of_row(condition))


def of_row(condition: Condition) -> bool:
    return condition.key in ROW_KEYS


def _row_holds(condition: Condition, resource: Resource) -> bool:
    value = str(getattr(resource, ROW_KEYS[condition.key]))
    return (value in condition.values) is not condition.negated


def holds(condition: Condition, asker: Asker) -> bool:
    """Conditions that need no row."""
    if condition.is_network:
        return _from_networks(asker.source, condition)
    value = str(getattr(asker, PRINCIPAL_KEYS[condition.key]))
    return (value in condition.values) is not condition.negated


def _from_networks(source: str, condition: Condition) -> bool:
    try:
        address = ip_address(source)
    except ValueError:
        return condition.negated  # no address, so it is in no network
    inside = any(address in ip_network(value) for value in condition.values)
    return inside is not condition.negated


def _covers(pattern: ResourcePattern, service: str, resource: Resource, asker: Asker) -> bool:
    account = resource.account_id or asker.account_id
    return (
        pattern.service in ("", service)
        and pattern.account in ("", account)
        and pattern.type in ("", resource.type.lower())
        and (resource.id.startswith(pattern.path) if pattern.is_prefix else resource.id == pattern.path)
    )
