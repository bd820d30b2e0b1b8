"""Replacing: a further version with a new key through the one pipeline, deployed where the old one is served,
and only then, where that is asked for, the old version revoked.

No step is taken before the one before it is seen to be done: whatever fails, what is served stays in force.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.deployment import actions as deployment
from certdesk.lifecycle.deployment import queries as places
from certdesk.lifecycle.deployment.states import BindingState
from certdesk.lifecycle.enrolment import succession
from certdesk.lifecycle.issuance import followup, revoking
from certdesk.lifecycle.issuance.revocation_rules import Code
from certdesk.lifecycle.issuers import queries as issuers
from certdesk.lifecycle.issuers import rules as issuer_rules

from . import queries, rules
from .models import Campaign, Item
from .rules import Action, Goal
from .states import ItemState

Outcome = tuple[ItemState, str]


Orders = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Known:
    """What is read once for a page of certificates.

    Attributes:
        clients: those whose keys ACME clients have.
        orders: the operator's orders of issuers, by product.
    """

    clients: frozenset[str]
    orders: Orders


def known_of(certificate_ids: Sequence[str]) -> Known:
    return Known(succession.of_clients(certificate_ids), issuers.own_orders())


def why_not(campaign: Campaign, certificate: Certificate, known: Known | None = None) -> str:
    """Why nothing can take its place; empty when something can.

    What an ACME client asked for is renewed by that client, wherever its product goes then.
    """
    known = known or known_of([certificate.id])
    try:
        before = followup.base_of(certificate)
        where = goal(campaign, certificate, known.orders)
    except CertdeskError as refusal:
        return refusal.message
    if followup.keeps_key(before):
        return where.why if certificate.id in known.clients else rules.KEY_OF_A_CSR
    return where.why


def goal(campaign: Campaign, certificate: Certificate, orders: Orders | None = None) -> Goal:
    """Where its replacement may be issued.

    Args:
        orders: the operator's orders, where they were read with others.
    """
    left = campaign.query.get("issuer", "").partition(":")[0]
    product = applications.product_of(certificate)
    own = issuers.own_order(product.id) if orders is None else orders.get(product.id, ())
    order = [issuer_rules.plain(one) for one in issuers.order_among(own, product)]
    return rules.goal(order, campaign.issuer, left, built_in=issuer_rules.is_built_in(left))


def begin(principal: Principal, campaign: Campaign, certificate: Certificate, now: datetime) -> None:
    """Asks for the new version; one that is asked for already is waited for.

    Raises:
        CertdeskError: see `followup.roll_over`.
    """
    if followup.open_rollover(certificate.id) is None:
        where = goal(campaign, certificate)
        latest = followup.paid_until(certificate)
        followup.roll_over(
            principal, certificate.id, now, latest=latest, at_issuer=where.at, not_at_issuer=where.not_at
        )


def advance(principal: Principal, campaign: Campaign, item: Item, now: datetime) -> Outcome:
    """Where the item stands now, as far as it can go at this moment; in the caller's transaction."""
    certificate = item.certificate
    if certificate.state not in (State.ISSUED, State.REISSUING):
        return ItemState.FAILED, _gone(item)
    if certificate.current_version <= item.version:
        if followup.open_rollover(certificate.id) is not None:
            return ItemState.REPLACING, ""
        return ItemState.FAILED, certificate.last_failure or rules.NOT_REPLACED
    version = certificates.current_version(certificate)
    where = goal(campaign, certificate)
    if where.why:  # the order of issuers was changed meanwhile: nobody can say whether this one is wanted
        return ItemState.FAILED, where.why
    if version is not None and (_is_elsewhere(where, version) or queries.gives_up(campaign, version)):
        if followup.keeps_key(followup.base_of(certificate)):  # somebody reissued it with a CSR meanwhile
            return ItemState.FAILED, rules.KEY_OF_A_CSR
        if not _may(principal, rules.REISSUE, certificate):
            return ItemState.FAILED, rules.NO_RIGHT
        item.version = version.number  # of a rollover or reissue that was under way before
        begin(principal, campaign, certificate, now)
        return ItemState.REPLACING, ""
    waits, why = _deploy(principal, certificate, version)
    if why or waits:
        return (ItemState.FAILED, why) if why else (ItemState.DEPLOYING, "")
    _note_new(item, certificate, version)
    if campaign.action == Action.REPLACE_AND_REVOKE:
        if not _may(principal, rules.REVOKE, certificate):
            return ItemState.FAILED, rules.NO_RIGHT
        code, words = Code(campaign.reason_code), f"Campaign {campaign.name}"
        revoking.revoke_versions(principal, certificate, item.version, code, now, why=words)
    return ItemState.DONE, ""


def _may(principal: Principal, right: str, certificate: Certificate) -> bool:
    """Days may lie between the question and the answer, so the right is asked again."""
    return principal.may(right, certificate_rules.resource_of(certificate))


def _is_elsewhere(where: Goal, version: Version) -> bool:
    """Whether the new version came from an issuer that the campaign does not want."""
    slug = version.issuer.partition(":")[0]
    return slug == where.not_at or bool(where.at and slug != where.at)


def _note_new(item: Item, certificate: Certificate, version: Version | None) -> None:
    """What took its place, and at how many places it was seen: the proof that the report shows."""
    if version is not None:
        item.new_certificate_id = certificate.id
        item.new_issuer, item.new_serial = version.issuer, version.serial
        item.served = places.serving_counts(certificate.account_id, [certificate.id]).get(certificate.id, 0)
        item.served += queries.seen_at(certificate.account_id, version.serial)


def _deploy(principal: Principal, certificate: Certificate, version: Version | None) -> tuple[bool, str]:
    """Whether a place does not serve the new version yet, and why it never will."""
    sha1 = version.fingerprint_sha1 if version else ""
    behind = places.behind(certificate.account_id, certificate.id, sha1)
    failed = [one for one in behind if one.deployment == BindingState.FAILED and one.fingerprint == sha1]
    if failed:
        return True, rules.NOT_DEPLOYED
    to_do = [one.id for one in behind if one.deployment != BindingState.DEPLOYING]
    if not to_do:
        return bool(behind), ""
    try:
        started = deployment.deploy_to(principal, certificate.id, to_do)
    except CertdeskError as refusal:
        return True, str(refusal)
    refused = [why for _, why in started.refused if why != deployment.BUSY]
    return True, refused[0] if refused else ""


def renewed(campaign: Campaign, item: Item, new: Sequence[str], now: datetime) -> Outcome:
    """Where a certificate stands whose ACME client is asked to renew it. Nothing is taken for replaced
    that comes from the issuer to be left or has a key to be given up, or while a place is known that still
    serves the old one. A client is waited for until the old one's end.

    Args:
        new: what its client has got for the same names since, latest first.
    """
    certificate = item.certificate
    state = certificate_rules.state_of(certificate, now)
    over = state is State.EXPIRED
    latest = certificates.current_version(Certificate.objects.get(id=new[0])) if new else None
    if latest is None:
        if state is State.ISSUED:
            return ItemState.RENEWING, ""
        return ItemState.FAILED, rules.NOT_RENEWED if over else _gone(item)
    waits = ItemState.FAILED if over else ItemState.RENEWING
    where = goal(campaign, latest.certificate)
    if where.why:
        return ItemState.FAILED, where.why
    if _is_elsewhere(where, latest):
        return waits, rules.FROM_THE_SAME
    if queries.gives_up(campaign, latest):
        return waits, rules.SAME_KEY
    place = next(iter(places.serving(certificate.id)), "")
    place = place or queries.still_served(certificate.account_id, item.serial)
    if place:
        return waits, rules.STILL_SERVED % place
    _note_new(item, latest.certificate, latest)
    if campaign.action != Action.REPLACE_AND_REVOKE or state not in (State.ISSUED, State.EXPIRED):
        return ItemState.DONE, ""
    return (ItemState.FAILED, rules.LAPSED) if over else (ItemState.REVOKING, "")


def _gone(item: Item) -> str:
    return rules.GONE if item.certificate.state == State.DELETED else rules.OTHERWISE
