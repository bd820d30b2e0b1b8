"""Reissuing (REI): asked for, its cancellation of the old certificate confirmed, then the normal path again.

Until it is confirmed the old certificate is good in every way (REI-9); declined, or not confirmed within 30
days, it is simply Issued again (REI-7). With the confirmation it is revoked, and the application that waited
is under way.
"""

import secrets
from dataclasses import replace
from datetime import datetime
from typing import Any

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.outbox import actions as outbox
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.applications import stored
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.applications.models import Application, ApplicationState, Purpose
from certdesk.lifecycle.applications.rules import Checked, check_application
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import further, states, versions
from certdesk.lifecycle.certificates import queries as certificate_queries
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.rules import state_of
from certdesk.lifecycle.certificates.states import Event, State
from certdesk.lifecycle.validation import actions as validation
from certdesk.lifecycle.validation import automatic, mails, proofs
from certdesk.pki.keystore import queries as keystore

from . import followup
from . import revocation_rules as rules
from .models import ReissueOutcome, ReissueRequest
from .revoking import digest_of, end_version
from .submission import applicant_of

REISSUE = "scm:cert:reissue"
CONFIRMED = "reissue.confirmed"
NOTHING_WAITS = "No reissue of this certificate waits for a confirmation."
LOOK = "Open the certificate to see how it stands."
UNDER_WAY = frozenset({State.CHECKING, State.CHECKING_ORG, State.ISSUING})
SUPERSEDED = rules.NUMBERS[rules.Code.SUPERSEDED]
_KEPT = ("domain", "company_name", "company_unit", "company_province", "company_city", "country")
_KEPT_EV = ("registration_number", "jurisdiction_country", "business_category")
_PEOPLE = ("applicant_name", "applicant_phone", "applicant_email")
_TECHNICAL = ("contact_name", "contact_phone", "contact_email")


def request(principal: Principal, certificate_id: str, form: ApplicationForm, now: datetime) -> State:
    """Asks for a reissue; answers the state, CA verifying (reissue). What is left out stays as it was.

    Raises:
        NotFound, Forbidden: no such certificate or stored CSR, or no `scm:cert:reissue` on it.
        WrongState: it is not Issued, or its kind or the time since its issuance does not allow it (REI-1).
        CertdeskError: what an application may not have (`applications.rules.check_application`).
        Conflict: another request was quicker.
    """
    certificate = certificate_queries.fetch(principal, REISSUE, certificate_id)
    check_possible(certificate, now)
    before = followup.base_of(certificate)
    checked = _checked(principal, certificate, form, now)
    certificate_queries.require_names(principal, REISSUE, certificate, checked.names.texts)
    with short_transaction():
        kept = {"personal_data": True} if checked.personal else None
        state = certificates.move(certificate.id, Event.REISSUE, now, principal=principal, set=kept)
        application = applications.record(
            principal,
            certificate,
            checked,
            now,
            purpose=Purpose.REISSUE,
            state=ApplicationState.WAITING,
            latest_not_after=certificate.not_after,
        )
        asked = ReissueRequest.objects.create(
            certificate=certificate,
            application=application,
            account_id=certificate.account_id,
            made_at=now,
        )
        _ask_by_mail(certificate, before, asked, now)
    return state


def check_possible(certificate: Certificate, now: datetime) -> None:
    """REI-1, REI-6.

    Raises:
        WrongState: with the cause.
    """
    states.check_not_expired(State(certificate.state), certificate.not_after, now, Event.REISSUE)
    why = further.no_reissue(certificate, now)
    if why:
        raise WrongState(why, next_step="Buy another certificate, or add names where it takes several.")
    states.step(State(certificate.state), Event.REISSUE)


def _checked(principal: Principal, certificate: Certificate, form: ApplicationForm, now: datetime) -> Checked:
    """The rules of applying, with the answers of before where nothing new was given (REI-3)."""
    product = application_queries.product_of(certificate)
    chosen = stored.chosen(principal, form)
    filled = stored.filled(_with_answers(principal, certificate, form), chosen)
    checked = check_application(
        filled,
        certificate,
        product,
        applicant_of(certificate.account_id),
        blocked=keystore.is_blocked,
        ended=catalogue().ended_methods(product, now.date()),
    )
    checked = stored.attached(principal, checked, product, chosen)
    automatic.check_allowed(principal, certificate.account_id, checked)
    return checked


def _with_answers(principal: Principal, certificate: Certificate, form: ApplicationForm) -> ApplicationForm:
    """People go together: a new applicant's name never meets the old one's phone number."""
    last = application_queries.last_details(principal, certificate.id).values
    wanted = [name for name in (*_KEPT, *_KEPT_EV) if not getattr(form, name)]
    if form.csr.strip() or form.csr_id:
        wanted = [name for name in wanted if name != "domain"]
    if form.company_name:
        wanted = [name for name in wanted if name == "domain"]
    for people in (_PEOPLE, _TECHNICAL):
        if not any(getattr(form, name) for name in people):
            wanted += people
    kept: dict[str, Any] = {name: last[name] for name in wanted if last.get(name)}
    return replace(form, **kept)


def _ask_by_mail(certificate: Certificate, before: Application, asked: ReissueRequest, now: datetime) -> None:
    """REI-4: to the contact of the old certificate; the link stands in the mail alone."""
    secret = secrets.token_urlsafe(32)
    ReissueRequest.objects.filter(id=asked.id).update(digest=digest_of(secret))
    mails.send(
        certificate,
        before,
        "reissue-confirmation",
        {"new_domain": asked.application.names, "until": now + rules.LINK_LIFE},
        message_of(asked.id),
        page="/reissue",
        secrets={"confirm_link": f"{settings.get().base_url}/confirm/reissue-{secret}"},
    )


def message_of(request_id: int) -> str:
    """The name of that mail for all times."""
    return f"reissue-confirmation:{request_id}"


def waiting(certificate_id: str) -> ReissueRequest | None:
    """The request that waits, to be shown."""
    found = ReissueRequest.objects.filter(certificate_id=certificate_id, outcome=ReissueOutcome.OPEN)
    return found.first()


def open_request(certificate_id: str) -> ReissueRequest | None:
    """The request that waits, held until the transaction ends."""
    found = ReissueRequest.objects.select_for_update(of=("self",)).select_related("application")
    return found.filter(certificate_id=certificate_id, outcome=ReissueOutcome.OPEN).first()


def confirm(principal: Principal, certificate_id: str, now: datetime) -> State:
    """Confirms on the console or by API instead of the mail's link; twice is no error (REI-5).

    Raises:
        NotFound, Forbidden: as `request`. WrongState: no reissue waits for it.
    """
    certificate = certificate_queries.fetch(principal, REISSUE, certificate_id)
    with short_transaction():
        asked = open_request(certificate.id)
        if asked is None:
            state = State(Certificate.objects.get(id=certificate.id).state)
            if state in UNDER_WAY and _ended_so(certificate, ReissueOutcome.CONFIRMED):
                return state
            raise WrongState(NOTHING_WAITS, next_step=LOOK)
        return confirm_open(principal, asked, now, by="account")


def _ended_so(certificate: Certificate, outcome: ReissueOutcome) -> bool:
    last = ReissueRequest.objects.filter(certificate=certificate).order_by("-id").first()
    return last is not None and last.outcome == outcome


def confirm_open(
    principal: Principal, asked: ReissueRequest, now: datetime, *, by: str, source: str = ""
) -> State:
    """REI-8, in the caller's transaction, which holds the request.

    Raises:
        WrongState: the certificate has expired or moved meanwhile, or the organization's details are gone.
    """
    certificate = Certificate.objects.get(id=asked.certificate_id)
    _check_waiting(certificate, asked, now)
    followup.drop_rollover(certificate.id, now)
    latest = certificate.not_after or now
    applications.confirm(asked.application_id, latest)
    application = asked.application
    application.state, application.latest_not_after = ApplicationState.OPEN, latest
    _void_proofs(certificate, application, now)
    for version in versions.in_force(certificate.id, now):  # with what a rollover or an addition left behind
        end_version(version, SUPERSEDED, now)
    state = certificates.move(
        certificate.id,
        Event.REISSUE_CONFIRMED,
        now,
        principal=principal,
        set={"not_before": None, "not_after": None},
    )
    certificates.set_names(certificate.id, tuple(application.names.split(";")), now)
    end(asked, ReissueOutcome.CONFIRMED, now)
    audit.record(
        principal,
        CONFIRMED,
        resource=f"cert:{certificate.id}",
        account_id=asked.account_id,
        details={"by": by, "source": source},
    )
    validation.begin(certificate, application, now)
    return state


def _check_waiting(certificate: Certificate, asked: ReissueRequest, now: datetime) -> None:
    if state_of(certificate, now) is not State.REISSUING or rules.link_is_old(asked.made_at, now):
        raise WrongState(NOTHING_WAITS, next_step=LOOK)
    if certificate.level in ("OV", "EV") and not asked.application.company:
        raise WrongState(followup.DETAILS_GONE, next_step="Decline this reissue, then ask for another one.")


def _void_proofs(certificate: Certificate, application: Application, now: datetime) -> None:
    """WDR-5: what was gathered for the old certificate proves nothing for those opened from now on."""
    earlier = Application.objects.filter(certificate=certificate).exclude(id=application.id)
    for one in earlier.values_list("id", flat=True):
        proofs.void(one, now)


def end(asked: ReissueRequest, outcome: ReissueOutcome, now: datetime) -> None:
    """The mail's link opens nothing any more."""
    ReissueRequest.objects.filter(id=asked.id).update(outcome=outcome, ended_at=now)
    outbox.forget_secret_of(message_of(asked.id))


def decline(principal: Principal, certificate_id: str, now: datetime) -> State:
    """The old certificate stays: Issued, nothing lost (REI-7); twice is no error.

    Raises:
        NotFound, Forbidden: as `request`. WrongState: no reissue waits.
    """
    certificate = certificate_queries.fetch(principal, REISSUE, certificate_id)
    with short_transaction():
        asked = open_request(certificate.id)
        if asked is None:
            state = State(Certificate.objects.get(id=certificate.id).state)
            if state is State.ISSUED and _ended_so(certificate, ReissueOutcome.DECLINED):
                return state
            raise WrongState(NOTHING_WAITS, next_step=LOOK)
        return decline_open(principal, asked, now)


def decline_open(principal: Principal, asked: ReissueRequest, now: datetime) -> State:
    """In the caller's transaction, which holds the request."""
    applications.decline(asked.application_id, now)
    end(asked, ReissueOutcome.DECLINED, now)
    return certificates.move(asked.certificate_id, Event.REISSUE_DECLINED, now, principal=principal)


def lapse(asked: ReissueRequest, why: str, now: datetime) -> None:
    """Nobody confirmed it: Issued again with a note, in the caller's transaction (REI-7, LST-7)."""
    principal = system_principal(asked.account_id, "issuance.reissues")
    applications.decline(asked.application_id, now)
    end(asked, ReissueOutcome.LAPSED, now)
    if Certificate.objects.filter(id=asked.certificate_id, state=State.REISSUING).exists():
        certificates.move(asked.certificate_id, Event.LAPSE, now, principal=principal, note=why)
