"""The policy evaluator: documents of Version "1.1" in, a decision out. Pure; Deny wins (IAM-3, IAM-4).

A policy that this file cannot apply to every row in SQL as well as in Python is refused when it is
saved (law 5); one that is found unreadable later denies everything.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

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
SOURCE_KEY, TIME_KEY, MFA_KEY = "g:SourceIp", "g:CurrentTime", "g:MFAPresent"
MAX_STATEMENTS, MAX_ACTIONS = 8, 100
MAX_DOCUMENT = 6144  # characters, as compact JSON


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


class Test(StrEnum):
    """How a condition compares."""

    TEXT = "text"
    NETWORK = "network"
    BEFORE = "before"
    AFTER = "after"
    TRUE = "true"


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of one operator; `negated` for those that are true where the test is false: StringNotEquals,
    NotIpAddress, DateLessThanEquals (not after) and DateGreaterThanEquals (not before)."""

    key: str
    values: tuple[str, ...]
    negated: bool
    test: Test = Test.TEXT


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
    """What the evaluator needs to know of the principal and of the moment.

    Attributes:
        source: client address, text.
        at: real time, which no lab moves; a condition on time never holds without it.
        mfa: whether a second factor was shown at sign-in; access keys and tokens have none.
    """

    account_id: str
    user_id: str = ""
    name: str = ""
    source: str = ""
    at: datetime | None = None
    mfa: bool = False


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
        BadParameter: the document is malformed, or has a part that could not be enforced everywhere; it
            says where (`Statement[0].Action[1]`), what and why.
    """
    if not isinstance(document, Mapping) or set(document) - {"Version", "Statement"}:
        raise _refused("A policy is an object with Version and Statement and nothing else.")
    if document.get("Version") != "1.1":
        raise _refused('Version must be "1.1".')
    statements = document.get("Statement")
    if not isinstance(statements, list) or not 1 <= len(statements) <= MAX_STATEMENTS:
        raise _refused(f"Statement must be a list of 1 to {MAX_STATEMENTS} statements.")
    return tuple(_statement(raw, f"Statement[{index}]") for index, raw in enumerate(statements))


def parse_stored(document: object) -> tuple[Statement, ...]:
    """Like `parse`, but an unreadable document denies everything: it may have held a Deny."""
    try:
        return parse(document)
    except BadParameter:
        return (_make(Effect.DENY, ("*:*:*",)),)


def allow(*actions: str) -> tuple[Statement, ...]:
    """One Allow statement over all resources, for the house's own principals."""
    return (_make(Effect.ALLOW, tuple(_action(action) for action in actions)),)


def _refused(sentence: str, place: str = "") -> BadParameter:
    return BadParameter(
        f"{place}: {sentence}" if place else sentence,
        next_step="Correct the policy document and save it again.",
        field="policy",
    )


def _statement(raw: object, place: str) -> Statement:
    if not isinstance(raw, Mapping) or set(raw) - {"Action", "Effect", "Resource", "Condition"}:
        raise _refused(
            "A statement has Action, Effect and optionally Resource and Condition, nothing else.", place
        )
    effect = raw.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise _refused("Effect must be Allow or Deny.", f"{place}.Effect")
    actions = _each(raw.get("Action"), f"{place}.Action", _action)
    resources = _each(raw["Resource"], f"{place}.Resource", _resource) if "Resource" in raw else ()
    conditions = _conditions(raw["Condition"], f"{place}.Condition") if "Condition" in raw else ()
    return _make(Effect(effect), actions, resources, conditions)


Read = TypeVar("Read")


def _each(raw: object, place: str, read: Callable[[str, str], Read]) -> tuple[Read, ...]:
    texts = _texts(raw, place, MAX_ACTIONS)
    return tuple(read(text, f"{place}[{index}]") for index, text in enumerate(texts))


def _make(
    effect: Effect,
    actions: tuple[str, ...],
    resources: tuple[ResourcePattern, ...] = (),
    conditions: tuple[Condition, ...] = (),
) -> Statement:
    pattern = "|".join(re.escape(action).replace(r"\*", ".*") for action in actions)
    return Statement(effect, actions, resources, conditions, re.compile(pattern))


def _texts(raw: object, place: str, limit: int) -> list[str]:
    if not isinstance(raw, list) or not 1 <= len(raw) <= limit:
        raise _refused(f"A list of 1 to {limit} strings is needed.", place)
    if not all(isinstance(text, str) and 0 < len(text) <= 255 for text in raw):
        raise _refused("Each entry must be a string of 1 to 255 characters.", place)
    return list(raw)


def _action(text: str, place: str = "") -> str:
    """`service:type:operation`; `bss:*` and `*` are short for the whole service and everything."""
    parts = text.split(":")
    if parts[-1] == "*":
        parts += ["*"] * (3 - len(parts))
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise _refused(f"{text!r} is not an action of the form service:type:operation.", place)
    if not _SERVICE.fullmatch(parts[0]):
        raise _refused(f"The service of the action {text!r} must be in lower case.", place)
    return canonical(":".join(parts))


def check_action(text: str) -> None:
    """Raises: BadParameter: no whole action, e.g. one with a *."""
    if "*" in text:
        raise BadParameter(f"{text!r} is a pattern; name one action.", field="action")
    try:
        _action(text)
    except BadParameter as error:
        raise BadParameter(
            error.message, next_step="Use scm:cert:download, for example.", field="action"
        ) from None


def _resource(text: str, place: str) -> ResourcePattern:
    parts = text.split(":", 4)
    if len(parts) != 5:
        raise _refused(f"{text!r} is not a resource of the form service:region:account:type:path.", place)
    service, region, account, kind, path = parts
    if region not in ("", "*", "global"):
        raise _refused(f"The region in {text!r} must be *: the service has no regions.", place)
    if any("*" in part and part != "*" for part in (service, account, kind)):
        raise _refused(f"In {text!r} only the path may have a * beside other characters.", place)
    if "*" in path.rstrip("*") or path.endswith("**") or not path:
        raise _refused(f"The path in {text!r} must be one id, or a beginning followed by one *.", place)
    plain = [("" if part == "*" else part) for part in (service, account, kind)]
    return ResourcePattern(
        plain[0], plain[1], plain[2].lower(), path.removesuffix("*"), is_prefix=path.endswith("*")
    )


_OPERATORS = {
    "StringEquals": (False, Test.TEXT),
    "StringNotEquals": (True, Test.TEXT),
    "IpAddress": (False, Test.NETWORK),
    "NotIpAddress": (True, Test.NETWORK),
    "DateLessThan": (False, Test.BEFORE),
    "DateLessThanEquals": (True, Test.AFTER),
    "DateGreaterThan": (False, Test.AFTER),
    "DateGreaterThanEquals": (True, Test.BEFORE),
    "Bool": (False, Test.TRUE),
}
_KEYS: dict[Test, frozenset[str]] = {
    Test.TEXT: frozenset({*ROW_KEYS, *PRINCIPAL_KEYS}),
    Test.NETWORK: frozenset({SOURCE_KEY}),
    Test.BEFORE: frozenset({TIME_KEY}),
    Test.AFTER: frozenset({TIME_KEY}),
    Test.TRUE: frozenset({MFA_KEY}),
}


def _conditions(raw: object, place: str) -> tuple[Condition, ...]:
    if not isinstance(raw, Mapping) or not raw:
        raise _refused("Condition must be an object of operators.", place)
    found: list[Condition] = []
    for operator, keys in raw.items():
        if operator not in _OPERATORS:
            raise _refused(
                f"The condition operator {operator!r} is not known: {', '.join(_OPERATORS)}.", place
            )
        if not isinstance(keys, Mapping) or not keys:
            raise _refused(f"{operator} must be an object of condition keys.", f"{place}.{operator}")
        negated, test = _OPERATORS[operator]
        for key, values in keys.items():
            found.append(_condition(key, values, negated, test, f"{place}.{operator}"))
    return tuple(found)


def _condition(key: Any, raw: object, negated: bool, test: Test, place: str) -> Condition:
    if key not in _KEYS[test]:
        raise _refused(
            f"The condition key {key!r} cannot be used here: {', '.join(sorted(_KEYS[test]))}.", place
        )
    place = f"{place}.{key}"
    values = _texts(raw, place, 50)
    if test is Test.NETWORK and not all(map(_is_network, values)):
        raise _refused("Each entry must be an IP address or network, e.g. 192.0.2.0/24.", place)
    if test in (Test.BEFORE, Test.AFTER) and (len(values) != 1 or _moment(values[0]) is None):
        raise _refused("One moment in UTC is needed, e.g. 2026-11-30T12:00:00Z.", place)
    if test is Test.TRUE and values not in (["true"], ["false"]):
        raise _refused('["true"] or ["false"] is needed.', place)
    return Condition(key, tuple(values), negated, test)


def _is_network(value: str) -> bool:
    try:
        ip_network(value)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=256)
def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


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
    if condition.test is Test.NETWORK:
        return _from_networks(asker.source, condition)
    if condition.test is Test.TRUE:
        return (condition.values == ("true",)) is asker.mfa
    if condition.test is not Test.TEXT:
        return _in_time(condition, asker.at)
    value = str(getattr(asker, PRINCIPAL_KEYS[condition.key]))
    return (value in condition.values) is not condition.negated


def _in_time(condition: Condition, at: datetime | None) -> bool:
    limit = _moment(condition.values[0])
    if at is None or limit is None:
        return False
    passed = at < limit if condition.test is Test.BEFORE else at > limit
    return passed is not condition.negated


def is_timed(grants: Iterable[PolicyGrant]) -> bool:
    """Whether a decision by these grants may change by the hour, so that none may be kept."""
    return any(
        condition.key == TIME_KEY
        for grant in grants
        for statement in grant.statements
        for condition in statement.conditions
    )


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
