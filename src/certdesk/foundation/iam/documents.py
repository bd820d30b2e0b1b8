"""Policy documents of Version "1.1" (IAM-3): their words, and how they are read. Pure.

A policy that could not be applied to every row in SQL as well as in Python is refused when it is saved
(law 5); one that is found unreadable later denies everything.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from certdesk.foundation.common.errors import BadParameter

from . import conditions
from .conditions import Condition, refused, texts

# The older name of an action and the present one mean the same (API §3.2).
ALIASES = {
    "scm:cert:purchase": "scm:cert:subscribe",
    "scm:cert:complete": "scm:cert:apply",
    "scm:cert:edit": "scm:cert:update",
}
_OLDER = {now: old for old, now in ALIASES.items()}
_PART = re.compile(r"[A-Za-z0-9_*-]+")
_SERVICE = re.compile(r"[a-z0-9*-]+")
MAX_STATEMENTS, MAX_ACTIONS = 8, 100
MAX_DOCUMENT = 6144  # characters, as compact JSON


class Effect(StrEnum):
    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class ResourcePattern:
    """`service:region:account:type:path`; `path` is exact, a prefix, or empty for all."""

    service: str
    account: str
    type: str
    path: str
    is_prefix: bool


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


# --- reading ---------------------------------------------------------------------------------------


def parse(document: object) -> tuple[Statement, ...]:
    """The statements of a policy document.

    Raises:
        BadParameter: the document is malformed, or has a part that could not be enforced everywhere; it
            says where (`Statement[0].Action[1]`), what and why.
    """
    if not isinstance(document, Mapping) or set(document) - {"Version", "Statement"}:
        raise refused("A policy is an object with Version and Statement and nothing else.")
    if document.get("Version") != "1.1":
        raise refused('Version must be "1.1".')
    statements = document.get("Statement")
    if not isinstance(statements, list) or not 1 <= len(statements) <= MAX_STATEMENTS:
        raise refused(f"Statement must be a list of 1 to {MAX_STATEMENTS} statements.")
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


def _statement(raw: object, place: str) -> Statement:
    if not isinstance(raw, Mapping) or set(raw) - {"Action", "Effect", "Resource", "Condition"}:
        raise refused(
            "A statement has Action, Effect and optionally Resource and Condition, nothing else.", place
        )
    effect = raw.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise refused("Effect must be Allow or Deny.", f"{place}.Effect")
    actions = _each(raw.get("Action"), f"{place}.Action", _action)
    resources = _each(raw["Resource"], f"{place}.Resource", _resource) if "Resource" in raw else ()
    held = conditions.read(raw["Condition"], f"{place}.Condition") if "Condition" in raw else ()
    return _make(Effect(effect), actions, resources, held)


Read = TypeVar("Read")


def _each(raw: object, place: str, read: Callable[[str, str], Read]) -> tuple[Read, ...]:
    found = texts(raw, place, MAX_ACTIONS)
    return tuple(read(text, f"{place}[{index}]") for index, text in enumerate(found))


def _make(
    effect: Effect,
    actions: tuple[str, ...],
    resources: tuple[ResourcePattern, ...] = (),
    held: tuple[Condition, ...] = (),
) -> Statement:
    pattern = "|".join(re.escape(action).replace(r"\*", ".*") for action in actions)
    return Statement(effect, actions, resources, held, re.compile(pattern))


def _action(text: str, place: str = "") -> str:
    """`service:type:operation`; `bss:*` and `*` are short for the whole service and everything."""
    parts = text.split(":")
    if parts[-1] == "*":
        parts += ["*"] * (3 - len(parts))
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise refused(f"{text!r} is not an action of the form service:type:operation.", place)
    if not _SERVICE.fullmatch(parts[0]):
        raise refused(f"The service of the action {text!r} must be in lower case.", place)
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
        raise refused(f"{text!r} is not a resource of the form service:region:account:type:path.", place)
    service, region, account, kind, path = parts
    if region not in ("", "*", "global"):
        raise refused(f"The region in {text!r} must be *: the service has no regions.", place)
    if any("*" in part and part != "*" for part in (service, account, kind)):
        raise refused(f"In {text!r} only the path may have a * beside other characters.", place)
    if "*" in path.rstrip("*") or path.endswith("**") or not path:
        raise refused(f"The path in {text!r} must be one id, or a beginning followed by one *.", place)
    plain = [("" if part == "*" else part) for part in (service, account, kind)]
    return ResourcePattern(
        plain[0], plain[1], plain[2].lower(), path.removesuffix("*"), is_prefix=path.endswith("*")
    )
