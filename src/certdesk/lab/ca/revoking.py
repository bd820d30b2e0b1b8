"""Revocation: at once, or when an administrator of the account has approved it."""

import secrets
from collections.abc import Mapping
from typing import Any

from certdesk.lab.ca import asked, people
from certdesk.lab.ca.errors import Refused, invalid
from certdesk.lab.ca.office import Office
from certdesk.lab.ca.state import Certificate, Order, Request, to_prove

_REASONS = frozenset(
    {"unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation"}
)


def revoke(office: Office, identifier: str, body: Mapping[str, Any]) -> Request | None:
    """None when it is done at once; else the request that an administrator has to approve.

    Not with the lock held: where control of the domains has to be shown again, it looks for that outside.
    """
    with office.lock:
        order, _ = _revocable(office, identifier, body)
        _want_control(office, order)
        wanted, token = tuple(order.again or ()), order.token
    seen = {name for name in wanted if office.prover.shown(order.method, name, token)}
    with office.lock:
        order, one = _revocable(office, identifier, body)  # it may have changed meanwhile
        _note_shown(order, seen)
        return _requested(office, order, one, body)


def _revocable(office: Office, identifier: str, body: Mapping[str, Any]) -> tuple[Order, Certificate]:
    order, one = office.certificate(identifier)
    if (asked.text(body, "revocation_reason") or "unspecified") not in _REASONS:
        raise invalid("revocation_reason", "revocation_reason is not a reason for TLS certificates.")
    if one.status == "revoked":
        raise Refused(400, "certificate_already_revoked", "The certificate is already revoked.")
    if order.work is not None:
        raise Refused(400, "pending_reissue", "A certificate with a pending reissue cannot be revoked.")
    if any(other.kind == "revoke" and other.status == "pending" for other in order.requests):
        raise Refused(400, "duplicate_request", "A request to revoke is already pending.")
    return order, one


def _requested(office: Office, order: Order, one: Certificate, body: Mapping[str, Any]) -> Request | None:
    made = Request(office.number(), "revoke", "pending", office.now(), asked.text(body, "comments"))
    made.certificate = one.id
    order.requests.append(made)
    if body.get("skip_approval") is not True:
        return made
    made.status = "approved"
    carry_out(office, order, made)
    return None


def _want_control(office: Office, order: Order) -> None:
    """Where it is set so: control of each domain has to be shown once more, with a fresh random value or by
    an answer to a fresh mail."""
    if not office.revocation_proof or order.again is not None:
        return
    order.again, order.token = set(to_prove(order.names)), secrets.token_hex(16)
    people.ask_again(office, order)


def _note_shown(order: Order, seen: set[str]) -> None:
    if order.again is None:
        return
    order.again -= seen
    if order.again:
        words = "Control of the domains has to be shown again before a revocation."
        raise Refused(400, "domain_control_required", words)
    order.again = None


def carry_out(office: Office, order: Order, request: Request) -> None:
    for one in order.certificates:
        if one.id == request.certificate:
            one.status, one.revoked_at = "revoked", office.now()
    if all(one.status == "revoked" for one in order.certificates):
        order.status = "revoked"
