"""What will stand in the way of a certificate's next replacement, as far as it can be told today."""

from datetime import datetime, timedelta

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.errors import UserGone
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import Application, Contact
from certdesk.lifecycle.catalogue import prices
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product, Quantities
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.deployment import material
from certdesk.lifecycle.deployment.models import Binding
from certdesk.lifecycle.orders import queries as orders
from certdesk.lifecycle.orders.actions import SUBSCRIBE
from certdesk.lifecycle.validation import automatic
from certdesk.lifecycle.validation import queries as validation

from .causes import Blocker, Cause
from .models import AutoRenewal, Renewal
from .schedule import Kind


def of(certificate: Certificate, kind: Kind, at: datetime) -> list[Blocker]:
    """The blockers of its next replacement, the one that has happened first.

    Args:
        at: when it is planned.
    """
    found = [
        *_happened(certificate.id),
        *(_to_buy(certificate) if kind is Kind.BUY else ()),
        *_details(certificate, kind),
        *_proof(certificate, at),
        *_place(certificate),
    ]
    return list({one.cause: one for one in reversed(found)}.values())[::-1]


def _happened(certificate_id: str) -> list[Blocker]:
    rows = Renewal.objects.filter(certificate_id=certificate_id, state="OPEN").exclude(cause="")
    return [Blocker(Cause(one.cause), one.reason) for one in rows.order_by("-id")]


def _to_buy(certificate: Certificate) -> list[Blocker]:
    product = applications.product_of(certificate)
    found = [] if product.available else [Blocker(Cause.SALE, product.reason)]
    if product.available and not _affordable(certificate, product):
        found.append(Blocker(Cause.BALANCE))
    return found if _may(certificate) else [*found, Blocker(Cause.RIGHTS)]


def _affordable(certificate: Certificate, product: Product) -> bool:
    account = orders.account_facts(certificate.account_id)
    wildcard = certificate.primary_domain_type == "WILDCARD_DOMAIN"
    quantities = Quantities(
        plain=certificate.single_quota + (not wildcard),
        wildcard=certificate.wildcard_quota + wildcard,
        years=max(1, certificate.validity_months // 12),
    )
    try:
        price = catalogue().price(prices.current(product, clock.now()), quantities, account.currency)
    except CertdeskError:
        return False
    return orders.cash(certificate.account_id, account.currency) >= price.minor


def _may(certificate: Certificate) -> bool:
    """Whether whoever switched it on may still buy; nobody has while it is off."""
    switch = AutoRenewal.objects.filter(certificate_id=certificate.id).first()
    if switch is None or not certificate.auto_renewal:
        return True
    try:
        principal = rights.principal_of_user(switch.user_id, certificate.account_id)
    except UserGone:
        return False
    about = certificate_rules.resource_of(certificate)
    return principal.may(SUBSCRIBE, about) and principal.may(orders.PAY)


def _details(certificate: Certificate, kind: Kind) -> list[Blocker]:
    """REN-10: a purchase needs the contact, a rollover of OV and EV the organization."""
    before = applications.current(certificate.id)
    if before is None:
        return [Blocker(Cause.PRIVACY)]
    if certificate.level in ("OV", "EV") and not before.company:
        return [Blocker(Cause.PRIVACY)]
    gone = kind is Kind.BUY and not Contact.objects.filter(application=before).exists()
    return [Blocker(Cause.PRIVACY)] if gone else []


def _proof(certificate: Certificate, at: datetime) -> list[Blocker]:
    """Neither automatic DNS nor a proof that still counts then."""
    before = applications.current(certificate.id)
    if before is None or _automatic(before) or _reused(certificate, before, at):
        return []
    return [Blocker(Cause.CONNECTION)]


def _automatic(before: Application) -> bool:
    zones = automatic.zones_of(before.account_id)
    names = before.names.replace("*.", "").split(";")
    return before.domain_method == "DNS" and all(automatic.covering(zones, name) for name in names)


def _reused(certificate: Certificate, before: Application, at: datetime) -> bool:
    days = catalogue().reuse_days(applications.product_of(certificate), at.date())
    proved = validation.proved(before.id)
    complete = len(proved) >= len(before.names.split(";"))
    return complete and all(one.evidence_at + timedelta(days=days) > at for one in proved)


def _place(certificate: Certificate) -> list[Blocker]:
    version = certificates.current_version(certificate)
    placed = Binding.objects.filter(
        account_id=certificate.account_id, certificate_id=certificate.id, gone=False
    )
    held = version is not None and material.held(version, certificate.account_id)
    return [] if held and placed.exists() else [Blocker(Cause.INSTALL)]
