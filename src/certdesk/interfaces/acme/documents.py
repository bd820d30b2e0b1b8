"""The objects of RFC 8555 §7.1 as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from certdesk.lifecycle.enrolment import authorizations, products
from certdesk.lifecycle.enrolment.models import Account, Authorization, Challenge, Order, OrderState

from .door import ROOT

Document = dict[str, Any]


def moment(value: datetime) -> str:
    """RFC 3339, UTC, whole seconds."""
    return f"{value.astimezone(UTC).isoformat()[:19]}Z"


def directory(base: str) -> Document:
    at = base + ROOT
    return {
        "newNonce": f"{at}/new-nonce",
        "newAccount": f"{at}/new-account",
        "newOrder": f"{at}/new-order",
        "newAuthz": f"{at}/new-authz",
        "revokeCert": f"{at}/revoke-cert",
        "keyChange": f"{at}/key-change",
        "renewalInfo": f"{at}/renewal-info",
        "meta": {"externalAccountRequired": True, "website": base, "profiles": products.profiles()},
    }


def account(one: Account, base: str) -> Document:
    return {
        "status": one.state,
        "contact": one.contact,
        "orders": f"{base}{ROOT}/account/{one.id}/orders",
    }


def _identifier(kind: str, value: str) -> Document:
    return {"type": kind, "value": value}


def order(one: Order, proofs: Sequence[Authorization], state: str, base: str) -> Document:
    """`proofs`: its authorisations."""
    at = base + ROOT
    found: Document = {
        "status": state,
        "expires": moment(one.expires_at),
        "identifiers": [_identifier(kind, name) for kind, name in zip(one.kinds, one.names, strict=True)],
        "authorizations": [f"{at}/authz/{each.id}" for each in proofs],
        "finalize": f"{at}/order/{one.id}/finalize",
    }
    if one.profile:
        found["profile"] = one.profile
    if one.replaces:
        found["replaces"] = one.replaces
    if one.error:
        found["error"] = one.error
    if state == OrderState.VALID:
        found["certificate"] = f"{at}/certificate/{one.id}"
    return found


def authorization(one: Authorization, now: datetime, base: str) -> Document:
    found: Document = {
        "identifier": _identifier(one.kind, one.value),
        "status": authorizations.state_of(one, now),
        "expires": moment(one.expires_at),
        "challenges": [challenge(each, base) for each in authorizations.shown(one)],
    }
    if one.wildcard:
        found["wildcard"] = True
    return found


def challenge(one: Challenge, base: str) -> Document:
    found: Document = {
        "type": one.type,
        "url": f"{base}{ROOT}/challenge/{one.id}",
        "status": one.state,
        "token": one.token,
    }
    if one.validated_at is not None:
        found["validated"] = moment(one.validated_at)
    if one.error:
        found["error"] = one.error
    return found
