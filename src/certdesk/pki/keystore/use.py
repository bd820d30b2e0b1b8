"""Where a private key is held in plain: to sign with, or to hand to its owner (promise 13)."""

from collections.abc import Mapping, Sequence

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.foundation.sealing import actions as sealing
from certdesk.pki.x509 import keys
from certdesk.pki.x509.csr_making import make_csr
from certdesk.pki.x509.keys import PrivateKey

from . import queries, token_keys
from .actions import HOUSE, SECRET_PURPOSE
from .errors import KeyElsewhere, KeyMissing
from .models import Held

_authority_keys: dict[str, PrivateKey] = {}


def private_key(key_id: str, tenant: str) -> PrivateKey:
    """The key, ready to sign. Keys of the authority are loaded once a process, others each time.

    Our own seal proves the bytes, so the RSA consistency check (40 ms, holding the interpreter) is skipped.

    Raises:
        KeyMissing: no such key in this account, or destroyed.
        KeyElsewhere: it is kept outside this installation.
        SealBroken, KekRefused: from the sealing room.
    """
    held = _authority_keys.get(key_id) if tenant == HOUSE else None
    if held is not None:
        return held
    found = queries.where(key_id, tenant)
    if found is None:
        raise KeyMissing(
            "This account has no such private key, or it was destroyed.", next_step="Make a new key."
        )
    key = _loaded(found, tenant)
    if found.purpose == "authority" and tenant == HOUSE:
        _authority_keys[key_id] = key
    return key


def _loaded(found: queries.Where, tenant: str) -> PrivateKey:
    if found.held is Held.TOKEN:
        return token_keys.load(found.object_id, found.spki)
    if found.held is Held.ELSEWHERE:
        raise KeyElsewhere(
            "The private key of this root is not in this installation.",
            next_step="Sign where the key is: certdesk ca ceremony, see docs/pki.md.",
        )
    return keys.private_from_der(sealing.unseal(found.secret_id, tenant, SECRET_PURPOSE))


def signed_request(key_id: str, tenant: str, names: Sequence[str], company: Mapping[str, str]) -> str:
    """A CSR in PEM signed with the key; names and company as `csr_making.make_csr` takes them.

    Raises:
        as `private_key`.
    """
    return make_csr(private_key(key_id, tenant), names, company)


def forget_loaded() -> None:
    """Drop the authority keys that this process holds, e.g. after a restore put other ones in place."""
    _authority_keys.clear()


def export(
    principal: Principal, key_id: str, resource: Resource, *, right: str, name: str = ""
) -> PrivateKey:
    """The key for its owner, with an audit row that names actor, right and owner.

    Args:
        resource: the certificate or CSR the key belongs to; its account is the key's tenant.
        right: the IAM action that allows it, e.g. `scm:cert:export`; checked here again.
        name: what people call the resource, for the audit row.

    Raises:
        Forbidden, NotFound: the principal lacks the right, or the resource is of another account.
        KeyMissing: as in `private_key`.
    """
    principal.require(right, resource)
    tenant = resource.account_id or principal.account_id
    with sql.short_transaction():
        key = private_key(key_id, tenant)
        audit.record(
            principal,
            "keystore.export",
            resource=f"{resource.type}:{resource.id}",
            account_id=tenant,
            details={"key": key_id, "right": right, "owner": resource.owner_id or tenant}
            | ({"name": name} if name else {}),
        )
    return key
