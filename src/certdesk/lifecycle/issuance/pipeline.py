"""The steps that every issuance takes, whoever asks: request, intent, version. One pipeline (law 4)."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol, cast

from certdesk.foundation.common.errors import Conflict
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.applications.models import Application, ApplicationState, Purpose
from certdesk.lifecycle.applications.purposes import ACCEPTED, REFUSED
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import states
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.rules import VersionFacts
from certdesk.lifecycle.certificates.states import Event, State
from certdesk.lifecycle.validation import mails, organization_queries
from certdesk.lifecycle.validation import queries as validation
from certdesk.lifecycle.validation import rules as validation_rules
from certdesk.lifecycle.validation.models import OrganizationState
from certdesk.pki.authority.types import CertificateRequest, LevelName, ProfileName, Signed
from certdesk.pki.x509.certificates import signature_algorithm
from certdesk.pki.x509.keys import KeyAlgorithm

from . import followup, renewing, rules
from .errors import NotProved
from .models import Placement, PlacementState
from .rules import Approvals, Proof


class Applied(Protocol):
    """What the pipeline reads of an application; *issue now* has it before the row exists."""

    @property
    def account_id(self) -> str: ...
    @property
    def names(self) -> str: ...
    @property
    def key_algorithm(self) -> str: ...
    @property
    def company(self) -> dict[str, str]: ...


def make_request(
    reference: str,
    applied: Applied,
    product: Product,
    months: int,
    spki: bytes,
    proofs: Sequence[Proof],
    approvals: Approvals,
    now: datetime,
    latest: datetime | None = None,
    carried: timedelta = rules.NOTHING,
) -> CertificateRequest:
    """The request for the issuer, with the authorisation for exactly these names and this key.

    Whether the key was blocked meanwhile is the issuer's to refuse.

    Args:
        latest: where it ends at the latest.
        carried: what a renewal takes over from the old certificate (REN-5).

    Raises:
        NotProved: a name or the organisation lacks its proof.
        PeriodOver: `latest` has passed.
    """
    digest = hashlib.sha256(spki).digest()
    names = tuple(applied.names.split(";"))
    today = now.date()
    authorization = rules.authorize(
        reference,
        applied.account_id,
        names,
        digest,
        proofs,
        level=product.level,
        approvals=approvals,
        fresh_since=validation_rules.reuse_since(catalogue().reuse_days(product, today), now),
    )
    longest = catalogue().max_validity_days(product.profile, today)
    start, end = rules.validity(now, months, longest, latest, carried)
    return CertificateRequest(
        authorization=authorization,
        profile=cast(ProfileName, product.profile),
        level=cast(LevelName, product.level),
        strong=product.strong,
        spki=spki,
        key_algorithm=KeyAlgorithm(applied.key_algorithm),
        names=names,
        subject=rules.subject(product.level, applied.company),
        not_before=start,
        not_after=end,
        allow_internal=product.allow_internal,
        allow_ip=product.allow_ip,
    )


def request_of(
    certificate: Certificate, application: Application, reference: str, now: datetime
) -> CertificateRequest:
    """The request of a recorded application, proofs and approvals read afresh.

    Raises:
        NotProved: a name lacks its proof, or has it by a method whose time has ended meanwhile.
        PeriodOver: what was paid for has passed.
    """
    product = application_queries.product_of(certificate)
    found = validation.proved(application.id)
    ended = catalogue().ended_methods(product, now.date())
    gone = next((one for one in found if one.method in ended), None)
    if gone is not None:
        raise NotProved(
            f"{gone.name} was proved by {gone.method.lower()}, which counts no more (Baseline Requirements).",
            next_step="Apply again and choose DNS.",
        )
    return make_request(
        reference,
        application,
        product,
        certificate.validity_months,
        bytes(application.spki or b""),
        [Proof(one.name, one.evidence_id, one.evidence_at) for one in found],
        approvals_of(application.id) if product.level != "DV" else Approvals(),
        now,
        application.latest_not_after,
        renewing.carried(certificate, application.names, now),
    )


def approvals_of(application_id: int) -> Approvals:
    """The officers who approved the organisation of an application."""
    found = organization_queries.approving(application_id)
    if found is None:
        return Approvals()
    officers = found.decisions.filter(approved=True).order_by("id").values_list("officer_id", flat=True)
    return Approvals(
        found.state == OrganizationState.APPROVED, tuple(f"user:{officer}" for officer in officers)
    )


def next_reference(certificate: Certificate) -> str:
    """`<certificate id>.<version>.<try>`: two workers that try at once make the same, so one fails."""
    prefix = f"{certificate.id}.{certificate.current_version + 1}."
    return f"{prefix}{Placement.objects.filter(certificate=certificate).count() + 1}"


def version_facts(
    issuer: str,
    signed: Signed,
    names: Sequence[str],
    spki: bytes,
    key_algorithm: str,
    key_id: str,
    cause: str = "ISSUE",
    paid_until: datetime | None = None,
) -> VersionFacts:
    """The issued certificate as the inventory keeps it (VER-1).

    Args:
        paid_until: with a first version, the end of the paid period.
    """
    return VersionFacts(
        cause=cause,
        issuer=f"{issuer}:{signed.issuer}",
        serial=signed.serial,
        fingerprint_sha256=hashlib.sha256(signed.der).hexdigest(),
        fingerprint_sha1=hashlib.sha1(signed.der, usedforsecurity=False).hexdigest(),
        spki_sha256=hashlib.sha256(spki).hexdigest(),
        signature_algorithm=signature_algorithm(signed.der),
        key_algorithm=key_algorithm,
        not_before=signed.not_before,
        not_after=signed.not_after,
        der=signed.der,
        chain=signed.chain_pem,
        names=tuple(names),
        key_id=key_id,
        paid_until=max(paid_until, signed.not_after) if paid_until else None,
    )


def fulfil(
    principal: Principal,
    placement: Placement,
    signed: Signed,
    now: datetime,
    *,
    names: Sequence[str] = (),
) -> None:
    """Version, state, application and placement in the caller's transaction, after `Issuer.accept` (ISS-1).

    Args:
        names: of the certificate, where its CA has added some; else those of the application.

    Raises:
        Conflict: the placement or the application was settled by somebody else; nothing may be written.
    """
    application, certificate = placement.application, placement.certificate
    settled = Placement.objects.filter(reference=placement.reference, state=PlacementState.PLACED).update(
        state=PlacementState.FULFILLED, settled_at=now
    )
    if not settled or not applications.end(application.id, ApplicationState.FULFILLED, now):
        raise Conflict("This placement was settled already.", next_step="Look at the certificate.")
    facts = version_facts(
        placement.issuer,
        signed,
        names or application.names.split(";"),
        bytes(application.spki or b""),
        application.key_algorithm,
        application.key_id,
        application.purpose,
        _paid_until(certificate, application, signed.not_before),
    )
    certificates.add_version(certificate.id, facts, now)
    event = _unless_expired(ACCEPTED[Purpose(application.purpose)], certificate, facts.not_after, now)
    certificates.move(certificate.id, event, now, principal=principal)
    if application.purpose != Purpose.ROLLOVER:  # REN-9: only its failure is told
        mails.send_issued(certificate, application, signed.not_after)
        if certificate.current_version or certificate.renews_id:  # something is served already
            jobs.emit(followup.REPLACED, certificate.id)


def _unless_expired(event: Event, certificate: Certificate, end: datetime | None, now: datetime) -> Event:
    """LST-7: what was pending on a certificate that has expired meanwhile simply ends."""
    pending = event in (Event.ADDITION_ISSUED, Event.ADDITION_REFUSED)
    over = states.effective(State(certificate.state), end, now) is State.EXPIRED
    return Event.LAPSE if pending and over else event


def _paid_until(certificate: Certificate, application: Application, start: datetime) -> datetime | None:
    """The period begins with the first version; later ones change nothing of it (REN-8)."""
    if certificate.current_version:
        return None
    carried = renewing.carried(certificate, application.names, start)
    return rules.paid_until(start, certificate.validity_months, carried)


def refuse(
    principal: Principal, certificate: Certificate, application: Application, words: str, now: datetime
) -> None:
    """Approval failed with the CA's words (ISS-4); what was answered is kept (REO-1).

    A refused addition leaves the certificate Issued, with the reason; a refused rollover leaves it as it was.
    """
    if not applications.end(application.id, ApplicationState.REFUSED, now):
        return
    Placement.objects.filter(
        certificate=certificate, application=application, state=PlacementState.PLACED
    ).update(state=PlacementState.REFUSED, failure=words[:500], settled_at=now)
    event = REFUSED[Purpose(application.purpose)]
    if event is None:
        followup.note_failed_rollover(principal, certificate, words, now)
        return
    event = _unless_expired(event, certificate, certificate.not_after, now)
    certificates.move(certificate.id, event, now, principal=principal, note=words)
    mails.send_refusal(certificate, application, words[:500])
