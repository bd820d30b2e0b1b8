"""Accounts on the wire: new, read and changed, another key, list of orders (RFC 8555 §7.3)."""

import hashlib
import hmac

from django.http import HttpRequest, HttpResponse

from certdesk.lifecycle.enrolment import accounts, credentials, orders, rules
from certdesk.lifecycle.enrolment.errors import AcmeError, malformed, not_found, unauthorized
from certdesk.lifecycle.enrolment.models import Account, Credential

from . import documents, jws, keys
from .answers import json_answer
from .door import Call, account_of, open_call
from .gate import resource
from .keys import Key
from .strict import read

_TOLD = "externalAccountBinding is needed: ask an administrator for an ACME credential."


@resource("POST")
def new_account(request: HttpRequest) -> HttpResponse:
    call = open_call(request, by_jwk=True)
    wanted = call.wanted
    thumb = rules.thumbprint(call.key.jwk)
    known = accounts.by_key(thumb)
    if known is not None:
        accounts.check_usable(known)
        return _account(known, call, 200)
    if wanted.get("onlyReturnExisting") is True:
        raise AcmeError("accountDoesNotExist", "This key has no account.")
    contact = accounts.contacts(wanted.get("contact"))
    bound = _bound(call, wanted.get("externalAccountBinding"))
    made, new = accounts.register(bound, thumb, call.key.jwk, contact, call.now, call.source)
    return _account(made, call, 201 if new else 200)


def _account(one: Account, call: Call, status: int) -> HttpResponse:
    headers = {"Location": call.url("account", one.id)}
    return json_answer(documents.account(one, call.base), call.base, status, headers)


def _bound(call: Call, given: object) -> Credential:
    """The credential of the binding (RFC 8555 §7.3.4).

    Raises:
        AcmeError: externalAccountRequired, malformed, badSignatureAlgorithm or unauthorized.
    """
    if given is None:
        raise AcmeError("externalAccountRequired", _TOLD, status=403)
    inner = jws.parse(given)
    if inner.algorithm != "HS256":
        raise AcmeError(
            "badSignatureAlgorithm",
            "An external account binding is signed by HS256.",
            extra={"algorithms": ["HS256"]},
        )
    if "nonce" in inner.protected or "kid" not in inner.protected:
        raise malformed("The header of the binding has alg, kid and url, and no nonce.")
    if inner.url != call.message.url:
        raise malformed("The url of the binding is not the one of the request.")
    if _public(read(inner.payload, "The payload of the binding")) != call.key.jwk:
        raise malformed("The payload of the binding is not the key of the account.")
    found = accounts.credential(inner.protected["kid"])
    mac = hmac.new(credentials.key_of(found), inner.signed, hashlib.sha256).digest()
    if not hmac.compare_digest(mac, inner.signature):
        raise unauthorized("The signature of the external account binding is wrong.")
    return found


def _public(jwk: object) -> dict[str, object]:
    return keys.read(jwk).jwk


@resource("POST")
def account(request: HttpRequest, account_id: str) -> HttpResponse:
    """Read, changed or deactivated."""
    call = open_call(request, by_jwk=False)
    one = _own(call, account_id)
    if not call.message.is_get:
        _change(call, one)
    return _account(one, call, 200)


def _own(call: Call, account_id: str) -> Account:
    if call.known.id != account_id:
        raise (
            not_found("account")
            if accounts.by_id(account_id[:64]) is None
            else unauthorized("This is another account.")
        )
    return call.known


def _change(call: Call, one: Account) -> None:
    wanted = call.wanted
    status = wanted.get("status")
    if status == "deactivated":
        accounts.deactivate(one, call.now, call.source)
        return
    if status not in (None, one.state):
        raise malformed("An account takes the status deactivated, and no other.")
    if "contact" in wanted:
        accounts.update_contact(one, accounts.contacts(wanted["contact"]))


@resource("POST")
def account_orders(request: HttpRequest, account_id: str) -> HttpResponse:
    """RFC 8555 §7.1.2.1: the newest hundred."""
    call = open_call(request, by_jwk=False)
    call.require_get()
    one = _own(call, account_id)
    return json_answer({"orders": [call.url("order", each) for each in orders.listed(one)]}, call.base)


@resource("POST")
def key_change(request: HttpRequest) -> HttpResponse:
    """RFC 8555 §7.3.5: a request of the old key that holds one of the new key."""
    call = open_call(request, by_jwk=False)
    new = _new_key(call)
    accounts.change_key(call.known, new.jwk, call.now, call.source)
    return _account(call.known, call, 200)


def _new_key(call: Call) -> Key:
    inner = jws.parse(call.message.payload)
    jws.check_algorithm(inner)
    if "jwk" not in inner.protected or "nonce" in inner.protected:
        raise malformed("The inner header has alg, jwk and url, and no nonce.")
    if inner.url != call.message.url:
        raise malformed("The url of the inner header is not the one of the outer one.")
    new = keys.read(inner.protected["jwk"])
    keys.verify(new, inner.algorithm, inner.signature, inner.signed)
    said = inner.object()
    if not isinstance(said.get("account"), str) or account_of(said["account"], call.base).id != call.known.id:
        raise malformed("account is not the account that asks.")
    if _public(said.get("oldKey")) != call.known.jwk:
        raise malformed("oldKey is not the key of the account.")
    return new
