"""Users and groups (IAM-1), as IAM v3 names them and with the lists and ids of our own operations."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam import groups, people
from certdesk.foundation.iam.models import Group, User
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox import people as mails
from certdesk.lifecycle.applications import handover

from . import paging
from . import people_schemas as schemas
from .registry import operation
from .schemas import PageQuery
from .shapes import Shape

USERS, GROUPS = "/v3/users", "/v3/groups"
_USER, _GROUP = f"{USERS}/{{id}}", f"{GROUPS}/{{id}}"
_MEMBER = f"{GROUPS}/{{group_id}}/users/{{user_id}}"
_ATTACHED = f"{GROUPS}/{{group_id}}/policies/{{policy_id}}"


def both(name: str, shape: Shape) -> Shape:
    """A thing as our own operations answer it, and wrapped as IAM v3 does."""
    return {**shape, name: shape}


def user_shape(user: User) -> Shape:
    return {
        "id": user.id,
        "name": user.name,
        "domain_id": user.account_id,
        "login": user.login,
        "email": user.email,
        "phone": user.phone,
        "description": user.description,
        "enabled": user.is_active,
        "has_password": user.has_usable_password(),
        "created_at": wire(user.created_at),
    }


def group_shape(group: Group) -> Shape:
    return {
        "id": group.id,
        "name": group.name,
        "domain_id": group.account_id,
        "description": group.description,
    }


@operation("users.list", "GET", USERS, people.LIST, query=schemas.UserQuery)
def users(principal: Principal, query: schemas.UserQuery) -> Shape:
    """The account's users, by name; `name` is a part of it."""
    found = people.listed(principal, query.name)
    rows, more = paging.cut(found.filter(name__gt=query.marker), query.limit)
    items = [user_shape(one) for one in rows]
    return {"items": items, "users": items, "next_marker": rows[-1].name if more else None}


@operation("users.create", "POST", USERS, people.CREATE, request=schemas.NewUser, success=201)
def create_user(principal: Principal, body: schemas.NewUser) -> Shape:
    """Makes a user, in groups by id. A given password must be changed at the first sign-in."""
    made = people.create(
        principal,
        body.name,
        password=None if body.password is None else body.password.get_secret_value(),
        email=body.email,
        phone=body.phone,
        description=body.description,
        groups=body.groups,
        enabled=body.enabled,
    )
    if body.invite:
        mails.invite(principal, made.id, clock.real_now())
    return both("user", user_shape(made))


@operation("users.invite", "POST", f"{_USER}/invitation", mails.INVITE, success=204)
def invite_user(principal: Principal, id: str) -> None:  # noqa: A002
    """Mails the user a link by which it sets its password: one use, 7 days."""
    mails.invite(principal, id, clock.real_now())


@operation(
    "users.reset_second_factor", "DELETE", f"{_USER}/second-factor", people.RESET_SECOND_FACTOR, success=204
)
def reset_second_factor(principal: Principal, id: str) -> None:  # noqa: A002
    """Takes app, passkeys and recovery codes off a user who lost them; mails the user."""
    mails.reset_second_factor(principal, id, clock.real_now())


@operation("users.show", "GET", _USER, people.GET, everyone=True)
def show_user(principal: Principal, id: str) -> Shape:  # noqa: A002
    """A user and its groups; oneself without any right."""
    user = people.fetch(principal, id)
    return both("user", {**user_shape(user), "groups": [group_shape(one) for one in people.groups_of(user)]})


@operation("users.update", "PUT", _USER, people.UPDATE, request=schemas.UserChange)
def update_user(principal: Principal, id: str, body: schemas.UserChange) -> Shape:  # noqa: A002
    """Address, phone, description, password, on or off; off ends sessions, tokens and keys at once."""
    changed = people.update(
        principal,
        id,
        password=None if body.password is None else body.password.get_secret_value(),
        email=body.email,
        phone=body.phone,
        description=body.description,
        enabled=body.enabled,
    )
    return both("user", user_shape(changed))


@operation("users.hand_over", "POST", f"{_USER}/handover", handover.HAND_OVER, request=schemas.HandOver)
def hand_over(principal: Principal, id: str, body: schemas.HandOver) -> Shape:  # noqa: A002
    """Gives certificates, orders and contacts of a user to a team mate (`to`: id or name)."""
    done = handover.hand_over(principal, id, body.to, clock.now())
    return {
        "certificates": done.certificates,
        "orders": done.orders,
        "contacts": done.contacts,
        "left": done.left,
    }


@operation("users.delete", "DELETE", _USER, people.DELETE, success=204)
def delete_user(principal: Principal, id: str) -> None:  # noqa: A002
    """Deletes a user with its keys; certificates and orders stay: hand them over first."""
    people.delete(principal, id)


@operation("groups.list", "GET", GROUPS, groups.LIST, query=PageQuery)
def group_list(principal: Principal, query: PageQuery) -> Shape:
    """The account's groups, by name."""
    rows, more = paging.cut(groups.listed(principal).filter(name__gt=query.marker), query.limit)
    items = [group_shape(one) for one in rows]
    return {"items": items, "groups": items, "next_marker": rows[-1].name if more else None}


@operation("groups.create", "POST", GROUPS, groups.CREATE, request=schemas.NewGroup, success=201)
def create_group(principal: Principal, body: schemas.NewGroup) -> Shape:
    """An empty group without policies."""
    return both("group", group_shape(groups.create(principal, body.name, body.description)))


@operation("groups.show", "GET", _GROUP, groups.GET)
def show_group(principal: Principal, id: str) -> Shape:  # noqa: A002
    """A group with its users and policies."""
    group = groups.fetch(principal, id)
    attached = [
        {
            "id": one.policy_id,
            "name": one.policy.name,
            "enterprise_project_id": one.enterprise_project_id,
        }
        for one in groups.grants(group)
    ]
    inside = [{"id": one.id, "name": one.name} for one in groups.members(group)]
    return both("group", {**group_shape(group), "users": inside, "policies": attached})


@operation("groups.update", "PUT", _GROUP, groups.UPDATE, request=schemas.GroupChange)
def update_group(principal: Principal, id: str, body: schemas.GroupChange) -> Shape:  # noqa: A002
    """Another name or description."""
    return both("group", group_shape(groups.update(principal, id, body.name, body.description)))


@operation("groups.delete", "DELETE", _GROUP, groups.DELETE, success=204)
def delete_group(principal: Principal, id: str) -> None:  # noqa: A002
    """Deletes a group; its users stay and lose what it gave them."""
    groups.delete(principal, id)


@operation("groups.add_user", "PUT", _MEMBER, groups.ADD, success=204)
def add_user(principal: Principal, group_id: str, user_id: str) -> None:
    """Puts a user into a group; refused where the group holds more than you do."""
    groups.add_user(principal, group_id, user_id)


@operation("groups.remove_user", "DELETE", _MEMBER, groups.REMOVE, success=204)
def remove_user(principal: Principal, group_id: str, user_id: str) -> None:
    """Takes a user out of a group; never the last administrator."""
    groups.remove_user(principal, group_id, user_id)


@operation("groups.attach_policy", "PUT", _ATTACHED, groups.ATTACH, request=schemas.Attachment, success=204)
def attach(principal: Principal, group_id: str, policy_id: str, body: schemas.Attachment) -> None:
    """Attaches a policy, for all projects or one; refused where it gives more than you hold."""
    groups.attach(principal, group_id, policy_id, body.enterprise_project_id)


@operation(
    "groups.detach_policy", "DELETE", _ATTACHED, groups.DETACH, request=schemas.Attachment, success=204
)
def detach(principal: Principal, group_id: str, policy_id: str, body: schemas.Attachment) -> None:
    """Detaches a policy; refused where its Deny binds you, or nobody would administer the account."""
    groups.detach(principal, group_id, policy_id, body.enterprise_project_id)
