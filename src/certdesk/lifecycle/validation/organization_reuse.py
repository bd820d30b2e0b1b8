"""An organisation that was approved for this account and has not changed is not checked again (ORG-4)."""

from datetime import datetime, timedelta

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Conflict, Forbidden
from certdesk.foundation.common.months import add_months
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.contacts import same_information
from certdesk.lifecycle.applications.models import Application, ApplicationState, Purpose
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import BEING_REVOKED, State

from . import officers, organization_queries, organization_rules
from .models import OrganizationReuse, OrganizationState, OrganizationVerification

GONE = BEING_REVOKED | {State.REVOKED}
LOOKED_AT = 100
_DAY = timedelta(days=1)


def lean_on(principal: Principal, certificate: Certificate, application: Application, now: datetime) -> bool:
    """Notes the approval that makes a new check needless, in the caller's transaction; False without one."""
    found = _find(certificate, application, now)
    if found is None:
        return False
    OrganizationReuse.objects.create(application=application, verification=found, at=now)
    audit.record(
        principal,
        "organization.reused",
        resource=f"cert:{certificate.id}",
        account_id=certificate.account_id,
        details={
            "approval": found.id,
            "certificate": found.certificate_id,
            "approved_at": clock.wire(found.ended_at),
        },
    )
    return True


def carry_on(before: Application, application: Application, now: datetime) -> None:
    """The approval behind an issued version stands for a further one of the same certificate (ADD-2, REN-9);
    in the caller's transaction. Without one there is nothing to note, and nothing will be signed."""
    found = organization_queries.approving(before.id)
    if found is not None:
        OrganizationReuse.objects.create(application=application, verification=found, at=now)


def _find(
    certificate: Certificate, application: Application, now: datetime
) -> OrganizationVerification | None:
    """The youngest approval that counts: of the same brand, for another certificate, unrevoked.

    A private CA's customer is measured by the purchase, as the rule says; a public CA's also now, since the
    Baseline Requirements (4.2.1) count until the certificate is issued.
    """
    product = applications.product_of(certificate)
    months = product.organization_reuse_months
    if product.level != "OV" or not months or application.purpose != Purpose.ISSUE:
        return None
    measured = now if product.profile == "public" else certificate.created_at
    candidates = (
        OrganizationVerification.objects.filter(
            account_id=certificate.account_id,
            level="OV",
            state=OrganizationState.APPROVED,
            ended_at__gte=add_months(measured, -months) - 3 * _DAY,  # a month's end may be clamped
            application__state__in=(ApplicationState.OPEN, ApplicationState.FULFILLED),
            application__certificate__brand=certificate.brand,
        )
        .exclude(certificate_id=certificate.id)
        .select_related("application__certificate")
        .order_by("-ended_at", "-id")[:LOOKED_AT]
    )
    for one in candidates:
        if (
            one.ended_at is not None
            and organization_rules.may_reuse(one.ended_at, months, measured)
            and same_information(one.application.company, application.company)
            and not _is_revoked(one.application.certificate)
            and not _approved_himself(one, application)
        ):
            return one
    return None


def _is_revoked(certificate: Certificate) -> bool:
    """Revoked, or about to be; also when it was deleted from the list afterwards."""
    current = Version.objects.filter(certificate=certificate, number=certificate.current_version)
    return certificate.state in GONE or current.filter(revoked_at__isnull=False).exists()


def _approved_himself(verification: OrganizationVerification, application: Application) -> bool:
    """An officer who approved the organisation may not lean on that approval as an applicant (ORG-5)."""
    applicant = officers.applicant(application)
    for decision in verification.decisions.all():
        try:
            organization_rules.check_officer(officers.decided(decision), applicant, [])
        except (Forbidden, Conflict):
            return True
    return False
