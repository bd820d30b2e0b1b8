"""The card of facts at the side of a certificate's page."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import strip_tags
from django.utils.translation import gettext as _

from certdesk.foundation.iam import projects
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.catalogue import rehearsal
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates import endings
from certdesk.lifecycle.certificates.filters import HOUSE
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import BEING_REVOKED, State
from certdesk.lifecycle.deployment import queries as deployments
from certdesk.lifecycle.issuance import revoking
from certdesk.lifecycle.issuance.revocation_rules import Code
from certdesk.lifecycle.issuers import queries as issuers
from certdesk.lifecycle.issuers import setting_up
from certdesk.lifecycle.renewal import queries as renewals
from certdesk.lifecycle.validation import organization_queries

from ...forms.applying import ALGORITHMS
from ...forms.revoking import REASONS
from ...templatetags.certdesk_ui import date_only, moment
from .. import rows


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: object
    url: str = ""
    mono: bool = False


def _house(certificate: Certificate, product: Product | None) -> str:
    if rehearsal.is_rehearsal(certificate.brand):
        return issuers.title(rehearsal.slug_of(certificate.brand))
    if product and product.profile == "private":
        return _("your private CA")
    brand = catalogue().brands.get(certificate.brand)
    return brand.issuer_title if brand else ""


def facts(
    principal: Principal,
    certificate: Certificate,
    application: Application | None,
    versions: list[Version],
    outside: str = "",
) -> list[Fact]:
    """The card at the side; empty ones are left out by the template.

    Args:
        outside: the title of the CA outside that it was ordered from.
    """
    current = next((one for one in versions if one.number == certificate.current_version), None)
    product = None if certificate.source == "UPLOADED" else applications.product_of(certificate)
    may_orders = principal.may("bss:order:view")
    return [
        Fact(_("Certificate name"), certificate.name),
        Fact(_("Description"), certificate.description),
        Fact(
            _("Type"),
            rows.kind(
                certificate.brand,
                certificate.type,
                certificate.domain_type,
                certificate.source,
                certificate.free,
            ),
        ),
        Fact(_("Issued by"), outside or _house(certificate, product), issuer_url(principal, certificate)),
        Fact(_("Names bought"), "" if certificate.source == "UPLOADED" else quota(certificate)),
        leaned_fact(application),
        Fact(_("Key"), key_text(application, current)),
        Fact(_("Valid from"), moment(certificate.not_before) if certificate.not_before else ""),
        Fact(_("Expires"), moment(certificate.not_after) if certificate.not_after else ""),
        Fact(_("Paid until"), paid_until(certificate)),
        *renewal_facts(principal, certificate),
        Fact(_("Reason of the revocation"), revoked_for(certificate)),
        Fact(_("Still served at"), still_served(certificate)),
        Fact(_("Period"), "" if certificate.not_after else period(certificate)),
        Fact(_("Serial number"), current.serial if current else "", mono=True),
        Fact(_("SHA-256 fingerprint"), current.fingerprint_sha256 if current else "", mono=True),
        Fact(
            _("Order"),
            certificate.order_id,
            reverse("order", args=[certificate.order_id]) if certificate.order_id and may_orders else "",
            mono=True,
        ),
        *owner_facts(certificate),
        Fact(_("Project"), project_title(certificate)),
        Fact(_("Certificate ID"), certificate.id, mono=True),
    ]


def issuer_url(principal: Principal, certificate: Certificate) -> str:
    """The page of who issued it, for those who may see that."""
    ours = certificate.source == "BOUGHT" and certificate.current_version > 0
    if not ours or not iam.is_operator(principal, setting_up.GET):
        return ""
    return reverse("issuer", args=[certificate.issuer or HOUSE])


def paid_until(certificate: Certificate) -> object:
    """Where the issuer's certificates are shorter than the period, when that ends (REN-8)."""
    end = endings.paid_end(certificate)
    return moment(end) if end is not None and end != certificate.not_after else ""


def renewal_facts(principal: Principal, certificate: Certificate) -> list[Fact]:
    """Old and new, linked with each other (REN-3)."""
    old = renewals.original(principal, certificate)
    found = [Fact(_("Renews"), old.name, reverse("certificate", args=[old.id]))] if old else []
    return found + [
        Fact(_("Renewed by"), new.name, reverse("certificate", args=[new.id]))
        for new in renewals.renewals_shown(principal, certificate)
    ]


def owner_facts(certificate: Certificate) -> list[Fact]:
    """The user, and where one was named the group; nothing for who is gone."""
    teams = {certificate.owner_group_id} - {""}
    names = iam.names_of(certificate.account_id, {certificate.owner_id}, teams)
    return [
        Fact(_("Owner"), names.get(certificate.owner_id, "")),
        Fact(_("Owning group"), names.get(certificate.owner_group_id, "")),
    ]


def project_title(certificate: Certificate) -> str:
    project = certificate.enterprise_project_id
    if project == "0":
        return _("default")
    return projects.titles(certificate.account_id, {project}).get(project, project)


def revoked_for(certificate: Certificate) -> str:
    """In the requester's words, else in those of the form."""
    if certificate.state != State.REVOKED and certificate.state not in BEING_REVOKED:
        return ""
    reason = revoking.reason_of(certificate.id)
    return str(REASONS[Code(reason)]) if reason in list(Code) else reason


def still_served(certificate: Certificate) -> str:
    """REV-10: where a revoked one was seen when last looked."""
    return "; ".join(deployments.serving(certificate.id)) if certificate.state == State.REVOKED else ""


def leaned_fact(application: Application | None) -> Fact:
    """ORG-4: which approval made a new check of the organization needless."""
    found = organization_queries.leaned(application.id) if application else None
    if found is None:
        return Fact("", "")
    text = _("known since the check of %(date)s by %(officers)s") % {
        "date": date_only(found.approved_at),
        "officers": _(", ").join(found.officers),
    }
    return Fact(_("Organization"), strip_tags(text), reverse("certificate", args=[found.certificate_id]))


def quota(certificate: Certificate) -> str:
    if certificate.domain_type != "MULTI_DOMAIN":
        return "1"
    wildcards = certificate.wildcard_quota + (certificate.primary_domain_type == "WILDCARD_DOMAIN")
    if not wildcards:
        return str(certificate.domain_quota)
    return _("%(count)d in all, %(wildcard)d of them wildcard") % {
        "count": certificate.domain_quota,
        "wildcard": wildcards,
    }


def period(certificate: Certificate) -> str:
    return _("%(months)d months from issuance") % {"months": certificate.validity_months}


def key_text(application: Application | None, version: Version | None) -> str:
    """`EC P-256, made here`, `EC P-256, of a stored CSR` or `RSA 2048, yours …`."""
    algorithm = version.key_algorithm if version else application.key_algorithm if application else ""
    if not algorithm:
        return ""
    word = ALGORITHMS.get(algorithm, algorithm)
    if version and version.cause == "UPLOAD" and version.key_id:
        return _("%(key)s, uploaded") % {"key": word}
    if application is not None and application.csr_mode == "STORED":
        return _("%(key)s, of a stored CSR") % {"key": word}
    ours = bool(version.key_id) if version else application is not None and application.csr_mode == "SYSTEM"
    return (_("%(key)s, made here") if ours else _("%(key)s, yours (the key was never here)")) % {"key": word}
