"""The verbs of domain control: begin it, look now, carry the certificate on, end it."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Kind, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import Application, ApplicationState, Purpose
from certdesk.lifecycle.applications.purposes import is_beside, is_proving
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import queries as certificate_queries
from certdesk.lifecycle.certificates.errors import StateChanged
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import Event, State, Via

from . import automatic, confirmations, documents, mails, organization, organization_reuse, proofs, queries
from .models import Challenge, OrganizationDocument
from .organization import COMPLETE
from .organization import Decided as Decided
from .organization import decide as decide
from .perspectives import LOCAL, Look, Perspective, Sight, look_all

CHECK = "validation.check"
VERIFY_SECONDS = 8.0
"""What *Verify* waits for at most; the answer comes within 10 s."""

AUTOMATIC_HEAD_START = timedelta(seconds=20)
"""So long the first look waits for the record that is being added; it is looked at once that is seen."""

ANSWERED = frozenset({State.CHECKING_ORG, State.ISSUING, State.ISSUED})
"""Here *Verify* looks at nothing any more and answers with what was proved: the worker was quicker."""


def begin(certificate: Certificate, application: Application, now: datetime) -> None:
    """Asks for the proof of every name, in the transaction that records the application (DOM-1, DOM-2)."""
    product, book = applications.product_of(certificate), catalogue()
    ended = book.ended_methods(product, now.date())
    made = proofs.create(application, product, book.reuse_days(product, now.date()), now, ended=ended)
    if application.domain_method == "EMAIL":
        confirmations.send_first(mails.asker_of(application), made, now)
    else:
        mails.send_records(certificate, application, made, now)
    automatic.begin(application)
    if application.purpose == Purpose.ROLLOVER and advance(certificate, application, now):
        return  # nothing to look at; the state stays, so nobody has to move the certificate first
    schedule(application, clock.real_now() + AUTOMATIC_HEAD_START if application.auto_dns else None)


def schedule(application: Application, run_at: datetime | None = None) -> None:
    """The next look of the workers; one waits at most."""
    jobs.enqueue(
        CHECK,
        {"application": application.id},
        subject=application.certificate_id,
        run_at=run_at,
        dedupe_key=f"{CHECK}:{application.id}",
    )


def advance(certificate: Certificate, application: Application, now: datetime) -> bool:
    """Carries the certificate on once each name has its own evidence (DOM-10); False while one lacks it.

    The caller holds `proofs.lock`.
    """
    if not is_proving(application.purpose, certificate.state) or not queries.all_proved(application):
        return False
    if is_beside(application.purpose):  # the state stays: the organization was checked for the version before
        jobs.emit(COMPLETE, certificate.id)
        return True
    principal = system_principal(certificate.account_id, CHECK)
    via = Via.ORGANIZATION if certificate.level in ("OV", "EV") else Via.DOMAIN_ONLY
    with short_transaction():
        if via is Via.ORGANIZATION and organization_reuse.lean_on(principal, certificate, application, now):
            via = Via.DOMAIN_ONLY
        if via is Via.ORGANIZATION:
            organization.begin(certificate, application, now)
        certificates.move(certificate.id, Event.DOMAINS_PROVED, now, via=via, principal=principal)
        if via is Via.DOMAIN_ONLY:
            jobs.emit(COMPLETE, certificate.id)
    return True


def end(application_id: int, now: datetime) -> None:
    """The application was withdrawn: its evidence is void (WDR-5), its organisation's check is over."""
    proofs.void(application_id, now)
    organization.end(application_id, now)


def forget_organization(certificate_id: str, now: datetime) -> None:
    """Documents that were shown for the check of its organisation go; who decided what, and when, stays."""
    shown = OrganizationDocument.objects.filter(verification__certificate_id=certificate_id)
    documents.clear(shown.filter(removed_at=None), now)


@dataclass(frozen=True, slots=True)
class Report:
    """What *Verify* answers: the state afterwards and each name."""

    status: str
    info: queries.ProofInfo


def check_now(principal: Principal, certificate_id: str, *, perspective: Perspective = LOCAL) -> Report:
    """Looks at every unproved name at once and waits for it, outside any transaction (DOM-11).

    Raises:
        NotFound, Forbidden: from `certificates.fetch` with `scm:cert:verify`.
        WrongState: there is nothing to verify in this state.
        CertdeskError: TOO_MANY while another *Verify* of this certificate is under way.
    """
    now = clock.now()
    certificate = certificate_queries.fetch(principal, "scm:cert:verify", certificate_id)
    application = applications.latest(certificate.id)
    checkable = application is not None and _is_checkable(certificate, application)
    if application is None or not (checkable or certificate.state in ANSWERED):
        raise WrongState(
            "There is no domain name to verify in the present state of the certificate.",
            next_step="Verification follows the application; open the certificate to see its state.",
        )
    if checkable:
        looks = _claim(principal, certificate, application, now)
        sights = asyncio.run(look_all(looks, now, deadline=VERIFY_SECONDS, perspective=perspective))
        _store(certificate_id, application.id, sights, clock.now())
        certificate = certificate_queries.fetch(principal, "scm:cert:verify", certificate_id)
    return Report(certificate.state, queries.info_of(certificate))


def _is_checkable(certificate: Certificate, application: Application) -> bool:
    return application.state == ApplicationState.OPEN and is_proving(application.purpose, certificate.state)


def _claim(
    principal: Principal, certificate: Certificate, application: Application, now: datetime
) -> tuple[Look, ...]:
    """Takes the turn of this certificate: one *Verify* at a time, whatever the number of web processes."""
    real = clock.real_now()
    with short_transaction():
        if proofs.lock(application.id) is None:  # first, as everybody does: PostgreSQL finds no deadlock then
            return ()
        mails.send_records(certificate, application, proofs.renew_old_values(application, now), now)
        open_ones = proofs.looked_at(application.id)
        free = (
            Q(busy_until__isnull=True) | Q(busy_until__lt=real) | Q(busy_until__gt=real + timedelta(hours=1))
        )
        ids = [challenge.id for challenge in open_ones]
        taken = Challenge.objects.filter(free, id__in=ids).update(
            busy_until=real + timedelta(seconds=VERIFY_SECONDS + 2)
        )
        if ids and taken < len(ids):
            raise CertdeskError(
                "A verification of this certificate is under way.",
                next_step="Wait for its result, then try again.",
                kind=Kind.TOO_MANY,
                retry_after=3,
            )
        audit.record(
            principal,
            "scm:cert:verify",
            resource=f"cert:{certificate.id}",
            account_id=certificate.account_id,
            details={"records": len(ids)},
        )
    return proofs.looks(open_ones)


def _store(certificate_id: str, application_id: int, sights: list[Sight], now: datetime) -> None:
    with short_transaction():
        proofs.lock(application_id)
        Challenge.objects.filter(application_id=application_id).update(busy_until=None)
        store(certificate_id, application_id, sights, now)


def store(certificate_id: str, application_id: int, sights: list[Sight], now: datetime) -> bool:
    """Writes what was seen and carries the certificate on; True when nothing is left to look at.

    In the caller's transaction. Nothing counts when the certificate was withdrawn or moved meanwhile.
    """
    application = proofs.lock(application_id)
    certificate = Certificate.objects.filter(id=certificate_id).first()
    if application is None or certificate is None or not is_proving(application.purpose, certificate.state):
        return True
    proofs.record(application, sights, now)
    try:
        return advance(certificate, application, now)
    except StateChanged:
        return True
