"""Saved views of the list, own and shared, and how a user wants its list.

Whoever may look at the list may keep views of it: they show nothing by themselves, each reader sees through
them what its own policies let it see. To put one before the whole account needs `SHARE`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError
from django.db.models import Q

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter, Conflict, NotFound, WrongState
from certdesk.foundation.iam.principal import Principal, Resource

from . import saved_view_rules as rules
from .models import ListSettings, SavedView
from .rows import LIST
from .saved_view_rules import Column

SHARE = "scm:cert:shareView"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a user wants its list; `default_view` is empty or one that the user sees."""

    columns: tuple[Column, ...]
    default_view: str


def listed(principal: Principal) -> list[SavedView]:
    """The user's own views and the shared ones of the account, by name."""
    principal.require(LIST)
    found = SavedView.objects.filter(account_id=principal.account_id)
    seen = Q(user_id=principal.user_id)
    if sees_shared(principal):
        seen |= Q(shared=True)
    return list(found.filter(seen).order_by("name", "id"))


def sees_shared(principal: Principal) -> bool:
    return principal.may(LIST, _whole(principal))


def _whole(principal: Principal) -> Resource:
    """A shared view is of the whole account: a right within an enterprise project shows none of another's."""
    return Resource("view", "", principal.account_id, "")


def may_share(principal: Principal) -> bool:
    return principal.may(SHARE, _whole(principal))


def fetch(principal: Principal, view_id: str) -> SavedView:
    """A view that the principal sees.

    Raises:
        NotFound: there is none, or it is another user's and not shared.
    """
    principal.require(LIST)
    found = SavedView.objects.filter(id=view_id, account_id=principal.account_id).first()
    if found is None or not (found.user_id == principal.user_id or _shown(principal, found)):
        raise NotFound(f"There is no view {view_id}.", next_step="Look at the list of views.")
    return found


def _shown(principal: Principal, view: SavedView) -> bool:
    return view.shared and sees_shared(principal)


def create(
    principal: Principal, name: str, query: Mapping[str, object], now: datetime, *, shared: bool = False
) -> SavedView:
    """Keeps filters and order under a name.

    Raises:
        BadParameter: as `rules.check_name` and `rules.read_query`. Forbidden: sharing needs `SHARE`.
        Conflict: the user has one with this name. WrongState: it has `rules.MOST` already.
    """
    name, kept = rules.check_name(name), rules.read_query(query)
    principal.require(LIST)
    _require_user(principal)
    if shared:
        principal.require(SHARE, _whole(principal))
    own = SavedView.objects.filter(account_id=principal.account_id, user_id=principal.user_id)
    if own.count() >= rules.MOST:
        raise WrongState(f"You have {rules.MOST} views already.", next_step="Delete some first.")
    made = SavedView(
        account_id=principal.account_id,
        user_id=principal.user_id,
        name=name,
        shared=shared,
        query=kept,
        created_at=now,
        updated_at=now,
    )
    _write(principal, made, new=True)
    return made


def update(
    principal: Principal,
    view_id: str,
    now: datetime,
    *,
    name: str | None = None,
    query: Mapping[str, object] | None = None,
    shared: bool | None = None,
) -> SavedView:
    """Changes what is given: one's own view, or with `SHARE` a shared one of somebody else.

    Raises:
        NotFound, Forbidden, BadParameter, Conflict: as `fetch` and `create`.
    """
    found = _mine(principal, view_id)
    if shared and not found.shared:
        principal.require(SHARE, _whole(principal))
    found.name = found.name if name is None else rules.check_name(name)
    found.query = found.query if query is None else rules.read_query(query)
    found.shared = found.shared if shared is None else shared
    found.updated_at = now
    _write(principal, found, new=False)
    return found


def delete(principal: Principal, view_id: str) -> None:
    """Deletes one's own view, or with `SHARE` a shared one; whose default it was sees the usual list again.

    Raises:
        NotFound, Forbidden: as `update`.
    """
    found = _mine(principal, view_id)
    with sql.short_transaction():
        ListSettings.objects.filter(account_id=found.account_id, default_view=found.id).update(
            default_view=""
        )
        SavedView.objects.filter(id=found.id).delete()
        if found.shared:
            _record(principal, found, "deleted")


def _mine(principal: Principal, view_id: str) -> SavedView:
    found = fetch(principal, view_id)
    _require_user(principal)
    if found.user_id != principal.user_id:
        principal.require(SHARE, _whole(principal))
    return found


def _write(principal: Principal, view: SavedView, *, new: bool) -> None:
    try:
        with sql.short_transaction():
            if new:
                view.save(force_insert=True)
            else:
                SavedView.objects.filter(id=view.id).update(
                    name=view.name, query=view.query, shared=view.shared, updated_at=view.updated_at
                )
            if view.shared:
                _record(principal, view, "saved")
    except IntegrityError as error:
        raise Conflict(f"There is a view {view.name!r} already.", next_step="Choose another name.") from error


def _record(principal: Principal, view: SavedView, what: str) -> None:
    """What others see leaves a trace; what somebody keeps for himself does not."""
    details = {"name": view.name, "what": what}
    audit.record(principal, SHARE, resource=f"view:{view.id}", details=details, account_id=view.account_id)


def settings_of(principal: Principal) -> Settings:
    """How the principal wants its list."""
    found = ListSettings.objects.filter(account_id=principal.account_id, user_id=principal.user_id).first()
    if found is None:
        return Settings(rules.USUAL, "")
    return Settings(rules.stored_columns(found.columns), found.default_view)


def set_settings(
    principal: Principal, *, columns: Sequence[str] | None = None, default_view: str | None = None
) -> Settings:
    """Remembers columns in their order, and the view that the list opens with; empty = the usual list.

    Raises:
        BadParameter: there is no such column. NotFound: no such view that the principal sees.
    """
    principal.require(LIST)
    _require_user(principal)
    values: dict[str, object] = {}
    if columns is not None:
        values["columns"] = [one.value for one in rules.read_columns(columns)]
    if default_view is not None:
        values["default_view"] = fetch(principal, default_view).id if default_view else ""
    with sql.short_transaction():
        ListSettings.objects.update_or_create(
            account_id=principal.account_id, user_id=principal.user_id, defaults=values
        )
    return settings_of(principal)


def _require_user(principal: Principal) -> None:
    if not principal.user_id:
        raise BadParameter("Views and columns belong to a user.", next_step="Sign in as one.")
