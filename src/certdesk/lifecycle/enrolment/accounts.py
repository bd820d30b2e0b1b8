"""ACME accounts: bound to a credential, found by key, changed, deactivated (RFC 8555 §7.3)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import ids
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, Via
from certdesk.foundation.iam.queries import active_user, principal_of

from . import queries, rules
from .errors import AcmeError, malformed, unauthorized
from .models import Account, AccountState, Authorization, AuthorizationState, Credential, Order, OrderState

MOST_CONTACTS = 5
LONGEST_CONTACT = 320

REGISTERED, DEACTIVATED, REKEYED = "acme.account_bound", "acme.account_deactivated", "acme.account_rekeyed"


def principal(account: Account, source: str = "", request_id: str = "") -> Principal:
    """The user behind the account with the rights of this moment (law 5).

    Raises:
        AcmeError: the user is gone or switched off.
    """
    user = active_user.first(account.credential.user_id)
    if user is None or user.account_id != account.credential.account_id:
        raise unauthorized("The user of this account's credential is gone or switched off.")
    return principal_of(user, Via.ACME, source=source, request_id=request_id)


def by_id(account_id: str) -> Account | None:
    return queries.account_by_id.first(account_id)


def by_key(thumbprint: str) -> Account | None:
    return Account.objects.select_related("credential").filter(thumbprint=thumbprint).first()


def check_usable(account: Account) -> None:
    """Raises:
    AcmeError: it is deactivated, or its credential was taken back.
    """
    if account.state != AccountState.VALID:
        raise unauthorized(f"This account is {account.state}.", "Register another key.")
    if account.credential.deleted_at is not None:
        raise unauthorized("The credential of this account was taken back.", "Ask for another one.")


def credential(kid: str) -> Credential:
    """The credential of an external account binding.

    Raises:
        AcmeError: there is none; one text for unknown and taken back.
    """
    found = Credential.objects.filter(id=kid, deleted_at=None).first()
    if found is None:
        raise unauthorized("The key id of the external account binding is not known.")
    return found


def register(
    bound: Credential,
    thumbprint: str,
    jwk: Mapping[str, Any],
    contact: Sequence[str],
    now: datetime,
    source: str,
) -> tuple[Account, bool]:
    """A new account, or the one that this key has; True where it is new."""
    account = Account(
        id=ids.hex32(),
        credential=bound,
        thumbprint=thumbprint,
        jwk=dict(jwk),
        contact=list(contact),
        created_at=now,
    )
    who = principal(account, source)
    try:
        with short_transaction():
            account.save(force_insert=True)
            Credential.objects.filter(id=bound.id).update(used_at=now)
            _note(who, REGISTERED, account)
    except IntegrityError:  # another request of the same client was quicker
        found = by_key(thumbprint)
        if found is None:
            raise
        return found, False
    return account, True


def contacts(given: object) -> list[str]:
    """The checked contact URLs (RFC 8555 §7.3).

    Raises:
        AcmeError: malformed, unsupportedContact or invalidContact.
    """
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise malformed("contact must be a list of strings.")
    if len(given) > MOST_CONTACTS:
        raise AcmeError("invalidContact", f"An account has at most {MOST_CONTACTS} contacts.")
    for one in given:
        _check_contact(one)
    return list(given)


def _check_contact(one: str) -> None:
    scheme, _, address = one.partition(":")
    if scheme.lower() != "mailto":
        raise AcmeError("unsupportedContact", "Contacts are mailto: addresses.")
    local, at, domain = address.partition("@")
    plain = len(one) <= LONGEST_CONTACT and one.isprintable() and not set(",?% <>") & set(address)
    if not (plain and local and at and "." in domain and "@" not in domain):
        raise AcmeError("invalidContact", "A contact is one plain address, as in mailto:ada@example.com.")


def update_contact(account: Account, contact: Sequence[str]) -> None:
    Account.objects.filter(id=account.id).update(contact=list(contact))
    account.contact = list(contact)


def deactivate(account: Account, now: datetime, source: str) -> None:
    """Ends it for good: its open orders and authorisations with it (RFC 8555 §7.3.6)."""
    who = principal(account, source)
    with short_transaction():
        if not Account.objects.filter(id=account.id, state=AccountState.VALID).update(
            state=AccountState.DEACTIVATED
        ):
            return
        Order.objects.filter(account=account, state=OrderState.PENDING).update(state=OrderState.INVALID)
        Authorization.objects.filter(account=account, state=AuthorizationState.PENDING).update(
            state=AuthorizationState.DEACTIVATED
        )
        _note(who, DEACTIVATED, account)
    account.state = AccountState.DEACTIVATED


def change_key(account: Account, jwk: Mapping[str, Any], now: datetime, source: str) -> None:
    """Another key for the account (RFC 8555 §7.3.5).

    Raises:
        AcmeError: 409 where that key has an account; `headers` names it.
    """
    thumb = rules.thumbprint(jwk)
    who = principal(account, source)
    try:
        with short_transaction():
            changed = Account.objects.filter(
                id=account.id, thumbprint=account.thumbprint, state=AccountState.VALID
            )
            if not changed.update(thumbprint=thumb, jwk=dict(jwk)):
                raise malformed("The account has been given another key meanwhile.", 409)
            _note(who, REKEYED, account)
    except IntegrityError:
        holder = by_key(thumb)
        raise AcmeError(
            "malformed",
            "The new key belongs to an account already.",
            status=409,
            extra={},
            headers={"Location": holder.id if holder else ""},
        ) from None
    account.thumbprint, account.jwk = thumb, dict(jwk)


def _note(who: Principal, event: str, account: Account) -> None:
    audit.record(
        who,
        event,
        resource=f"acme-account:{account.id}",
        account_id=account.credential.account_id,
        details={"credential": account.credential_id},
    )
