"""What can be done to many certificates at once, and what each action needs to be told. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from certdesk.foundation.common.errors import BadParameter


class Action(StrEnum):
    TAG = "TAG"
    UNTAG = "UNTAG"
    OWNER = "OWNER"
    PROJECT = "PROJECT"
    NOTICES = "NOTICES"
    RENEWAL = "RENEWAL"
    DELETE = "DELETE"


NEEDS: Mapping[Action, tuple[str, ...]] = {
    Action.TAG: ("key", "value"),
    Action.UNTAG: ("key",),
    Action.OWNER: ("owner", "owner_group"),
    Action.PROJECT: ("project",),
    Action.NOTICES: ("on",),
    Action.RENEWAL: ("on",),
    Action.DELETE: (),
}
"""Options of each action, all of them texts; `on` is `true` or `false`."""
MOST_NAMED = 1_000
"""Certificates that are named one by one; more are chosen by filters."""


def check_options(action: str, given: Mapping[str, object]) -> dict[str, str]:
    """The options that the action takes; empty ones are left out.

    Raises:
        BadParameter: no such action, one of its options is missing, or is no text.
    """
    if action not in set(Action):
        raise BadParameter(
            f"There is no bulk action {action[:40]!r}.", next_step=f"Use {', '.join(Action)}.", field="action"
        )
    known = Action(action)
    found = {name: _text(name, given[name]) for name in NEEDS[known] if given.get(name) is not None}
    if known in (Action.TAG, Action.UNTAG):
        _needs(found.get("key", ""), "key")
    if known is Action.OWNER:
        if not found.get("owner"):
            found.pop("owner", None)  # a certificate always has an owning user
        if not found:
            raise BadParameter("Name an owner or a group.", field="owner")
    if known is Action.PROJECT:
        _needs(found.get("project", ""), "project")
    if "on" in NEEDS[known] and found.get("on") not in ("true", "false"):
        raise BadParameter("on must be true or false.", field="on")
    return found


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str) or len(value) > 400 or "\x00" in value:
        raise BadParameter(f"{name} must be a text of at most 400 characters.", field=name)
    return value.strip()


def _needs(value: str, name: str) -> None:
    if not value:
        raise BadParameter(f"{name} is missing.", next_step=f"Send {name}.", field=name)
