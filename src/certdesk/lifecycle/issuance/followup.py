"""A further version of an issued certificate: the one pipeline once more, bound to what was paid for.

A follow-up is an application with a cause (reissue, addition, rollover) and a latest notAfter. It has proofs
of its own, is placed, signed and accepted as a first one is, and no other road leads to the signer (law 4).
Until it is accepted the version of before is the current one.
"""

from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.applications.models import Application, ApplicationState, CsrMode, Purpose
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import queries as certificate_queries
from certdesk.lifecycle.certificates.errors import NoCertificate
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import ROLLS_OVER, State
from certdesk.lifecycle.validation import actions as validation
from certdesk.lifecycle.validation import organization_reuse, proofs

from . import outside_orders, rules
from .errors import PeriodOver
from .models import Placement, PlacementState

ROLLOVER_FAILED = "certificate.rollover_failed"
"""Topic and audit action: a rollover was refused for good; the certificate is as good as before."""
REPLACED = "certificate.replaced"
"""Topic: a further version, or a bought successor, is in force. Rollovers have a way of their own."""
DETAILS_GONE = "The organization details of this certificate were deleted with the privacy authorization."


def paid_until(certificate: Certificate) -> datetime:
    """The last second that is paid for. A bought certificate that was issued once has one.

    Raises:
        WrongState: it was never issued.
    """
    kept: datetime | None = certificate.paid_until
    if kept is not None:
        return kept
    begin = certificate.first_issued_at or certificate.not_before
    if begin is None:
        raise WrongState(
            "Nothing was issued yet, so its validity has not begun.",
            next_step="Finish the application first.",
        )
    return rules.paid_until(begin, certificate.validity_months)


def latest_not_after(certificate: Certificate) -> datetime | None:
    """Where a reissued or widened version ends at the latest: with the version before it (REI-8, ADD-6)."""
    version = certificate_queries.current_version(certificate)
    return version.not_after if version else None


def base_of(certificate: Certificate) -> Application:
    """The application that a follow-up takes its answers from.

    Raises:
        WrongState: it was not issued here, or its organization's details are gone (REN-10).
    """
    before = application_queries.current(certificate.id)
    if before is None:
        raise WrongState(
            "This certificate was not issued here, so there is no application to go on from.",
            next_step="Buy a new certificate.",
        )
    if certificate.level in ("OV", "EV") and not before.company:
        raise WrongState(DETAILS_GONE, next_step="Buy a new certificate and enter them there.")
    return before


def keeps_key(application: Application) -> bool:
    """Whether a follow-up has the same key: the CSR's, which the service cannot change."""
    return application.csr_mode != CsrMode.SYSTEM


def roll_over(
    principal: Principal,
    certificate_id: str,
    now: datetime,
    *,
    latest: datetime,
    at_issuer: str = "",
    not_at_issuer: str = "",
) -> Application:
    """Begins a rollover inside the paid period (REN-8): same names, new key, no charge. Own transaction.

    Names whose proof is still good are not asked for again; the rest goes as in the application before, by
    automatic DNS where that was chosen. The certificate stays Issued; when the new version is accepted it is
    the current one, and `certificate.issued` is emitted with the event "roll over". A refusal emits
    `ROLLOVER_FAILED`, with the reason on the certificate.

    Args:
        principal: who acts, for the audit; the right was checked by the caller.
        latest: the new version ends then at the latest; `paid_until`, or less.
        at_issuer: the one issuer of the product's order that may get it; empty = any.
        not_at_issuer: one that must not get it; empty = none.

    Raises:
        NoCertificate: there is none with this id.
        WrongState: it is not Issued, not issued here, or its organization's details are gone.
        PeriodOver: `latest` has passed.
        Conflict: another application of it is under way.
    """
    with short_transaction():
        certificate = _held(certificate_id)
        before = base_of(certificate)
        if now >= latest:
            raise PeriodOver(latest)
        application = applications.record_followup(
            before,
            Purpose.ROLLOVER,
            before.names.split(";"),
            latest,
            now,
            at_issuer=at_issuer,
            not_at_issuer=not_at_issuer,
        )
        applications.copy_people(before, application)
        if certificate.level != "DV":
            organization_reuse.carry_on(before, application, now)
        audit.record(
            principal,
            "certificate.rollover_begun",
            resource=f"cert:{certificate.id}",
            account_id=certificate.account_id,
            details={"latest": f"{latest:%Y-%m-%d %H:%M:%S}", "same_key": keeps_key(application)},
        )
        validation.begin(certificate, application, now)
    return application


def _held(certificate_id: str) -> Certificate:
    """The issued certificate, held until the transaction ends."""
    found = Certificate.objects.select_for_update().filter(id=certificate_id).first()
    if found is None:
        raise NoCertificate(certificate_id)
    if found.state not in ROLLS_OVER or found.source != "BOUGHT":
        raise WrongState(
            "Only a certificate that was issued here and is in force gets a further version.",
            next_step="Open the certificate to see how it stands.",
        )
    return found


def open_rollover(certificate_id: str) -> Application | None:
    """The rollover under way, if there is one."""
    found = application_queries.open_application(certificate_id)
    return found if found is not None and found.purpose == Purpose.ROLLOVER else None


def drop_rollover(certificate_id: str, now: datetime) -> None:
    """Something that goes before it begins: an addition, a reissue, a revocation. In the caller's
    transaction, before the certificate is moved; what is being signed meanwhile counts no more."""
    found = open_rollover(certificate_id)
    locked = proofs.lock(found.id) if found else None
    if locked is not None:
        applications.end(locked.id, ApplicationState.WITHDRAWN, now)
        outside_orders.leave(locked.id)
        Placement.objects.filter(application=locked, state=PlacementState.PLACED, outside=None).update(
            state=PlacementState.DROPPED, settled_at=now
        )


def note_failed_rollover(principal: Principal, certificate: Certificate, words: str, now: datetime) -> None:
    """The certificate stays as good as before and says why it was not rolled over (REN-9)."""
    certificates.note_failure(certificate.id, State(certificate.state), words, now)
    audit.record(
        principal,
        ROLLOVER_FAILED,
        resource=f"cert:{certificate.id}",
        account_id=certificate.account_id,
        details={"note": words[:500]},
    )
    jobs.emit(ROLLOVER_FAILED, certificate.id, reason=words[:500])
