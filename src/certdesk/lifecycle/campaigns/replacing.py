"""Replacing: a further version with a new key through the one pipeline, deployed where the old one is served,
and only then, where that is asked for, the old version revoked.

No step is taken before the one before it is seen to be done: whatever fails, what is served stays in force.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import ROLLS_OVER, State
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


class Known:
    """What is read once for a page of certificates, or for a step of a campaign, however many they are."""

    def __init__(self) -> None:
        self._clients: dict[str, bool] = {}

    @cached_property
    def _orders(self) -> Mapping[str, tuple[str, ...]]:
        """The operator's orders of issuers, by product."""
        return issuers.own_orders()

    def order_of(self, product: Product) -> tuple[str, ...]:
        """The slugs of who may issue a product, the first one first."""
        return issuers.order_among(self._orders.get(product.id, ()), product)

    def look_up(self, certificate_ids: Sequence[str]) -> None:
        """Asks of many at once whether ACME clients have their keys."""
        theirs = succession.of_clients(certificate_ids)
        self._clients |= {one: one in theirs for one in certificate_ids}

    def is_client(self, certificate_id: str) -> bool:
        if certificate_id not in self._clients:
            self.look_up([certificate_id])
        return self._clients[certificate_id]


def why_not(campaign: Campaign, certificate: Certificate, known: Known) -> str:
    """Why nothing can take its place; empty when something can.

    What an ACME client asked for is renewed by that client, wherever its product goes then.
    """
    try:
        before = followup.base_of(certificate)
        where = goal(campaign, certificate, known)
    except CertdeskError as refusal:
        return refusal.message
    if followup.keeps_key(before):
        return where.why if known.is_client(certificate.id) else rules.KEY_OF_A_CSR
    return where.why


def goal(campaign: Campaign, certificate: Certificate, known: Known) -> Goal:
    """Where its replacement may be issued."""
    left = campaign.query.get("issuer", "").partition(":")[0]
    order = [issuer_rules.plain(one) for one in known.order_of(applications.product_of(certificate))]
    return rules.goal(order, campaign.issuer, left, built_in=issuer_rules.is_built_in(left))


def against(campaign: Campaign, version: Version, known: Known) -> str:
    """Why a new version replaces nothing for the campaign; empty where it does. One of `rules.ONCE_MORE`, or
    that nobody can say whether it is wanted, for the order of issuers was changed meanwhile."""
    where = goal(campaign, version.certificate, known)
    if where.why:
        return where.why
    if not where.takes(version.issuer.partition(":")[0]):
        return rules.FROM_THE_SAME
    return rules.SAME_KEY if queries.gives_up(campaign, version) else ""


def would_count(campaign: Campaign, version: Version, known: Known) -> bool:
    """Whether an order like that of the version would go where the campaign wants it now, as far as the
    issuers themselves tell."""
    product = applications.product_of(version.certificate)
    names = tuple(version.names.split(";"))
    order = known.order_of(product)
    choices = issuers.choose(product, order, names, version.key_algorithm, clock.real_now())
    slug = issuer_rules.plain(issuer_rules.taken(choices))
    return bool(slug) and goal(campaign, version.certificate, known).takes(slug)


def begin(
    principal: Principal, campaign: Campaign, certificate: Certificate, now: datetime, known: Known
) -> None:
    """Asks for the new version; one that is asked for already is waited for.

    Raises:
        CertdeskError: see `followup.roll_over`.
    """
    if followup.open_rollover(certificate.id) is None:
        where = goal(campaign, certificate, known)
        latest = followup.paid_until(certificate)
        followup.roll_over(
            principal, certificate.id, now, latest=latest, at_issuer=where.at, not_at_issuer=where.not_at
        )


def advance(principal: Principal, campaign: Campaign, item: Item, now: datetime, known: Known) -> Outcome:
    """Where the item stands now, as far as it can go at this moment; in the caller's transaction."""
    certificate = item.certificate
    if certificate.state not in ROLLS_OVER:
        return ItemState.FAILED, gone(item)
    version = current(certificate)
    if version is None or version.number <= item.version:
        if followup.open_rollover(certificate.id) is not None:
            return ItemState.REPLACING, ""
        return ItemState.FAILED, certificate.last_failure or rules.NOT_REPLACED
    why = against(campaign, version, known)
    if why in rules.ONCE_MORE:
        return _begin_again(principal, campaign, item, version, now, known)
    if why:
        return ItemState.FAILED, why
    waits, why = _deploy(principal, certificate, version)
    if why or waits:
        return (ItemState.FAILED, why) if why else (ItemState.DEPLOYING, "")
    note_new(item, version)
    if campaign.action == Action.REPLACE_AND_REVOKE:
        if not _may(principal, rules.REVOKE, certificate):
            return ItemState.FAILED, rules.NO_RIGHT
        code, words = Code(campaign.reason_code), f"Campaign {campaign.name}"
        revoking.revoke_versions(principal, certificate, item.version, code, now, why=words)
    return ItemState.DONE, ""


def current(certificate: Certificate) -> Version | None:
    """Its current version, with the certificate in hand."""
    found = certificates.current_version(certificate)
    if found is not None:
        found.certificate = certificate
    return found


def _begin_again(
    principal: Principal, campaign: Campaign, item: Item, version: Version, now: datetime, known: Known
) -> Outcome:
    """After a rollover or a reissue that was under way before, and brought what does not count."""
    certificate = item.certificate
    if followup.keeps_key(followup.base_of(certificate)):
        return ItemState.FAILED, rules.KEY_OF_A_CSR
    if not _may(principal, rules.REISSUE, certificate):
        return ItemState.FAILED, rules.NO_RIGHT
    item.version = version.number
    begin(principal, campaign, certificate, now, known)
    return ItemState.REPLACING, ""


def _may(principal: Principal, right: str, certificate: Certificate) -> bool:
    """Days may lie between the question and the answer, so the right is asked again."""
    return principal.may(right, certificate_rules.resource_of(certificate))


def note_new(item: Item, version: Version) -> None:
    """What took its place, and at how many places it was seen: the proof that the report shows."""
    new = version.certificate
    item.new_certificate_id = new.id
    item.new_issuer, item.new_serial = version.issuer, version.serial
    item.served = places.serving_counts(new.account_id, [new.id]).get(new.id, 0)
    item.served += queries.seen_at(new.account_id, version.serial)


def _deploy(principal: Principal, certificate: Certificate, version: Version) -> tuple[bool, str]:
    """Whether a place does not serve the new version yet, and why it never will."""
    sha1 = version.fingerprint_sha1
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


def gone(item: Item) -> str:
    return rules.GONE if item.certificate.state == State.DELETED else rules.OTHERWISE
