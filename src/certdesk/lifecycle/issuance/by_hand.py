"""What an officer brings from a CA without an interface: the certificate, its no, or that it is revoked."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.certificates import queries as certificate_queries
from certdesk.lifecycle.certificates import versions
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.validation import officers
from certdesk.lifecycle.validation.organization_rules import DECIDE, Deed, check_not_applicant
from certdesk.pki.x509.certificates import chain_to_pem, is_self_issued, load_chain_pem

from . import acceptance, outside, outside_orders, outside_revoking, revoking
from .acceptance import Wrong
from .models import OutsideOrder, PlacementState

RIGHT = DECIDE
BROUGHT = "certificate.brought"
"""Audit action: an officer brought what the CA answered."""
ANSWER = Deed(
    "The answer of a CA is brought by a person, not by a job.",
    "You applied for this certificate, so you may not bring the answer of its CA.",
    "You may not bring the answer of the CA: your user belongs to the person who applied, or one of "
    "the two was made or given its rights by the other.",
)
MOST = 500  # characters of a refusal


def bring(principal: Principal, certificate_id: str, pem: str, now: datetime) -> State:
    """Takes the certificate and its chain, checked here as it will be before it is recorded.

    Args:
        pem: the server's certificate first, then those above it; a root at the end is left out.

    Raises:
        NotFound, Forbidden: no such certificate, no `scm:organization:decide` on it, or the officer is the
            applicant, or could be.
        WrongState: no order at a CA without an interface waits.
        BadCertificate, BadParameter: it cannot be read, or is not what was ordered.
    """
    certificate, order = _waiting(principal, certificate_id)
    chain = _without_root(load_chain_pem(pem))
    verdict = acceptance.check(chain, outside_orders.expected_of(order, now), now)
    if isinstance(verdict, Wrong):
        raise BadParameter(
            f"This is not the certificate that was ordered. {verdict.sentence}",
            next_step="Upload what the CA sent for this CSR: the certificate first, then its chain.",
            field="certificate",
        )
    _keep(principal, order, chain_to_pem(chain), "", "certificate")
    return State(certificate.state)


def _without_root(chain: list[bytes]) -> list[bytes]:
    root = len(chain) > 2 and is_self_issued(x509.load_der_x509_certificate(chain[-1]))
    return chain[:-1] if root else chain


def refuse(principal: Principal, certificate_id: str, words: str) -> State:
    """The CA will not issue it; its words end the application (ISS-4).

    Raises:
        as `bring`. BadParameter: no words, or too many.
    """
    told = " ".join(words.split())
    if not 0 < len(told) <= MOST:
        raise BadParameter(
            f"The words of the CA have 1 to {MOST} characters.",
            next_step="Write why it does not issue the certificate.",
            field="refusal",
        )
    certificate, order = _waiting(principal, certificate_id)
    _keep(principal, order, "", told, "refusal")
    return State(certificate.state)


def _waiting(principal: Principal, certificate_id: str) -> tuple[Certificate, OutsideOrder]:
    certificate = certificate_queries.fetch(principal, RIGHT, certificate_id)
    found = OutsideOrder.objects.select_related("application", "certificate", "placement")
    order = found.filter(certificate=certificate, live=True, leaving=False).exclude(handle="").first()
    if order is None or not outside.is_by_hand(order.issuer):
        raise WrongState(
            "No order of this certificate waits for what an officer brings.",
            next_step="Open the certificate to see how it stands.",
        )
    _check_officer(principal, order)
    return certificate, order


def _check_officer(principal: Principal, order: OutsideOrder) -> None:
    """The applicant says nothing for the CA: the same measure as for the verification of organizations."""
    check_not_applicant(officers.acting(principal), officers.applicant(order.application), ANSWER)


def _keep(principal: Principal, order: OutsideOrder, pem: str, refusal: str, what: str) -> None:
    with short_transaction():
        OutsideOrder.objects.filter(placement_id=order.placement_id, live=True).update(
            brought=pem.encode("ascii"), refusal=refusal
        )
        outside_orders.enqueue(order)
        _note(principal, order.certificate, what)


def note_revoked(principal: Principal, certificate_id: str, now: datetime) -> State:
    """An officer has revoked at the CA whatever waits for that: the certificate, versions that a later one
    has replaced, what was refused here.

    Raises:
        as `bring`. WrongState: nothing waits, or its CA is not asked by hand.
    """
    certificate = certificate_queries.fetch(principal, RIGHT, certificate_id)
    whole, away, refused = to_revoke(certificate.id, now)
    if not away and not refused:
        raise WrongState(
            "No revocation of this certificate waits for an officer.",
            next_step="Open the certificate to see how it stands.",
        )
    brought = [one for version in away for one in _orders_of(version)]
    for order in (*brought, *refused):
        _check_officer(principal, order)
    with short_transaction():
        for order in brought:
            OutsideOrder.objects.filter(placement_id=order.placement_id).update(revoked_by_hand=True)
        for version, reason in _replaced(certificate.id, away):
            outside_revoking.revoke_later(version, reason)  # wakes the job that looks once an hour
        for order in refused:
            outside_orders.end(order, PlacementState.REFUSED, clock.real_now())
        _note(principal, certificate, "revocation")
        if whole:
            kind = revoking.SETTLE
            jobs.enqueue(kind, subject=certificate.id, dedupe_key=f"{kind}:{certificate.id}")
    return State(certificate.state)


def _replaced(certificate_id: str, away: Sequence[Version]) -> list[tuple[Version, int]]:
    """Those of them that end because later ones have replaced them, each with the reason."""
    reasons = outside_revoking.waiting(certificate_id)
    return [(one, reasons[one.id]) for one in away if one.id in reasons]


def _orders_of(version: Version) -> list[OutsideOrder]:
    """The order that brought a version, with who applied for it."""
    found = OutsideOrder.objects.select_related("application").filter(
        certificate_id=version.certificate_id,
        issuer=version.issuer.partition(":")[0],
        serial=version.serial,
    )
    return list(found)


def to_revoke(certificate_id: str, now: datetime) -> tuple[bool, list[Version], list[OutsideOrder]]:
    """What an officer has to revoke at CAs without an interface: whether that is the certificate as a whole,
    the versions in force of which nobody has noted it yet, the orders that brought what was refused here."""
    asked = revoking.open_request(certificate_id)
    whole = asked is not None and asked.confirmed_at is not None
    replaced = {} if whole else outside_revoking.waiting(certificate_id)
    away = [
        one
        for one in versions.in_force(certificate_id, now)
        if (whole or one.id in replaced)
        and outside_revoking.is_outside(one)
        and outside.is_by_hand(one.issuer.partition(":")[0])
        and not any(order.revoked_by_hand for order in _orders_of(one))
    ]
    unfinished = OutsideOrder.objects.filter(certificate_id=certificate_id, unfinished=True)
    refused = [one for one in unfinished.exclude(unwanted=None) if outside.is_by_hand(one.issuer)]
    return whole and bool(away), away, refused


def awaits_revocation(certificate_id: str, now: datetime) -> bool:
    """Whether an officer has anything to revoke."""
    _, away, refused = to_revoke(certificate_id, now)
    return bool(away or refused)


def _note(principal: Principal, certificate: Certificate, what: str) -> None:
    audit.record(
        principal,
        BROUGHT,
        resource=f"cert:{certificate.id}",
        account_id=certificate.account_id,
        details={"what": what},
    )
