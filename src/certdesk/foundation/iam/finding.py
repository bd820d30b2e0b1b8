"""Fetches users, groups, policies, keys and projects together with the right to them (law 5)."""

from typing import Any, TypeVar

from django.db import models

from certdesk.foundation.common.errors import NotFound

from . import queries
from .models import AccessKey, EnterpriseProject, Group, Policy, User
from .predicates import Columns
from .principal import Principal, Resource

Row = TypeVar("Row", bound=models.Model)


def resource(kind: str, principal: Principal, id: str = "", owner: str = "") -> Resource:  # noqa: A002
    """A thing of this chapter in the principal's own account."""
    return Resource(kind, id, principal.account_id, owner_id=owner)


def missing(kind: str, id: str) -> NotFound:  # noqa: A002
    """One text for what does not exist and what is another account's."""
    return NotFound(f"There is no {kind} {id}.", next_step="Check the id.")


def user(principal: Principal, action: str, user_id: str) -> User:
    """A user of the account with whom the principal may do `action`.

    Raises:
        NotFound: no such user in this account. Forbidden: no right.
    """
    found = User.objects.filter(account_id=principal.account_id, id=user_id).select_related("account").first()
    if found is None:
        raise missing("user", user_id)
    principal.require(action, resource("user", principal, found.id))
    return found


def group(principal: Principal, action: str, group_id: str) -> Group:
    """As `user`, for a group."""
    found = Group.objects.filter(account_id=principal.account_id, id=group_id).first()
    if found is None:
        raise missing("group", group_id)
    principal.require(action, resource("group", principal, found.id))
    return found


def policy(principal: Principal, action: str, policy_id: str) -> Policy:
    """As `user`, for a policy; those of the system belong to every account."""
    found = Policy.objects.filter(id=policy_id).first()
    if found is None or found.account_id not in (None, principal.account_id):
        raise missing("policy", policy_id)
    principal.require(action, resource("policy", principal, found.id))
    return found


def key(principal: Principal, action: str, access_key: str) -> AccessKey:
    """As `user`, for an access key. One's own needs no policy, but a Deny closes it too."""
    found = AccessKey.objects.filter(access_key=access_key, user__account_id=principal.account_id)
    one = found.select_related("user__account").first()
    if one is None:
        raise missing("access key", access_key)
    require_unless_own(principal, action, one.user_id, one.access_key)
    return one


def require_unless_own(principal: Principal, action: str, user_id: str, access_key: str = "") -> None:
    """Passes the user itself, unless a policy denies it, and whoever has the right.

    Raises:
        Forbidden: naming the action.
    """
    about = resource("credential", principal, access_key, user_id)
    own = bool(principal.user_id) and principal.user_id == user_id and not principal.temporary
    if not own or principal.decide(action, about).denied_by:
        principal.require(action, about)


def project(principal: Principal, action: str, project_id: str) -> EnterpriseProject:
    """As `user`, for an enterprise project; a right that is limited to projects counts in those."""
    found = EnterpriseProject.objects.filter(account_id=principal.account_id, id=project_id).first()
    if found is None:
        raise missing("enterprise project", project_id)
    principal.require(action, Resource("project", found.id, principal.account_id, found.id))
    return found


def visible(
    rows: "models.QuerySet[Row]", principal: Principal, action: str, kind: str
) -> "models.QuerySet[Row]":
    """Those of `rows` (one table, of the principal's account) on which it may do `action`."""
    table = rows.model._meta.db_table
    columns = Columns(project="", owner="", id=f"{table}.id", account=f"{table}.account_id", type=kind)
    text, params = queries.where(principal, action, columns)
    extra: Any = rows.extra(where=[text], params=params)  # noqa: S610 the text is made by `where` from code
    return extra  # type: ignore[no-any-return]
