"""The verbs of an application: apply, withdraw, reopen. *Issue now* stands in `issue_now`."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.applications import stored
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.applications.rules import check_application
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import queries as certificate_queries
from certdesk.lifecycle.certificates import states
from certdesk.lifecycle.certificates.states import Event, State
from certdesk.lifecycle.validation import automatic
from certdesk.pki.keystore import queries as keystore

from . import outside_orders, renewing
from .issue_now import IssueRequest as IssueRequest
from .issue_now import IssueResult as IssueResult
from .issue_now import issue_batch as issue_batch
from .issue_now import issue_now as issue_now
from .submission import applicant_of, submit

PLACE = "issuance.place"
SIGN = "issuance.sign"
WITHDRAWAL = "issuance.withdrawal"
APPLY, CANCEL = "scm:cert:apply", "scm:cert:cancel"


@dataclass(frozen=True, slots=True)
class Applied:
    """What an application led to."""

    certificate_id: str
    application_id: int
    status: str


def apply(principal: Principal, certificate_id: str, form: ApplicationForm, now: datetime) -> Applied:
    """Submits the application of a certificate in Pending application (APP-1).

    Raises:
        NotFound, Forbidden: no such certificate or stored CSR, or no right to apply for it or to see it.
        WrongState: it is not in Pending application.
        CertdeskError: what `applications.rules.check_application` or `automatic.check_allowed` refuses.
        Conflict: another request was quicker.
    """
    certificate = certificate_queries.fetch(principal, APPLY, certificate_id, names_follow=True)
    states.step(State(certificate.state), Event.APPLY)
    product = application_queries.product_of(certificate)
    chosen = stored.chosen(principal, form)
    checked = check_application(
        stored.filled(form, chosen),
        certificate,
        product,
        applicant_of(certificate.account_id),
        blocked=keystore.is_blocked,
        ended=catalogue().ended_methods(product, now.date()),
    )
    names = tuple(one.text for one in checked.names.names)
    certificate_queries.require_names(principal, APPLY, certificate, names)
    checked = stored.attached(principal, checked, product, chosen)
    renewing.check_company(certificate, checked.company)
    automatic.check_allowed(principal, certificate.account_id, checked)
    outside_orders.check_csr(product, checked)
    with short_transaction():
        application = submit(principal, certificate, checked, now)
    return Applied(certificate.id, application.id, State.CHECKING.value)


def withdraw(principal: Principal, certificate_id: str, now: datetime) -> State:
    """Asks to take the application back (WDR-1); a job settles it within seconds (WDR-2).

    Raises:
        NotFound, Forbidden: no such certificate, or no `scm:cert:cancel` on it.
        WrongState: nothing is under way, or the CA has approved already (WDR-3).
    """
    certificate = certificate_queries.fetch(principal, CANCEL, certificate_id)
    if certificate.state == State.ISSUING:
        raise WrongState(
            "The CA has approved the application already, so it cannot be withdrawn.",
            next_step="Wait for the certificate; it can be revoked once it is issued.",
        )
    with short_transaction():
        state = certificates.move(certificate.id, Event.WITHDRAW, now, principal=principal)
        jobs.enqueue(WITHDRAWAL, subject=certificate.id, dedupe_key=f"{WITHDRAWAL}:{certificate.id}")
    return state


def reopen(principal: Principal, certificate_id: str, now: datetime) -> State:
    """*Modify and reapply* after a refusal: Pending application again, nothing paid again (REO-1).

    Raises:
        NotFound, Forbidden: no such certificate, or no `scm:cert:apply` on it.
        WrongState: nothing was refused.
    """
    certificate = certificate_queries.fetch(principal, APPLY, certificate_id)
    return certificates.move(certificate.id, Event.REOPEN, now, principal=principal)
