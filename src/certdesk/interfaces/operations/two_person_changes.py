"""What policies, groups and the approval rules look like to the person who approves a change of them."""

from typing import Any

from certdesk.foundation.approvals import changing
from certdesk.foundation.approvals import queries as approvals
from certdesk.foundation.approvals import rules as approval_rules
from certdesk.foundation.approvals.rules import RuleLine, Target, digest
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.iam import finding, groups, known, people, policies
from certdesk.foundation.iam import rules as iam_rules
from certdesk.foundation.iam.models import Group, Policy, User
from certdesk.foundation.iam.principal import Principal, Via
from certdesk.foundation.iam.queries import grant_of

from .two_person_targets import Arguments

OVER_PEOPLE = ("iam:", "scm:approval:")


def gives_rights_over_people(group: Group) -> bool:
    """Whether its policies let anybody change users, groups, policies or decide requests."""
    held = tuple(
        grant_of(one.policy.name, one.policy.document, one.enterprise_project_id)
        for one in group.grants.select_related("policy")
    )
    anybody = Principal(group.account_id, "-", "-", Via.JOB, grants=held)
    wanted = (one for one in known.actions() if one.startswith(OVER_PEOPLE))
    return any(anybody.may(one) for one in wanted)


def new_policy(principal: Principal, arguments: Arguments) -> Target:
    principal.require(policies.CREATE, finding.resource("policy", principal))
    body = arguments["body"]
    iam_rules.parse(body.policy)
    name = body.display_name or body.name
    if Policy.objects.filter(account_id=principal.account_id, name=name).exists():
        version = digest("taken", name)  # then the operation says so
    else:
        version = digest("free", name)
    return Target("policy", "", version, f"Make the policy {name}.")


def changed_policy(principal: Principal, arguments: Arguments) -> Target:
    found = _own(principal, policies.UPDATE, arguments)
    if arguments["body"].policy is not None:
        iam_rules.parse(arguments["body"].policy)
    return Target("policy", found.id, _policy_version(found), f"Change the policy {found.name}.")


def deleted_policy(principal: Principal, arguments: Arguments) -> Target:
    found = _own(principal, policies.DELETE, arguments)
    return Target("policy", found.id, _policy_version(found), f"Delete the policy {found.name}.")


def _own(principal: Principal, action: str, arguments: Arguments) -> Policy:
    found = finding.policy(principal, action, str(arguments["id"]))
    if found.account_id is None:
        raise WrongState(
            "System policies cannot be changed.", next_step="Make a custom policy with what you need."
        )
    return found


def _policy_version(one: Policy) -> str:
    places = one.grants.order_by("id").values_list("group_id", "enterprise_project_id")
    return digest(one.id, one.name, one.description, one.document, [list(place) for place in places])


def attached(principal: Principal, arguments: Arguments) -> Target:
    group, policy = _group_and_policy(principal, groups.ATTACH, arguments)
    where = _where(arguments)
    text = f"Attach the policy {policy.name} to the group {group.name} {where}."
    return Target("group", group.id, digest(_group_version(group), _policy_version(policy)), text)


def detached(principal: Principal, arguments: Arguments) -> Target:
    group, policy = _group_and_policy(principal, groups.DETACH, arguments)
    where = _where(arguments)
    text = f"Detach the policy {policy.name} from the group {group.name} {where}."
    return Target("group", group.id, digest(_group_version(group), _policy_version(policy)), text)


def _where(arguments: Arguments) -> str:
    project = arguments["body"].enterprise_project_id
    return f"in the project {project}" if project else "in all projects"


def _group_and_policy(principal: Principal, action: str, arguments: Arguments) -> tuple[Group, Policy]:
    group = finding.group(principal, action, str(arguments["group_id"]))
    return group, finding.policy(principal, action, str(arguments["policy_id"]))


def _group_version(one: Group) -> str:
    held = one.grants.order_by("id").values_list("policy_id", "enterprise_project_id")
    return digest(one.id, one.name, [list(grant) for grant in held])


def added(principal: Principal, arguments: Arguments) -> Target | None:
    group, user = _group_and_user(principal, groups.ADD, arguments)
    if not gives_rights_over_people(group):
        return None
    text = f"Put the user {user.name} into the group {group.name}."
    return Target("group", group.id, _member_version(group, user), text)


def removed(principal: Principal, arguments: Arguments) -> Target | None:
    group, user = _group_and_user(principal, groups.REMOVE, arguments)
    if not gives_rights_over_people(group):
        return None
    text = f"Take the user {user.name} out of the group {group.name}."
    return Target("group", group.id, _member_version(group, user), text)


def _group_and_user(principal: Principal, action: str, arguments: Arguments) -> tuple[Group, User]:
    group = finding.group(principal, action, str(arguments["group_id"]))
    user = User.objects.filter(account_id=principal.account_id, id=str(arguments["user_id"])).first()
    if user is None:
        raise finding.missing("user", str(arguments["user_id"]))
    return group, user


def _member_version(group: Group, user: User) -> str:
    inside = group.users.filter(id=user.id).exists()
    return digest(_group_version(group), user.id, user.name, user.is_active, inside)


def deleted_group(principal: Principal, arguments: Arguments) -> Target | None:
    group = finding.group(principal, groups.DELETE, str(arguments["id"]))
    if not gives_rights_over_people(group):
        return None
    inside = list(group.users.order_by("id").values_list("id", flat=True))
    return Target("group", group.id, digest(_group_version(group), inside), f"Delete the group {group.name}.")


def new_user(principal: Principal, arguments: Arguments) -> Target | None:
    """Made with a group that gives rights over people: by that way nobody comes past the rule."""
    principal.require(people.CREATE, finding.resource("user", principal))
    found = [finding.group(principal, groups.ADD, one) for one in arguments["body"].groups]
    strong = [group for group in found if gives_rights_over_people(group)]
    if not strong:
        return None
    name = arguments["body"].name
    return Target("user", "", digest(name), f"Make the user {name} in the group {strong[0].name}.")


def lines_of(body: Any) -> list[RuleLine]:
    """The rules of a request; what is not required is off."""
    return [RuleLine(one.operation, one.approvals, one.hours) for one in body.items if one.required]


def rule_for_rules(account_id: str, body: Any) -> RuleLine | None:
    """The rule under which the rules are changed: the strictest of those that would become weaker; the rule
    for rules holds back every change."""
    before, after = approvals.rules_of(account_id), lines_of(body)
    weaker = approval_rules.weakened(before, after)
    own = [one for one in before if one.operation == "approval_rules"]
    if sorted(before) == sorted(after) or not (weaker or own):
        return None
    holding = [*weaker, *own]
    return RuleLine(
        "approval_rules",
        max(one.approvals for one in holding),
        min(one.hours for one in holding),
    )


def rules(principal: Principal, arguments: Arguments) -> Target:
    after = sorted(lines_of(arguments["body"]))
    changing.check(principal, after)
    before = approvals.rules_of(principal.account_id)
    version = digest([[one.operation, one.approvals, one.hours] for one in before])
    kinds = ", ".join(one.operation for one in after)
    text = (
        f"Change the rules for approvals; from then on other people are needed for: {kinds}."
        if kinds
        else "Switch off all rules for approvals."
    )
    return Target("approval-rules", principal.account_id, version, text)
