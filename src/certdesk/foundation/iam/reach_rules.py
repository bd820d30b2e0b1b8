"""Whether rights reach no further than others: nobody gives away, or takes, what he does not hold. Pure.

The comparison is one of policies, not of rows. Where it cannot be sure it says no: a user who holds a
right under a condition may hand it on under the same condition only.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from .rules import ALIASES, Effect, PolicyGrant, ResourcePattern, Statement, of_row


@dataclass(frozen=True, slots=True)
class Excess:
    """What would be given though it is not held: an action, or a pattern of actions."""

    policy: str
    action: str


Line = tuple[str, Statement]
"""Project (empty = all) and statement."""


def excess(
    before: Iterable[PolicyGrant],
    after: Iterable[PolicyGrant],
    held: Iterable[PolicyGrant],
    known: frozenset[str],
) -> Excess | None:
    """The first thing that `after` allows, `before` did not, and `held` does not allow; None = nothing.

    Args:
        before, after: what somebody has before and after a change. A Deny that goes gives rights too.
        held: what the one who makes the change holds.
        known: every action of the product; a pattern is held when each of these that it covers is.
    """
    old, new, own = tuple(before), tuple(after), tuple(held)
    had = set(_lines(old, Effect.ALLOW))
    stays = set(_lines(new, Effect.DENY))
    dropped = [
        statement for project, statement in _lines(old, Effect.DENY) if (project, statement) not in stays
    ]
    for grant in new:
        for statement in grant.statements:
            if statement.effect is Effect.DENY:
                continue
            is_new = (grant.project, statement) not in had
            for action in statement.actions:
                changed = is_new or any(_meet(action, one) for gone in dropped for one in gone.actions)
                if changed and not _is_held(action, (grant.project, statement), stays, own, known):
                    return Excess(grant.policy, action)
    return None


def _lines(grants: Iterable[PolicyGrant], effect: Effect) -> Iterator[Line]:
    for grant in grants:
        for statement in grant.statements:
            if statement.effect is effect:
                yield grant.project, statement


def _is_held(
    action: str, given: Line, denied: set[Line], held: tuple[PolicyGrant, ...], known: frozenset[str]
) -> bool:
    allows, denies = list(_lines(held, Effect.ALLOW)), list(_lines(held, Effect.DENY))
    wanted = [action]
    if "*" in action and not any(_covers_line(one, action, given) for one in allows):
        wanted = [name for name in known if _covers(action, name)]
    return (
        bool(wanted)
        and all(any(_covers_line(one, name, given) for one in allows) for name in wanted)
        and not any(_bars(one, action, given[0], denied) for one in denies)
    )


def _covers_line(one: Line, action: str, given: Line) -> bool:
    """Whether an Allow reaches at least as far as the one given, for this action."""
    project, statement = one
    inner = given[1]
    return (
        project in ("", given[0])
        and any(_covers(pattern, action) for pattern in statement.actions)
        and set(statement.conditions) <= set(inner.conditions)
        and _covers_resources(statement.resources, inner.resources)
    )


def _bars(one: Line, action: str, project: str, denied: set[Line]) -> bool:
    """Whether a Deny of the giver reaches into what he gives, and the receiver has no Deny as wide."""
    own, statement = one
    if (own and project and own != project) or not any(
        _meet(pattern, action) for pattern in statement.actions
    ):
        return False
    rows = {condition for condition in statement.conditions if of_row(condition)}
    return not any(
        other in ("", own)
        and all(any(_covers(mine, his) for mine in again.actions) for his in statement.actions)
        and set(again.conditions) <= rows
        and _covers_resources(again.resources, statement.resources)
        for other, again in denied
    )


def _covers_resources(outer: tuple[ResourcePattern, ...], inner: tuple[ResourcePattern, ...]) -> bool:
    if not outer:
        return True
    return bool(inner) and all(any(_covers_resource(one, each) for one in outer) for each in inner)


def _covers_resource(outer: ResourcePattern, inner: ResourcePattern) -> bool:
    if outer.is_prefix:
        path = inner.path.startswith(outer.path)
    else:
        path = not inner.is_prefix and inner.path == outer.path
    return path and all(
        mine in ("", his)
        for mine, his in (
            (outer.service, inner.service),
            (outer.account, inner.account),
            (outer.type, inner.type),
        )
    )


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*"))


@lru_cache(maxsize=1024)
def _names(pattern: str) -> tuple[str, ...]:
    """The pattern, and the other name of every action that it covers by one of its two names."""
    found = [pattern]
    for old, new in ALIASES.items():
        if _pattern(pattern).fullmatch(old) or _pattern(pattern).fullmatch(new):
            found += [old, new]
    return tuple(found)


def _covers(outer: str, inner: str) -> bool:
    """Whether the outer pattern covers all that the inner one does: a * of the inner one can only be
    taken by a * of the outer one."""
    return any(_pattern(name).fullmatch(inner) for name in _names(outer))


def _meet(one: str, other: str) -> bool:
    """Whether two patterns may cover the same action; says yes where it is not sure."""
    return any(_may_meet(mine, his) for mine in _names(one) for his in _names(other))


def _may_meet(one: str, other: str) -> bool:
    if "*" not in one:
        return _pattern(other).fullmatch(one) is not None
    if "*" not in other:
        return _pattern(one).fullmatch(other) is not None
    heads = one.split("*")[0], other.split("*")[0]
    tails = one.split("*")[-1], other.split("*")[-1]
    return _either(str.startswith, *heads) and _either(str.endswith, *tails)


def _either(begins: Callable[[str, str], bool], one: str, other: str) -> bool:
    return begins(one, other) or begins(other, one)
