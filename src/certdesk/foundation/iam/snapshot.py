"""All rights of one account at a moment, and the guard around every change of them.

Whatever is done inside `changing`, whoever does it: afterwards nobody has a right that the one who did it
does not hold, and the account still has an administrator.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import Forbidden, WrongState

from . import known, queries, reach_rules, rules
from .models import Account, Agency, User
from .principal import PolicyGrant, Principal
from .rules import Asker, Resource

ADMINISTERS = ("iam:users:create", "iam:users:update", "iam:groups:addUser", "iam:groups:attachPolicy")
"""Whoever may do all of these can give every other right back."""

Grants = tuple[PolicyGrant, ...]
_MEMBERS = """
SELECT u.id, m.group_id FROM iam_user u LEFT JOIN iam_group_users m ON m.user_id = u.id
 WHERE u.account_id = %s
"""
_OF_GROUPS = """
SELECT g.id, p.name, p.document, r.enterprise_project_id
  FROM iam_group g JOIN iam_grant r ON r.group_id = g.id JOIN iam_policy p ON p.id = r.policy_id
 WHERE g.account_id = %s ORDER BY r.id
"""
_OF_AGENCIES = """
SELECT a.id, p.name, p.document, r.enterprise_project_id
  FROM iam_agency a JOIN iam_agencygrant r ON r.agency_id = a.id JOIN iam_policy p ON p.id = r.policy_id
 WHERE a.account_id = %s ORDER BY r.id
"""
_CAN_SIGN = """
SELECT u.id FROM iam_user u
 WHERE u.account_id = %s AND u.is_active AND (u.password NOT LIKE '!%%'
   OR EXISTS (SELECT 1 FROM iam_accesskey k WHERE k.user_id = u.id AND k.enabled))
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Members and grants of an account's groups; an agency counts as a group of others."""

    members: dict[str, frozenset[str]]
    groups: dict[str, Grants]
    active: frozenset[str]

    def of_user(self, user_id: str) -> Grants:
        return self.of_groups(self.members.get(user_id, frozenset()))

    def of_groups(self, groups: frozenset[str]) -> Grants:
        """The union, each grant once (IAM-1)."""
        found = {grant: None for group in sorted(groups) for grant in self.groups.get(group, ())}
        return tuple(found)


def take(account_id: str) -> Snapshot:
    """Reads it in four statements."""
    members: dict[str, set[str]] = {}
    for user_id, group_id in sql.rows(_MEMBERS, [account_id]):
        members.setdefault(user_id, set()).update([group_id] if group_id else [])
    groups: dict[str, list[PolicyGrant]] = {}
    lines = [*sql.rows(_OF_GROUPS, [account_id]), *sql.rows(_OF_AGENCIES, [account_id])]
    for group_id, policy, document, project in lines:
        groups.setdefault(group_id, []).append(queries.grant_of(policy, document, project))
    return Snapshot(
        {user: frozenset(found) for user, found in members.items()},
        {group: tuple(found) for group, found in groups.items()},
        frozenset(row[0] for row in sql.rows(_CAN_SIGN, [account_id])),
    )


@contextmanager
def changing(by: Principal | None, account_id: str) -> Iterator[None]:
    """One transaction around a change of users, groups, policies or memberships of an account.

    Args:
        by: None and the house itself are held to the last administrator alone.

    Raises:
        Forbidden: somebody would have a right that `by` does not hold; `details["action"]` names it.
        WrongState: nobody would be left who administers the account.
    """
    with sql.short_transaction():
        Account.objects.select_for_update().get(id=account_id)  # one change of an account at a time
        before = take(account_id)
        yield
        after = take(account_id)
        if by is not None and by.user_id:
            _check_reach(before, after, _held(by, before))
        if administrators(before) and not administrators(after):
            raise WrongState(
                "This would leave the account without an administrator.",
                next_step="Put another active user into the group admins first.",
            )
    queries.forget_keys()


def _held(by: Principal, found: Snapshot) -> Grants:
    """What `by` may hand on: by an agency what that has; by a narrowed key nothing."""
    if by.agency:
        return by.grants
    return () if by.narrowed is not None else found.of_user(by.user_id)


def _check_reach(before: Snapshot, after: Snapshot, held: Grants) -> None:
    pairs = {(before.groups.get(group, ()), grants) for group, grants in after.groups.items()}
    pairs |= {(before.of_user(user), after.of_user(user)) for user in after.members}
    for old, new in pairs:
        if old != new:
            refuse_excess(old, new, held)


def refuse_excess(before: Grants, after: Grants, held: Grants) -> None:
    """Passes, if what is given is held.

    Raises:
        Forbidden: naming policy and action.
    """
    found = reach_rules.excess(before, after, held, known.actions())
    if found is not None:
        raise Forbidden(
            f'This would give {found.action} by the policy "{found.policy}", which you do not hold yourself.',
            next_step="Ask an administrator who holds it.",
            details={"action": found.action},
        )


def require_not_above(by: Principal | None, user: User) -> None:
    """Passes whoever may speak for the user: set its password, make it a key, change where its mail goes.

    Raises:
        Forbidden: the user holds a right that `by` does not.
    """
    if by is None or not by.user_id or (by.user_id == user.id and not by.temporary):
        return
    found = take(user.account_id)
    refuse_excess((), found.of_user(user.id), _held(by, found))


def require_holds(by: Principal, agency: Agency) -> None:
    """Passes whoever may say who assumes the agency.

    Raises:
        Forbidden: the agency has a right that `by` does not hold.
    """
    if by.user_id:
        found = take(agency.account_id)
        refuse_excess((), found.groups.get(agency.id, ()), _held(by, found))


def administrators(found: Snapshot) -> frozenset[str]:
    """Active users who can do all of `ADMINISTERS`."""
    decided: dict[frozenset[str], bool] = {}
    for groups in set(found.members.values()):
        decided[groups] = _administers(found.of_groups(groups))
    return frozenset(user for user in found.active if decided.get(found.members.get(user, frozenset())))


def _administers(grants: Grants) -> bool:
    asker = Asker("", mfa=True)  # one who needs a second factor for it can show it
    return all(rules.decide(grants, action, Resource("user"), asker) for action in ADMINISTERS)
