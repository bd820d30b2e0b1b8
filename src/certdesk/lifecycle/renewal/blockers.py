"""What will stand in the way of a certificate's next replacement, as far as it can be told today."""

from datetime import datetime, timedelta

from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Quantities
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.orders import queries as orders
from certdesk.lifecycle.orders.actions import SUBSCRIBE
from certdesk.lifecycle.validation import automatic

from .causes import Blocker, Cause
from .facts import Facts
from .schedule import Kind


def of(facts: Facts, certificate: Certificate, kind: Kind, at: datetime) -> list[Blocker]:
    """The blockers of its next replacement, the one that has happened first.

    Args:
        facts: read for this certificate, alone or among others.
        at: when it is planned.
    """
    before = facts.applications.get(certificate.id)
    found = [
        *_happened(facts, certificate.id),
        *(_to_buy(facts, certificate) if kind is Kind.BUY else ()),
        *_details(facts, certificate, before, kind),
        *_proof(facts, certificate, before, at),
        *_place(facts, certificate.id),
    ]
    return list({one.cause: one for one in reversed(found)}.values())[::-1]


def _happened(facts: Facts, certificate_id: str) -> list[Blocker]:
    rows = sorted(facts.open.get(certificate_id, ()), key=lambda one: -one.id)
    return [Blocker(Cause(one.cause), one.reason) for one in rows if one.cause]


def _to_buy(facts: Facts, certificate: Certificate) -> list[Blocker]:
    product = facts.offered(applications.product_of(certificate))
    found = [] if product.available else [Blocker(Cause.SALE, product.reason)]
    if product.available and not facts.affordable(certificate.account_id, product, _quantities(certificate)):
        found.append(Blocker(Cause.BALANCE))
    return found if _may(facts, certificate) else [*found, Blocker(Cause.RIGHTS)]


def _quantities(certificate: Certificate) -> Quantities:
    wildcard = certificate.primary_domain_type == "WILDCARD_DOMAIN"
    return Quantities(
        plain=certificate.single_quota + (not wildcard),
        wildcard=certificate.wildcard_quota + wildcard,
        years=max(1, certificate.validity_months // 12),
    )


def _may(facts: Facts, certificate: Certificate) -> bool:
    """Whether whoever switched it on may still buy; nobody has while it is off."""
    switch = facts.switches.get(certificate.id)
    if switch is None or not certificate.auto_renewal:
        return True
    principal = facts.person(switch.user_id, certificate.account_id)
    about = certificate_rules.resource_of(certificate)
    return principal is not None and principal.may(SUBSCRIBE, about) and principal.may(orders.PAY)


def _details(facts: Facts, certificate: Certificate, before: Application | None, kind: Kind) -> list[Blocker]:
    """REN-10: a purchase needs the contact, a rollover of OV and EV the organization."""
    if before is None:
        return [Blocker(Cause.PRIVACY)]
    if certificate.level in ("OV", "EV") and not before.company:
        return [Blocker(Cause.PRIVACY)]
    gone = kind is Kind.BUY and before.id not in facts.contacts
    return [Blocker(Cause.PRIVACY)] if gone else []


def _proof(facts: Facts, certificate: Certificate, before: Application | None, at: datetime) -> list[Blocker]:
    """Neither automatic DNS nor a proof that still counts then."""
    if before is None or _automatic(facts, before) or _reused(facts, certificate, before, at):
        return []
    return [Blocker(Cause.CONNECTION)]


def _automatic(facts: Facts, before: Application) -> bool:
    zones = facts.zones(before.account_id)
    names = before.names.replace("*.", "").split(";")
    return before.domain_method == "DNS" and all(automatic.covering(zones, name) for name in names)


def _reused(facts: Facts, certificate: Certificate, before: Application, at: datetime) -> bool:
    days = catalogue().reuse_days(applications.product_of(certificate), at.date())
    proved = facts.proved.get(before.id, [])
    complete = len(proved) >= len(before.names.split(";"))
    return complete and all(one + timedelta(days=days) > at for one in proved)


def _place(facts: Facts, certificate_id: str) -> list[Blocker]:
    known = certificate_id in facts.held and certificate_id in facts.placed
    return [] if known else [Blocker(Cause.INSTALL)]
