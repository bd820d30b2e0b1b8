"""The two-person rule around operations: one table says which, one gate holds them back (API §10).

An operation joins by its name here and nowhere else, also one that is yet to be built.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretStr

from certdesk.foundation.approvals import actions, queries, registry
from certdesk.foundation.approvals.actions import Wanted
from certdesk.foundation.approvals.models import Request, State
from certdesk.foundation.approvals.rules import RuleLine
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.iam.principal import Principal

from . import two_person_changes as changes
from . import two_person_targets as targets
from .two_person_targets import Arguments, Find

KEY_EXPORT, DELETE, REVOKE = "key_export", "delete", "revoke"
ORGANIZATION, POLICY, RULES = "organization_decision", "policy_change", "approval_rules"

registry.kinds |= {
    KEY_EXPORT: "Export or download of a private key",
    DELETE: "Deleting a certificate",
    REVOKE: "Revoking a certificate",
    ORGANIZATION: "Approving an organization",
    POLICY: "Policies, and members of groups that give rights over people",
    RULES: "These rules themselves",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One operation that can be held back.

    Attributes:
        find: what it is about now; None where nothing of it needs another person.
        fetched: approved, it does nothing by itself: the requester calls it again, once.
    """

    kind: str
    find: Find
    fetched: bool = False


CASES: Mapping[str, Case] = {
    "certificates.export": Case(KEY_EXPORT, targets.certificate_key, fetched=True),
    "certificates.download": Case(KEY_EXPORT, targets.certificate_key, fetched=True),
    "csrs.private_key": Case(KEY_EXPORT, targets.csr_key, fetched=True),
    "v2.download": Case(KEY_EXPORT, targets.certificate_key, fetched=True),
    "certificates.delete": Case(DELETE, targets.deletion),
    "v2.delete": Case(DELETE, targets.deletion),
    "certificates.revoke": Case(REVOKE, targets.revocation),
    "v2.revoke": Case(REVOKE, targets.revocation),
    "campaigns.start": Case(REVOKE, targets.campaign),
    "organization.decide": Case(ORGANIZATION, targets.organization),
    "policies.create": Case(POLICY, changes.new_policy),
    "policies.update": Case(POLICY, changes.changed_policy),
    "policies.delete": Case(POLICY, changes.deleted_policy),
    "groups.attach_policy": Case(POLICY, changes.attached),
    "groups.detach_policy": Case(POLICY, changes.detached),
    "groups.add_user": Case(POLICY, changes.added),
    "groups.remove_user": Case(POLICY, changes.removed),
    "groups.delete": Case(POLICY, changes.deleted_group),
    "users.create": Case(POLICY, changes.new_user),
    "approvals.set_rules": Case(RULES, changes.rules),
}
WITH_A_SECRET = frozenset({"users.create"})
"""These are refused where they would need another person: a password is not kept for one."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the gate says: wait for request `waiting`, or go on, inside `within`."""

    waiting: str
    within: AbstractContextManager[None]


FREE = Held("", nullcontext())


def gate(name: str, principal: Principal, arguments: Arguments) -> Held:
    """Whether the operation may go on now.

    Raises:
        CertdeskError: what the operation itself would refuse about its target; Forbidden for an assumed role.
    """
    case = CASES.get(name)
    if case is None or not principal.user_id:
        return FREE
    rule = _rule(case, principal, arguments)
    target = case.find(principal, arguments) if rule is not None else None
    if rule is None or target is None:
        return FREE
    if name in WITH_A_SECRET:
        raise WrongState(
            "A user is not made with rights that need a second person.",
            next_step="Make the user without that group, then ask to put it in.",
            field="groups",
        )
    wanted = Wanted(case.kind, name, frozen(arguments), target)
    now = clock.now()
    if case.fetched:
        ready = queries.open_request(principal, wanted.hash(principal.account_id), State.READY, now)
        if ready is not None:
            return Held("", _Fetched(principal, ready))
    return Held(actions.ask(principal, wanted, rule, now).id, nullcontext())


def _rule(case: Case, principal: Principal, arguments: Arguments) -> RuleLine | None:
    if case.kind == RULES:
        return changes.rule_for_rules(principal.account_id, arguments["body"])
    return queries.rule_of(principal.account_id, case.kind)


class _Fetched:
    """The transaction in which the requester gets what was approved: with the answer or not at all."""

    def __init__(self, principal: Principal, request: Request) -> None:
        self._principal, self._request = principal, request
        self._transaction = sql.short_transaction()

    def __enter__(self) -> None:
        self._transaction.__enter__()
        try:
            actions.hand_out(self._principal, self._request, clock.now())
        except BaseException as error:
            self._transaction.__exit__(type(error), error, error.__traceback__)
            raise

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._transaction.__exit__(kind, error, trace)


def frozen(arguments: Arguments) -> dict[str, Any]:
    """The arguments as JSON.

    Raises:
        ValueError: one of them is a secret; no operation of `CASES` has one, and a test sees to it.
    """
    kept: dict[str, Any] = {"parameters": {}}
    for name, value in arguments.items():
        if isinstance(value, BaseModel):
            if any(isinstance(one, SecretStr) for one in vars(value).values()):
                raise ValueError(f"{type(value).__name__} holds a secret and cannot be kept")
            kept[name] = value.model_dump(mode="json")
        else:
            kept["parameters"][name] = value
    return kept
