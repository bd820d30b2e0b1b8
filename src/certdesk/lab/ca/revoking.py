"""Revocation: at once, or when an administrator of the account has approved it."""

import secrets
from collections.abc import Mapping
from typing import Any

from certdesk.lab.ca import asked
from certdesk.lab.ca.errors import Refused, invalid
from certdesk.lab.ca.office import Office
from certdesk.lab.ca.state import Order, Request, to_prove

_REASONS = frozenset(
    {"unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation"}
)


def revoke(office: Office, identifier: str, body: Mapping[str, Any]) -> Request | None:
    """None when it is done at once; else the request that an administrator has to approve."""
    order, one = office.certificate(identifier)
    if (asked.text(body, "revocation_reason") or "unspecified") not in _REASONS:
        raise invalid("revocation_reason", "revocation_reason is not a reason for TLS certificates.")
    if one.status == "revoked":
        raise Refused(400, "certificate_already_revoked", "The certificate is already revoked.")
    if order.work is not None:
        raise Refused(400, "pending_reissue", "A certificate with a pending reissue cannot be revoked.")
    if any(other.kind == "revoke" and other.status == "pending" for other in order.requests):
        raise Refused(400, "duplicate_request", "A request to revoke is already pending.")
    _want_control(office, order)
    made = Request(office.number(), "revoke", "pending", office.now(), asked.text(body, "comments"))
    made.certificate = one.id
    order.requests.append(made)
    if body.get("skip_approval") is not True:
        return made
    made.status = "approved"
    carry_out(office, order, made)
    return None


def _want_control(office: Office, order: Order) -> None:
    """Where it is set so: a fresh random value has to be shown for each domain. Mails are not asked for."""
    if not office.revocation_proof or order.method == "email":
        return
    if not order.ending:
        order.ending, order.token = True, secrets.token_hex(16)
    if not all(office.prover.shown(order.method, name, order.token) for name in to_prove(order.names)):
        words = "Control of the domains has to be shown again before a revocation."
        raise Refused(400, "domain_control_required", words)
    order.ending = False


def carry_out(office: Office, order: Order, request: Request) -> None:
    for one in order.certificates:
        if one.id == request.certificate:
            one.status, one.revoked_at = "revoked", office.now()
    if all(one.status == "revoked" for one in order.certificates):
        order.status = "revoked"
