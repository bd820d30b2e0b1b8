"""Passkeys (WebAuthn): registered with names, shown in place of a password or as the second factor, removed.

The device asks its user for a finger, face or PIN every time (`user verification`), so a passkey alone is two
factors. Guesses are not counted: there is nothing to guess.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorData,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import settings, sql
from certdesk.foundation.common.errors import BadParameter, Conflict, WrongState

from . import actions, finding, second_factor
from .models import Passkey, User
from .principal import Principal, Via
from .queries import principal_of

MOST = 20
LIFE_SECONDS = 300
"""So long a challenge may be answered."""
_Broken = (ValueError, KeyError, TypeError, IndexError, AttributeError, NotImplementedError, struct.error)
_VERIFIED = UserVerificationRequirement.REQUIRED


class Refused(BadParameter):
    """One text for whatever is wrong with an answer; the reason is of use to an attacker alone."""

    def __init__(self) -> None:
        super().__init__(
            "This passkey was not accepted.",
            next_step="Try again, or use another way to sign in.",
            field="answer",
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A challenge: what the browser gets, and what the session keeps until the answer.

    Attributes:
        options: for `navigator.credentials`, JSON with binary values in base64url.
        kept: challenge, purpose, moment and user; JSON too.
    """

    options: dict[str, Any]
    kept: dict[str, Any]


def problem() -> str:
    """Why this installation can have no passkeys; empty when it can."""
    found = urlsplit(settings.get().base_url)
    host = found.hostname or ""
    if host == "localhost" or (found.scheme == "https" and not _is_address(host)):
        return ""
    return "Passkeys need a host name and https in CERTDESK_EXTERNAL_URL; the operator sets it."


def listed(user: User) -> list[Passkey]:
    return list(Passkey.objects.filter(user=user).order_by("created_at", "id"))


def begin_registration(principal: Principal, now: datetime) -> Asked:
    """Raises: WrongState: this installation can have none, or the user has enough."""
    user = _able(principal)
    if Passkey.objects.filter(user=user).count() >= MOST:
        raise WrongState(f"You have {MOST} passkeys already.", next_step="Remove one first.")
    options, state = _server().register_begin(
        PublicKeyCredentialUserEntity(id=user.id.encode(), name=user.login, display_name=user.name),
        _descriptors(user),
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=_VERIFIED,
    )
    return _asked(options.public_key, state, "create", user.id, now)


def register(
    principal: Principal,
    kept: Mapping[str, Any] | None,
    answer: str,
    name: str,
    now: datetime,
    *,
    this: str = "",
) -> list[str]:
    """Keeps a new passkey; answers recovery codes where it is the first second factor.

    Args:
        kept: what `begin_registration` gave, taken out of the session: it is good for one answer.
        this: key of the session that stays where this is the first second factor.

    Raises:
        Refused. BadParameter: the name. Conflict: it is registered already.
    """
    user = _able(principal)
    label = actions.line(name.strip(), 64, "name") or "Passkey"
    state = _state(kept, "create", user.id, now)
    try:
        data = _server().register_complete(state, json.loads(answer))
        made = _credential(data)
    except _Broken:
        raise Refused() from None
    with sql.short_transaction():
        if Passkey.objects.filter(credential_id=websafe_encode(made.credential_id)).exists():
            raise Conflict("This passkey is registered already.", next_step="Use another device.")
        first = not second_factor.has(user.id)
        Passkey.objects.create(
            user=user,
            credential_id=websafe_encode(made.credential_id),
            credential=bytes(made),
            sign_count=data.counter,
            name=label,
            created_at=now,
        )
        if first:
            second_factor.end_other_sessions(user, this)
        audit.record(
            principal, "iam:users:enrolSecondFactor", resource=f"user:{user.id}", details={"kind": "passkey"}
        )
        return second_factor.first_codes(user)


def begin(user: User | None, now: datetime) -> Asked:
    """A challenge for one of the user's passkeys; without a user for any that the device finds itself."""
    if problem():
        raise WrongState(problem())
    options, state = _server().authenticate_begin(_descriptors(user) if user else None, _VERIFIED)
    return _asked(options.public_key, state, "get", user.id if user else "", now)


def check(kept: Mapping[str, Any] | None, answer: str, now: datetime, user: User | None = None) -> User:
    """Whose passkey answered.

    Args:
        kept: what `begin` gave, taken out of the session: a challenge is good for one answer.
        user: the only one who may answer.

    Raises:
        Refused: whatever is wrong, also a counter that went back: a copy of the device is about.
    """
    state = _state(kept, "get", user.id if user else "", now)
    try:
        response = AuthenticationResponse.from_dict(json.loads(answer))
        found = Passkey.objects.select_related("user__account").get(
            credential_id=websafe_encode(response.raw_id), user__is_active=True
        )
        if (user is not None and found.user_id != user.id) or not _is_handle(response, found.user_id):
            raise Refused()
        _server().authenticate_complete(state, [AttestedCredentialData(bytes(found.credential))], response)
    except (*_Broken, Passkey.DoesNotExist):
        raise Refused() from None
    _count(found, response.response.authenticator_data, now)
    return found.user


def remove(principal: Principal, passkey_id: str) -> None:
    """Removes one of one's own; the caller has asked for the second factor anew.

    Raises:
        NotFound: none of one's own. WrongState: the account wants a second factor, and this is the last.
    """
    user = User.objects.select_related("account").get(id=principal.user_id)
    with sql.short_transaction():
        if not Passkey.objects.filter(id=passkey_id, user=user).delete()[0]:
            raise finding.missing("passkey", passkey_id)
        second_factor.settle(user)
        audit.record(
            principal, "iam:users:removeSecondFactor", resource=f"user:{user.id}", details={"kind": "passkey"}
        )


def _able(principal: Principal) -> User:
    if problem():
        raise WrongState(problem())
    return User.objects.select_related("account").get(id=principal.user_id)


def _server() -> Fido2Server:
    """Bound to the address of this installation: its host is the RP id, its origin the only one."""
    found = urlsplit(settings.get().base_url)
    origin = f"{found.scheme}://{found.netloc}".lower()
    party = PublicKeyCredentialRpEntity(id=found.hostname, name="Certdesk")
    return Fido2Server(party, verify_origin=lambda given: given == origin)


def _descriptors(user: User) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            type=PublicKeyCredentialType.PUBLIC_KEY,
            id=AttestedCredentialData(bytes(one.credential)).credential_id,
        )
        for one in listed(user)
    ]


def _asked(options: Any, state: Mapping[str, Any], purpose: str, user_id: str, now: datetime) -> Asked:
    kept = {"challenge": state["challenge"], "for": purpose, "user": user_id, "at": now.timestamp()}
    return Asked(dict(options), kept)


def _state(kept: Mapping[str, Any] | None, purpose: str, user_id: str, now: datetime) -> dict[str, Any]:
    """Raises: Refused: no challenge, one for something or somebody else, or too old."""
    if kept is None or (kept["for"], kept["user"]) != (purpose, user_id):
        raise Refused()
    if not 0 <= now.timestamp() - kept["at"] < LIFE_SECONDS:
        raise Refused()
    return {"challenge": kept["challenge"], "user_verification": _VERIFIED}


def _credential(data: AuthenticatorData) -> AttestedCredentialData:
    made = data.credential_data
    if made is None or made.public_key.get(3) not in CoseKey.supported_algorithms():
        raise ValueError("alg")
    return made


def _is_handle(response: AuthenticationResponse, user_id: str) -> bool:
    handle = response.response.user_handle
    return handle is None or handle == user_id.encode()


def _count(found: Passkey, data: AuthenticatorData, now: datetime) -> None:
    """The counter only grows (WebAuthn 7.2, 22); devices that have none always say 0."""
    went_back = data.counter <= found.sign_count and (data.counter or found.sign_count)
    with sql.short_transaction():
        rows = Passkey.objects.filter(id=found.id, sign_count=found.sign_count)
        if not went_back and rows.update(sign_count=data.counter, last_used_at=now):
            return
        audit.record(
            principal_of(found.user, Via.CONSOLE),
            "iam:users:refuseCopiedPasskey",
            resource=f"user:{found.user_id}",
            details={"passkey": found.id},
        )
    raise Refused()


def _is_address(host: str) -> bool:
    return host.replace(".", "").isdigit() or ":" in host
