"""Credentials of ACME clients: made, listed, changed, taken back. The HMAC key is shown once."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import ids, settings
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind, NotFound, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.foundation.sealing import actions as sealing
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.pki.x509.names import parse_name

from .models import Account, AccountState, Credential

LIST, GET, CREATE = "scm:acmeCredential:list", "scm:acmeCredential:get", "scm:acmeCredential:create"
UPDATE, DELETE = "scm:acmeCredential:update", "scm:acmeCredential:delete"
MOST = 1000
MOST_NAMES = 100
MOST_QUOTA = 1_000_000
LONGEST_LABEL = 64
DIRECTORY_PATH = "/acme/directory"


def directory() -> str:
    """The address that clients are given."""
    return settings.get().base_url + DIRECTORY_PATH


def resource_of(account_id: str, credential_id: str = "", user_id: str = "") -> Resource:
    return Resource("acmeCredential", credential_id, account_id, "0", user_id)


def listed(principal: Principal) -> list[Credential]:
    """Those of the account that the principal may see, oldest first."""
    found = Credential.objects.filter(account_id=principal.account_id, deleted_at=None)
    return [
        one
        for one in found.order_by("created_at", "id")
        if principal.may(LIST, resource_of(one.account_id, one.id, one.user_id))
    ]


def fetch(principal: Principal, action: str, credential_id: str) -> Credential:
    """The credential, if the principal may do `action` with it (law 5).

    Raises:
        NotFound: missing, taken back or of another account; one text for all three.
        Forbidden: no policy allows the action.
    """
    found = Credential.objects.filter(id=credential_id, deleted_at=None).first()
    if found is None or not principal.owns(found.account_id):
        raise NotFound("There is no such ACME credential.", next_step="Look for it on the ACME page.")
    principal.require(action, resource_of(found.account_id, found.id, found.user_id))
    return found


def create(
    principal: Principal,
    now: datetime,
    *,
    user_id: str = "",
    label: str = "",
    names: Sequence[str] = (),
    types: Sequence[str] = (),
    issuer: str = "",
    quota: int | None = None,
) -> tuple[Credential, str]:
    """A credential and its HMAC key (base64url, 256 bits), which is not shown again.

    Args:
        user_id: whose it is; only the host's own command makes one for somebody else.

    Raises:
        Forbidden: no `scm:acmeCredential:create`.
        WrongState: by an agency; a user acts for clients in the account that is his own alone.
        BadParameter: a pattern, type, brand or number that does not fit.
    """
    if principal.agency:
        raise WrongState(
            "An ACME credential belongs to a user of this account, and you act in it by an agency.",
            next_step="Ask a user of this account to make it.",
        )
    owner = user_id or principal.user_id
    principal.require(CREATE, resource_of(principal.account_id, "", owner))
    types = _types(types, issuer)
    made = Credential(
        id=ids.hex32(),
        account_id=principal.account_id,
        user_id=owner,
        label=_label(label),
        names=_names(names),
        types=types,
        issuer=issuer,
        quota=_quota(quota),
        created_by=principal.user_id,
        created_at=now,
        updated_at=now,
    )
    key = secrets.token_bytes(32)
    with short_transaction():
        if Credential.objects.filter(account_id=made.account_id, deleted_at=None).count() >= MOST:
            raise CertdeskError(
                f"The account has {MOST} ACME credentials already.",
                next_step="Delete one that is not needed any more.",
                kind=Kind.QUOTA,
            )
        made.secret_id = sealing.seal(made.account_id, _purpose(made.id), key)
        made.save(force_insert=True)
        _note(principal, CREATE, made)
    return made, base64.urlsafe_b64encode(key).decode("ascii").rstrip("=")


def edit(
    principal: Principal,
    credential_id: str,
    now: datetime,
    *,
    label: str | None = None,
    names: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    issuer: str | None = None,
    quota: int | None = None,
    quota_given: bool = False,
) -> Credential:
    """Changes what it stands for, also for accounts that are bound to it already; None leaves as it is.

    Raises:
        NotFound, Forbidden: as `fetch` with `scm:acmeCredential:update`.
        BadParameter: as `create`.
    """
    one = fetch(principal, UPDATE, credential_id)
    one.label = one.label if label is None else _label(label)
    one.names = one.names if names is None else _names(names)
    if types is not None or issuer is not None:
        one.issuer = one.issuer if issuer is None else issuer
        one.types = _types(one.types if types is None else types, one.issuer)
    if quota_given:
        one.quota = _quota(quota)
    one.updated_at = now
    with short_transaction():
        one.save(update_fields=["label", "names", "types", "issuer", "quota", "updated_at"])
        _note(principal, UPDATE, one)
    return one


def remove(principal: Principal, credential_id: str, now: datetime) -> None:
    """Takes it back: its accounts are refused from now on. Certificates stay as they are.

    Raises:
        NotFound, Forbidden: as `fetch` with `scm:acmeCredential:delete`.
    """
    one = fetch(principal, DELETE, credential_id)
    with short_transaction():
        Credential.objects.filter(id=one.id).update(deleted_at=now, updated_at=now)
        Account.objects.filter(credential=one).update(state=AccountState.REVOKED)
        sealing.destroy(one.secret_id)
        _note(principal, DELETE, one)


def key_of(credential: Credential) -> bytes:
    """The HMAC key in plain; keep it no longer than the check that needs it."""
    return sealing.unseal(credential.secret_id, credential.account_id, _purpose(credential.id))


def _purpose(credential_id: str) -> str:
    return f"acme:{credential_id}"


def _label(text: str) -> str:
    found = " ".join(text.split())
    if len(found) > LONGEST_LABEL or not found.isprintable():
        raise BadParameter(
            f"The name of an ACME credential has at most {LONGEST_LABEL} characters.",
            next_step="Shorten it.",
            field="label",
        )
    return found


def _names(given: Sequence[str]) -> list[str]:
    """Patterns in canonical form: `example.com` alone, `*.example.com` for everything below it."""
    if len(given) > MOST_NAMES:
        raise BadParameter(
            f"A credential is limited to at most {MOST_NAMES} names.",
            next_step="Use *.example.com for everything below example.com.",
            field="names",
        )
    return list(
        dict.fromkeys(parse_name(one.strip(), allow_internal=True, allow_ip=True).text for one in given)
    )


def _types(given: Sequence[str], issuer: str) -> list[str]:
    """Types that the brand sells; without a brand none, since our own CA has its one."""
    book = catalogue()
    if not issuer:
        if given:
            raise BadParameter(
                "Certificate types go with a brand of the catalogue.",
                next_step="Give the brand as issuer, or leave the types out.",
                field="types",
            )
        return []
    sold = {one.type for one in book.products if one.brand == issuer and not one.free}
    if not sold:
        raise BadParameter(
            f"The brand {issuer[:24]!r} is not in the catalogue.",
            next_step=f"Use one of: {', '.join(book.brands)}; or none for the built-in CA.",
            field="issuer",
        )
    wrong = next((one for one in given if one not in sold), None)
    if wrong is not None or not given:
        raise BadParameter(
            "An ACME credential for a brand needs the certificate types that it may ask for.",
            next_step=f"Use one or more of: {', '.join(sorted(sold))}.",
            field="types",
        )
    return list(dict.fromkeys(given))


def _quota(given: int | None) -> int | None:
    if given is not None and not 1 <= given <= MOST_QUOTA:
        raise BadParameter(
            f"The quota of an ACME credential is 1 to {MOST_QUOTA} certificates.",
            next_step="Leave it out for any number.",
            field="quota",
        )
    return given


def _note(principal: Principal, action: str, one: Credential) -> None:
    audit.record(
        principal,
        action,
        resource=f"acme-credential:{one.id}",
        account_id=one.account_id,
        details={"label": one.label, "user": one.user_id, "names": one.names, "quota": one.quota},
    )
