"""The resources of the ACME server (RFC 8555, 8737, 8738, 9773)."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from certdesk.foundation.common import clock
from certdesk.lifecycle.campaigns import queries as campaigns
from certdesk.lifecycle.enrolment import advice, authorizations, finalizing, orders, revoking
from certdesk.lifecycle.enrolment.errors import malformed
from certdesk.lifecycle.enrolment.models import Challenge, ChallengeState, Order, OrderState

from . import accounts, documents
from .answers import empty, json_answer, text_answer
from .door import ROOT, base_of, open_call
from .gate import resource
from .strict import unb64

PEM_CHAIN = "application/pem-certificate-chain"
PROOF, ISSUANCE = "1", "2"
"""Seconds between two questions about what is under way: most proofs are found within one."""
Answer = HttpResponse


@resource("GET")
def directory(request: HttpRequest) -> Answer:
    base = base_of(request)
    return json_answer(documents.directory(base), base)


@resource("GET")
def new_nonce(request: HttpRequest) -> Answer:
    """RFC 8555 §7.2: HEAD answers 200, GET 204."""
    return empty(base_of(request), 200 if request.method == "HEAD" else 204)


@resource("GET")
def renewal_info(request: HttpRequest, certificate: str) -> Answer:
    """RFC 9773 §4.1; nobody has to sign: it tells no more than the certificate does."""
    found = advice.window(certificate, clock.now(), campaigns.wants_replaced)
    window = {"start": documents.moment(found.start), "end": documents.moment(found.end)}
    headers = {"Retry-After": str(advice.ASK_AGAIN)}
    return json_answer({"suggestedWindow": window}, base_of(request), headers=headers)


@resource("POST")
def new_order(request: HttpRequest) -> Answer:
    call = open_call(request, by_jwk=False)
    order = orders.place(call.known, call.wanted, call.now, call.source)
    return _order(order, call.base, call.now, 201)


def _order(order: Order, base: str, now: datetime, status: int = 200) -> Answer:
    proofs = authorizations.of_order(order)
    state = orders.state_of(order, now, proofs)
    headers = {"Location": f"{base}{ROOT}/order/{order.id}"}
    if state == OrderState.PROCESSING:
        headers["Retry-After"] = ISSUANCE
    return json_answer(documents.order(order, proofs, state, base), base, status, headers)


@resource("POST")
def order(request: HttpRequest, order_id: str) -> Answer:
    call = open_call(request, by_jwk=False)
    call.require_get()
    found = finalizing.settle(orders.of(call.known, order_id), call.now)
    return _order(found, call.base, call.now)


@resource("POST")
def finalize(request: HttpRequest, order_id: str) -> Answer:
    call = open_call(request, by_jwk=False)
    found = orders.of(call.known, order_id)
    der = unb64(call.wanted.get("csr"), "csr")
    done = finalizing.finalize(call.known, found, der, call.now, call.source, signed_by=call.key.spki)
    return _order(done, call.base, call.now)


@resource("POST")
def certificate(request: HttpRequest, order_id: str, number: int = 0) -> Answer:
    """The usual chain or another one, with links to all others (RFC 8555 §7.4.2)."""
    call = open_call(request, by_jwk=False)
    call.require_get()
    found = orders.of(call.known, order_id)
    chains = finalizing.every_chain(found, call.now)
    if number >= len(chains):
        raise malformed("The certificate has no such chain.", 404)
    answer = text_answer(chains[number], PEM_CHAIN, call.base)
    at = f"{call.base}{ROOT}/certificate/{order_id}"
    for other in range(len(chains)):
        if other != number:
            url = f"{at}/{other}" if other else at
            answer.headers["Link"] = f'{answer.headers["Link"]}, <{url}>;rel="alternate"'
    return answer


@resource("POST")
def new_authz(request: HttpRequest) -> Answer:
    """RFC 8555 §7.4.1."""
    call = open_call(request, by_jwk=False)
    made = orders.preauthorize(call.known, call.wanted, call.now, call.source)
    headers = {"Location": call.url("authz", made.id)}
    return json_answer(documents.authorization(made, call.now, call.base), call.base, 201, headers)


@resource("POST")
def authz(request: HttpRequest, authz_id: str) -> Answer:
    """Read by POST-as-GET, or deactivated (RFC 8555 §7.5, §7.5.2)."""
    call = open_call(request, by_jwk=False)
    found = authorizations.of(call.known, authz_id)
    if not call.message.is_get:
        if call.wanted != {"status": "deactivated"}:
            raise malformed("An authorization takes the status deactivated, and nothing else.")
        found = authorizations.deactivate(found, call.now, call.source)
    document = documents.authorization(found, call.now, call.base)
    looked_at = any(one["status"] == ChallengeState.PROCESSING for one in document["challenges"])
    headers = {"Retry-After": PROOF} if document["status"] == "pending" and looked_at else {}
    return json_answer(document, call.base, headers=headers)


@resource("POST")
def challenge(request: HttpRequest, challenge_id: str) -> Answer:
    """Read by POST-as-GET, answered with an object (RFC 8555 §7.5.1)."""
    call = open_call(request, by_jwk=False)
    found = authorizations.challenge_of(call.known, challenge_id)
    if not call.message.is_get:
        call.message.object()
        found = authorizations.answer(call.known, found, call.now)
    return _challenge(found, call.base)


def _challenge(found: Challenge, base: str) -> Answer:
    up = f'<{base}{ROOT}/authz/{found.authorization_id}>;rel="up"'
    response = json_answer(documents.challenge(found, base), base)
    response.headers["Link"] = f"{response.headers['Link']}, {up}"
    if found.state == ChallengeState.PROCESSING:
        response.headers["Retry-After"] = PROOF
    return response


@resource("POST")
def revoke_cert(request: HttpRequest) -> Answer:
    """RFC 8555 §7.6: signed by an account, or by the certificate's own key."""
    call = open_call(request, by_jwk=None)
    der = unb64(call.wanted.get("certificate"), "certificate")
    reason = revoking.read_reason(call.wanted.get("reason"))
    if call.account is None:
        revoking.by_key(call.key.spki, der, reason, call.now)
    else:
        revoking.by_account(call.account, der, reason, call.now, call.source)
    return empty(call.base)


ROUTES: list[URLPattern] = [
    path("acme/authz/<str:authz_id>", authz),
    path("acme/order/<str:order_id>", order),
    path("acme/challenge/<str:challenge_id>", challenge),
    path("acme/certificate/<str:order_id>", certificate),
    path("acme/new-order", new_order),
    path("acme/order/<str:order_id>/finalize", finalize),
    path("acme/directory", directory),
    path("acme/new-nonce", new_nonce),
    path("acme/renewal-info/<str:certificate>", renewal_info),
    path("acme/new-account", accounts.new_account),
    path("acme/account/<str:account_id>", accounts.account),
    path("acme/account/<str:account_id>/orders", accounts.account_orders),
    path("acme/key-change", accounts.key_change),
    path("acme/certificate/<str:order_id>/<int:number>", certificate),
    path("acme/new-authz", new_authz),
    path("acme/revoke-cert", revoke_cert),
]
"""What clients ask for most comes first: they are tried in this order."""
