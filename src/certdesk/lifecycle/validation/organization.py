"""Organisation verification: begin it, decide it, end it (ORG-1..3, ORG-5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.outbox import actions as outbox
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications.models import Application, ApplicationState
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import queries as certificate_queries
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import Event

from . import mails, officers, organization_links, organization_queries, organization_rules
from .document_jobs import KIND as CLEAR_DOCUMENTS
from .models import OrganizationDecision, OrganizationState, OrganizationVerification

DECIDE = "scm:organization:decide"
COMPLETE = "validation.complete"
"""Topic: everything that an application needs is proved, so the issuer may be asked."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision led to: the certificate's status and the approvals still wanted."""

    status: str
    decisions_needed: int


def begin(certificate: Certificate, application: Application, now: datetime) -> OrganizationVerification:
    """Puts the organisation into the officers' queue and tells the applicant (ORG-1)."""
    verification, made = OrganizationVerification.objects.get_or_create(
        application=application,
        defaults={
            "account_id": certificate.account_id,
            "certificate_id": certificate.id,
            "level": certificate.level,
            "created_at": now,
        },
    )
    if made:
        link = organization_links.make(verification, now)
        mails.send_organization_request(certificate, application, link)
    return verification


def end(application_id: int, now: datetime) -> None:
    """The application is withdrawn; nobody decides about it any more."""
    ended = OrganizationVerification.objects.filter(
        application_id=application_id, state=OrganizationState.PENDING
    ).update(state=OrganizationState.ENDED, ended_at=now)
    if ended:
        outbox.forget_secret_of(mails.organization_request(application_id))
        jobs.enqueue(CLEAR_DOCUMENTS)


def decide(
    principal: Principal,
    certificate_id: str,
    *,
    approve: bool,
    checked: Sequence[str],
    reason: str,
    now: datetime,
    registration_number: str = "",
) -> Decided:
    """Writes an officer's decision; the last one that is needed carries the certificate on.

    Args:
        checked: ids of the checklist; an approval needs all of them.
        reason: shown to the applicant; a rejection needs it.
        registration_number: from the register, for an EV application that has none; without one the
            certificate says *Not stated*, and the checklist says so.

    Raises:
        NotFound, Forbidden: no such certificate, no right, or the officer is the applicant.
        WrongState: the organisation is not (or no longer) waiting for a decision.
        Conflict: this officer has decided before.
    """
    certificate = certificate_queries.fetch(principal, DECIDE, certificate_id)
    with short_transaction():
        verification = organization_queries.lock_pending(certificate_id)
        organization_rules.check_decision(verification.level, approve=approve, checked=checked, reason=reason)
        earlier = list(verification.decisions.order_by("id"))
        _check_officer(principal, verification, earlier)
        if approve and registration_number.strip():
            _note_number(verification, registration_number.strip(), decided=bool(earlier))
        _write(principal, verification, approve, checked, reason, now)
        wanted = organization_rules.approvals_needed(verification.level) - len(earlier) - 1
        if not approve:
            return _reject(principal, certificate, verification, reason, now)
        if wanted > 0:
            return Decided(certificate.state, wanted)
        return _approve(principal, certificate, verification, now)


def _check_officer(
    principal: Principal, verification: OrganizationVerification, earlier: Sequence[OrganizationDecision]
) -> None:
    officer, before = officers.acting(principal), [officers.decided(one) for one in earlier]
    for one in (officers.applicant(verification.application), *officers.showing(verification)):
        organization_rules.check_officer(officer, one, before)


def _note_number(verification: OrganizationVerification, number: str, *, decided: bool) -> None:
    application = verification.application
    known = str(application.company.get("registration_number", ""))
    organization_rules.check_number(verification.level, number, known=known, decided=decided)
    applications.set_registration_number(application, number)


def _write(
    principal: Principal,
    verification: OrganizationVerification,
    approve: bool,
    checked: Sequence[str],
    reason: str,
    now: datetime,
) -> None:
    OrganizationDecision.objects.create(
        verification=verification,
        officer_id=principal.user_id,
        officer_name=principal.name[:64],
        officer_key=principal.access_key,
        officer_agency=principal.agency,
        approved=approve,
        checked=sorted(set(checked)),
        reason=reason.strip(),
        at=now,
    )
    audit.record(
        principal,
        DECIDE,
        resource=f"cert:{verification.certificate_id}",
        account_id=verification.account_id,
        details={"approved": approve, "checked": sorted(set(checked))},
    )


def _approve(
    principal: Principal, certificate: Certificate, verification: OrganizationVerification, now: datetime
) -> Decided:
    _settle(verification, OrganizationState.APPROVED, now)
    state = certificates.move(certificate.id, Event.ORGANIZATION_APPROVED, now, principal=principal)
    jobs.emit(COMPLETE, certificate.id)
    return Decided(state.value, 0)


def _reject(
    principal: Principal,
    certificate: Certificate,
    verification: OrganizationVerification,
    reason: str,
    now: datetime,
) -> Decided:
    _settle(verification, OrganizationState.REJECTED, now)
    applications.end(verification.application_id, ApplicationState.REFUSED, now)
    state = certificates.move(
        certificate.id, Event.ORGANIZATION_REJECTED, now, principal=principal, note=reason.strip()
    )
    mails.send_refusal(certificate, verification.application, reason.strip())
    jobs.enqueue(CLEAR_DOCUMENTS)
    return Decided(state.value, 0)


def _settle(verification: OrganizationVerification, state: OrganizationState, now: datetime) -> None:
    """The condition on PENDING decides once more, should the lock ever be missing."""
    changed = OrganizationVerification.objects.filter(
        id=verification.id, state=OrganizationState.PENDING
    ).update(state=state, ended_at=now)
    if not changed:
        raise WrongState(
            "Another officer has just decided about this organization.",
            next_step="Open the queue of organization verifications again.",
        )
    outbox.forget_secret_of(mails.organization_request(verification.application_id))
