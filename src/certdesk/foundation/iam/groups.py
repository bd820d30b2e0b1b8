"""Groups, who is in them, and the policies attached to them (IAM-1, IAM-6)."""

from django.db.models import QuerySet

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import Conflict, WrongState

from . import actions, finding, snapshot
from .models import Grant, Group, User
from .principal import Principal

LIST, GET, CREATE = "iam:groups:list", "iam:groups:get", "iam:groups:create"
UPDATE, DELETE = "iam:groups:update", "iam:groups:delete"
ADD, REMOVE = "iam:groups:addUser", "iam:groups:removeUser"
ATTACH, DETACH = "iam:groups:attachPolicy", "iam:groups:detachPolicy"
MOST = 500


def listed(principal: Principal) -> "QuerySet[Group]":
    """The account's groups that the principal may see, by name."""
    return finding.visible(Group.objects.order_by("name"), principal, LIST, "group")


def fetch(principal: Principal, group_id: str) -> Group:
    """Raises: NotFound, Forbidden as `finding.group`."""
    return finding.group(principal, GET, group_id)


def mates(principal: Principal) -> "QuerySet[Group]":
    """Groups of the principal's account, by name: to which something can be given."""
    return Group.objects.filter(account_id=principal.account_id).order_by("name")


def mate(principal: Principal, wanted: str) -> Group:
    """A group of the account, by id or name. Raises: NotFound."""
    own = mates(principal)
    found = own.filter(id=wanted).first() or own.filter(name=wanted).first()
    if found is None:
        raise finding.missing("group", wanted)
    return found


def members(group: Group) -> list[User]:
    return list(group.users.order_by("name"))


def grants(group: Group) -> list[Grant]:
    return list(group.grants.select_related("policy").order_by("policy__name", "enterprise_project_id"))


def create(principal: Principal, name: str, description: str = "") -> Group:
    """An empty group without policies.

    Raises:
        Forbidden, BadParameter. Conflict: the name is taken. WrongState: 500 groups already.
    """
    principal.require(CREATE, finding.resource("group", principal))
    account = actions.account_of(principal.account_id)
    with snapshot.changing(principal, account.id):
        _free(principal, name)
        if Group.objects.filter(account=account).count() >= MOST:
            raise WrongState(f"The account has {MOST} groups already.", next_step="Delete some first.")
        return actions.create_group(account, name, description, by=principal)


def update(principal: Principal, group_id: str, name: str | None, description: str | None) -> Group:
    """Another name or description; members and policies stay."""
    group = finding.group(principal, UPDATE, group_id)
    with snapshot.changing(principal, group.account_id):
        if name is not None and name != group.name:
            actions.check_name(name, "group")
            _free(principal, name)
            group.name = name
        if description is not None:
            group.description = actions.line(description, 255, "description")
        group.save(update_fields=["name", "description"])
        audit.record(principal, UPDATE, resource=f"group:{group.id}", details={"name": group.name})
    return group


def delete(principal: Principal, group_id: str) -> None:
    """Its members lose what it gave them; the members themselves stay."""
    group = finding.group(principal, DELETE, group_id)
    with snapshot.changing(principal, group.account_id):
        audit.record(principal, DELETE, resource=f"group:{group.id}", details={"name": group.name})
        group.delete()


def add_user(principal: Principal, group_id: str, user_id: str) -> None:
    """Raises: Forbidden: also when the group holds more than the principal."""
    group, user = _both(principal, ADD, group_id, user_id)
    with snapshot.changing(principal, group.account_id):
        group.users.add(user)
        _recorded_user(principal, ADD, group, user)


def remove_user(principal: Principal, group_id: str, user_id: str) -> None:
    """Raises: Forbidden: also when a Deny of the group would end that the principal is bound by."""
    group, user = _both(principal, REMOVE, group_id, user_id)
    with snapshot.changing(principal, group.account_id):
        if not group.users.filter(id=user.id).exists():
            raise finding.missing("user", f"{user_id} in this group")
        group.users.remove(user)
        _recorded_user(principal, REMOVE, group, user)


def attach(principal: Principal, group_id: str, policy_id: str, project: str = "") -> None:
    """Raises: Forbidden: also when the policy gives more than the principal holds."""
    group = finding.group(principal, ATTACH, group_id)
    policy = finding.policy(principal, ATTACH, policy_id)
    with snapshot.changing(principal, group.account_id):
        actions.grant(group, policy, project, by=principal)


def detach(principal: Principal, group_id: str, policy_id: str, project: str = "") -> None:
    """Raises: Forbidden: also when its Deny binds the principal. NotFound: it is not attached."""
    group = finding.group(principal, DETACH, group_id)
    policy = finding.policy(principal, DETACH, policy_id)
    with snapshot.changing(principal, group.account_id):
        found = Grant.objects.filter(group=group, policy=policy, enterprise_project_id=project)
        if not found.delete()[0]:
            raise finding.missing("policy", f"{policy_id} at this group")
        _recorded(principal, DETACH, group, {"policy": policy.name, "enterprise_project_id": project})


def _both(principal: Principal, action: str, group_id: str, user_id: str) -> tuple[Group, User]:
    group = finding.group(principal, action, group_id)
    user = User.objects.filter(account_id=principal.account_id, id=user_id).first()
    if user is None:
        raise finding.missing("user", user_id)
    return group, user


def _free(principal: Principal, name: str) -> None:
    if Group.objects.filter(account_id=principal.account_id, name=name).exists():
        raise Conflict(f"There is a group {name!r} already.", next_step="Choose another name.")


def _recorded(principal: Principal, action: str, group: Group, details: dict[str, object]) -> None:
    audit.record(principal, action, resource=f"group:{group.id}", details={"group": group.name, **details})


def _recorded_user(principal: Principal, action: str, group: Group, user: User) -> None:
    """Filed under the user: whoever gave a user a group counts as its maker (ORG-5)."""
    audit.record(
        principal, action, resource=f"user:{user.id}", details={"group": group.name, "group_id": group.id}
    )
