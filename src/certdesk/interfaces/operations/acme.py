"""Credentials for ACME clients (API §10). The HMAC key is in the answer that makes one, and never again."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.enrolment import credentials
from certdesk.lifecycle.enrolment.models import Credential

from . import paging
from .acme_schemas import CredentialChange, NewCredential
from .registry import operation
from .schemas import PageQuery
from .shapes import Shape

BASE = "/v3/scm/acme-credentials"
ONE = f"{BASE}/{{id}}"


def _shape(one: Credential) -> Shape:
    return {
        "kid": one.id,
        "label": one.label,
        "user_id": one.user_id,
        "names": one.names,
        "types": one.types,
        "issuer": one.issuer,
        "quota": one.quota,
        "issued": one.issued,
        "directory": credentials.directory(),
        "created_at": wire(one.created_at),
        "updated_at": wire(one.updated_at),
        "used_at": wire(one.used_at),
    }


@operation("acme_credentials.list", "GET", BASE, credentials.LIST, query=PageQuery)
def listed(principal: Principal, query: PageQuery) -> Shape:
    """The account's ACME credentials, oldest first; without their keys."""
    found = credentials.listed(principal)
    rows, behind = paging.after(found, query.limit, query.marker)
    return {"items": [_shape(one) for one in rows], "next_marker": behind}


@operation("acme_credentials.create", "POST", BASE, credentials.CREATE, request=NewCredential, success=201)
def create(principal: Principal, body: NewCredential) -> Shape:
    """A credential of the caller: clients that register with it act with the caller's rights of the moment.
    The HMAC key is shown this once."""
    made, key = credentials.create(
        principal,
        clock.now(),
        label=body.label,
        names=body.names,
        types=body.types,
        issuer=body.issuer,
        quota=body.quota,
    )
    return {"kid": made.id, "hmac_key": key, "directory": credentials.directory()}


@operation("acme_credentials.show", "GET", ONE, credentials.GET)
def show(principal: Principal, id: str) -> Shape:  # noqa: A002 the path parameter of the contract
    """One credential, without its key."""
    return _shape(credentials.fetch(principal, credentials.GET, id))


@operation("acme_credentials.update", "PUT", ONE, credentials.UPDATE, request=CredentialChange)
def update(principal: Principal, id: str, body: CredentialChange) -> Shape:  # noqa: A002
    """Changes what it may ask for, also for clients that have registered with it already."""
    changed = credentials.edit(
        principal,
        id,
        clock.now(),
        label=body.label,
        names=body.names,
        types=body.types,
        issuer=body.issuer,
        quota=body.quota or None,
        quota_given=body.quota is not None,
    )
    return _shape(changed)


@operation("acme_credentials.delete", "DELETE", ONE, credentials.DELETE, success=204)
def delete(principal: Principal, id: str) -> None:  # noqa: A002
    """Takes it back: clients that registered with it are refused from now on; certificates stay."""
    credentials.remove(principal, id, clock.now())
