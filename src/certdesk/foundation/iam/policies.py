"""Custom policies (IAM-3): list, make, change, delete; and what a policy would do before it is attached."""

import json
from collections.abc import Mapping
from typing import cast

from django.db.models import Q, QuerySet

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import BadParameter, Conflict, WrongState

from . import actions, finding, rules, snapshot
from .models import AgencyGrant, Grant, Policy
from .principal import Principal
from .rules import Effect

LIST, GET, CREATE = "iam:roles:list", "iam:roles:get", "iam:roles:create"
UPDATE, DELETE = "iam:roles:update", "iam:roles:delete"
MOST = 200
ONLY_DENY = "This policy only denies. Alone it gives nothing: attach one that allows beside it."


def listed(principal: Principal) -> "QuerySet[Policy]":
    """System policies, then the account's own, by name; for whoever may list them at all."""
    mine = Q(account_id=principal.account_id)
    allowed = [
        one.id
        for one in Policy.objects.filter(mine | Q(account=None))
        if principal.may(LIST, finding.resource("policy", principal, one.id))
    ]
    return Policy.objects.filter(id__in=allowed).order_by("account_id", "name")


def fetch(principal: Principal, policy_id: str) -> Policy:
    """Raises: NotFound, Forbidden as `finding.policy`."""
    return finding.policy(principal, GET, policy_id)


def create(principal: Principal, name: str, document: object, description: str = "") -> Policy:
    """A policy that nobody has yet.

    Raises:
        BadParameter: the document, with place and reason; a name of the system. Conflict: a name in use.
    """
    principal.require(CREATE, finding.resource("policy", principal))
    read = _read(document)
    account = actions.account_of(principal.account_id)
    with snapshot.changing(principal, account.id):
        _free(principal, name)
        if Policy.objects.filter(account=account).count() >= MOST:
            raise WrongState(f"The account has {MOST} policies already.", next_step="Delete some first.")
        return actions.create_policy(
            account, name, read, actions.line(description, 255, "description"), by=principal
        )


def update(
    principal: Principal, policy_id: str, name: str | None, document: object, description: str | None
) -> Policy:
    """Changes a custom policy, wherever it is attached.

    Raises:
        WrongState: a system policy. Forbidden: somebody would get what the principal does not hold.
    """
    policy = _own(principal, UPDATE, policy_id)
    read = None if document is None else _read(document)
    with snapshot.changing(principal, principal.account_id):
        if name is not None and name != policy.name:
            _free(principal, name)
            policy.name = name
        if description is not None:
            policy.description = actions.line(description, 255, "description")
        if read is not None:
            policy.document = dict(read)
        policy.save(update_fields=["name", "description", "document"])
        audit.record(principal, UPDATE, resource=f"policy:{policy.id}", details={"name": policy.name})
    return policy


def delete(principal: Principal, policy_id: str) -> None:
    """Raises: WrongState: it is attached to groups, or a system policy."""
    policy = _own(principal, DELETE, policy_id)
    with snapshot.changing(principal, principal.account_id):
        held = [
            *Grant.objects.filter(policy=policy).values_list("group__name", flat=True),
            *AgencyGrant.objects.filter(policy=policy).values_list("agency__name", flat=True),
        ]
        if held:
            raise WrongState(
                f"The policy is attached to: {', '.join(sorted(set(held)))}.",
                next_step="Detach it there first.",
            )
        audit.record(principal, DELETE, resource=f"policy:{policy.id}", details={"name": policy.name})
        policy.delete()


def warnings(document: object) -> list[str]:
    """What the editor says about a policy that can be saved (IAM-9)."""
    found = rules.parse(document)
    return [ONLY_DENY] if all(one.effect is Effect.DENY for one in found) else []


def read_text(text: str) -> Mapping[str, object]:
    """A document typed by hand.

    Raises:
        BadParameter: no JSON, with line and column; a name that stands twice; what `rules.parse` refuses.
    """
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise BadParameter(
            f"This is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            next_step="Correct the policy document and save it again.",
            field="policy",
        ) from None
    except RecursionError:
        raise BadParameter("The document is nested too deeply.", field="policy") from None
    return _read(found)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A name that stands twice would lose one of its meanings without a word."""
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise BadParameter(
                f"{name!r} stands twice in one object.", next_step="Keep one of the two.", field="policy"
            )
        found[name] = value
    return found


def _read(document: object) -> Mapping[str, object]:
    rules.parse(document)
    found = cast(Mapping[str, object], document)  # parse has seen to it
    length = len(json.dumps(found, separators=(",", ":"), ensure_ascii=False))
    if length > rules.MAX_DOCUMENT:
        raise BadParameter(
            f"The document has {length} characters; {rules.MAX_DOCUMENT} are the most.",
            next_step="Split it into two policies.",
            field="policy",
        )
    return found


def _own(principal: Principal, action: str, policy_id: str) -> Policy:
    policy = finding.policy(principal, action, policy_id)
    if policy.account_id is None:
        raise WrongState(
            "System policies cannot be changed.", next_step="Make a custom policy with what you need."
        )
    return policy


def _free(principal: Principal, name: str) -> None:
    actions.check_policy_name(name)
    taken = Policy.objects.filter(Q(account_id=principal.account_id) | Q(account=None), name=name)
    if taken.exists():
        raise Conflict(f"There is a policy {name!r} already.", next_step="Choose another name.")
