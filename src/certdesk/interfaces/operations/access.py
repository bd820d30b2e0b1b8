"""Policies, the simulator and access keys (IAM-2, IAM-3, IAM-7)."""

from functools import partial

from certdesk.foundation.common.clock import wire
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import keys, policies, simulator
from certdesk.foundation.iam.models import AccessKey, Policy
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates.queries import described

from . import paging
from . import people_schemas as schemas
from .people import both
from .registry import operation
from .schemas import PageQuery
from .shapes import Shape

ROLES, CREDENTIALS = "/v3.0/OS-ROLE/roles", "/v3.0/OS-CREDENTIAL/credentials"
_ROLE, _CREDENTIAL = f"{ROLES}/{{id}}", f"{CREDENTIALS}/{{id}}"


def policy_shape(policy: Policy) -> Shape:
    own = policy.account_id is not None
    return {
        "id": policy.id,
        "name": policy.name,
        "display_name": policy.name,
        "description": policy.description,
        "catalog": "CUSTOMED" if own else "SYSTEM",
        "type": "AX",
        "domain_id": policy.account_id or "",
        "policy": policy.document,
        "warnings": policies.warnings(policy.document) if own else [],
    }


def key_shape(key: AccessKey) -> Shape:
    return {
        "id": key.access_key,
        "access": key.access_key,
        "user_id": key.user_id,
        "user_name": key.user.name,
        "description": key.description,
        "status": "active" if key.enabled else "inactive",
        "create_time": wire(key.created_at),
        "last_use_time": wire(key.last_used_at),
    }


@operation("policies.list", "GET", ROLES, policies.LIST, query=PageQuery)
def roles(principal: Principal, query: PageQuery) -> Shape:
    """System policies first, then the account's own, each by name."""
    found = list(policies.listed(principal))
    rows, behind = paging.after(found, query.limit, query.marker)
    items = [policy_shape(one) for one in rows]
    return {"items": items, "roles": items, "next_marker": behind}


@operation("policies.create", "POST", ROLES, policies.CREATE, request=schemas.NewPolicy, success=201)
def create_role(principal: Principal, body: schemas.NewPolicy) -> Shape:
    """A custom policy, Version "1.1"; a refusal says where in the document and why."""
    name = body.display_name or body.name
    return both("role", policy_shape(policies.create(principal, name, body.policy, body.description)))


@operation("policies.show", "GET", _ROLE, policies.GET)
def show_role(principal: Principal, id: str) -> Shape:  # noqa: A002
    """A policy with its document."""
    return both("role", policy_shape(policies.fetch(principal, id)))


@operation("policies.update", "PUT", _ROLE, policies.UPDATE, request=schemas.PolicyChange)
def update_role(principal: Principal, id: str, body: schemas.PolicyChange) -> Shape:  # noqa: A002
    """Changes a custom policy wherever it is attached; refused where it would give what you do not hold."""
    name = body.display_name or body.name
    return both("role", policy_shape(policies.update(principal, id, name, body.policy, body.description)))


@operation("policies.delete", "DELETE", _ROLE, policies.DELETE, success=204)
def delete_role(principal: Principal, id: str) -> None:  # noqa: A002
    """Deletes a custom policy that is attached nowhere."""
    policies.delete(principal, id)


@operation(
    "policies.simulate", "POST", "/v3/scm/policies/simulate", simulator.SIMULATE, request=schemas.Question
)
def simulate(principal: Principal, body: schemas.Question) -> Shape:
    """Whether a user may do something, and which statements say so; nothing is done."""
    answer = simulator.simulate(
        principal, body.user, body.action, body.resource, body.context, partial(described, principal)
    )
    return {
        "decision": "ALLOW" if answer.allowed else "DENY",
        "matched": [
            {"policy": one.policy, "statement": one.statement, "effect": one.effect.value}
            for one in answer.matched
        ],
        "missing": "" if answer.allowed else answer.action,
        "reason": simulator.reason(answer),
    }


@operation("access_keys.list", "GET", CREDENTIALS, keys.LIST, query=schemas.KeyQuery, everyone=True)
def credentials(principal: Principal, query: schemas.KeyQuery) -> Shape:
    """One's own keys; with the right those of one user, or of all. No secrets."""
    found = keys.listed(principal, query.user_id).order_by("access_key").filter(access_key__gt=query.marker)
    rows, more = paging.cut(found, query.limit)
    items = [key_shape(one) for one in rows]
    return {"items": items, "credentials": items, "next_marker": rows[-1].access_key if more else None}


@operation(
    "access_keys.create",
    "POST",
    CREDENTIALS,
    keys.CREATE,
    request=schemas.NewKey,
    success=201,
    everyone=True,
)
def create_credential(principal: Principal, body: schemas.NewKey) -> Shape:
    """A key for oneself, or with the right for another user; the secret is shown this once."""
    key, secret = keys.create(principal, body.user_id, body.description)
    return both("credential", {**key_shape(key), "secret": secret})


@operation("access_keys.show", "GET", _CREDENTIAL, keys.GET, everyone=True)
def show_credential(principal: Principal, id: str) -> Shape:  # noqa: A002
    """One key, without its secret."""
    return both("credential", key_shape(keys.fetch(principal, id)))


@operation("access_keys.update", "PUT", _CREDENTIAL, keys.UPDATE, request=schemas.KeyChange, everyone=True)
def update_credential(principal: Principal, id: str, body: schemas.KeyChange) -> Shape:  # noqa: A002
    """Switches a key on or off (`status` active or inactive), or describes it anew."""
    if body.status not in (None, "active", "inactive"):
        raise BadParameter("status must be active or inactive.", field="status")
    enabled = body.enabled if body.status is None else body.status == "active"
    return both("credential", key_shape(keys.update(principal, id, enabled, body.description)))


@operation("access_keys.delete", "DELETE", _CREDENTIAL, keys.DELETE, success=204, everyone=True)
def delete_credential(principal: Principal, id: str) -> None:  # noqa: A002
    """Destroys a key and its secret."""
    keys.delete(principal, id)
