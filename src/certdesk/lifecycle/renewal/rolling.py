"""Rollover inside the paid period (REN-8, REN-9): a further version, issued and served, without charge."""

from datetime import datetime

from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.applications.models import Application, ApplicationState
from certdesk.lifecycle.certificates import endings
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import ROLLS_OVER, State
from certdesk.lifecycle.issuance import followup
from certdesk.lifecycle.validation import queries as validation

from . import placing
from .buying import PATIENCE, cause_of_proof, cause_of_words
from .causes import Cause
from .models import Renewal
from .outcome import Done, Ended, Failed, Outcome, Waits


def step(renewal: Renewal, certificate: Certificate, now: datetime) -> Outcome:
    """One step of the rollover, in the caller's transaction.

    Raises:
        CertdeskError: what `followup.roll_over` refuses.
    """
    principal = system_principal(certificate.account_id, "renewal.step")
    if certificate.current_version > renewal.version:
        done = placing.place(principal, renewal, certificate, deploy=True)
        return Done() if isinstance(done, Done) and _by_machine(renewal, done) else done
    if State(certificate.state) not in ROLLS_OVER:
        return Waits(Cause.BUSY) if State(certificate.state) in _PENDING else Ended()
    application = Application.objects.filter(id=renewal.application_id).first()
    if application is None or application.state == ApplicationState.WITHDRAWN:
        return _begin(renewal, certificate, now)
    if application.state == ApplicationState.REFUSED:
        if not placing.retries(renewal, Cause.REFUSED, Cause.CAA):
            words = certificate.last_failure
            return Failed(cause_of_words(words, Cause.REFUSED), words)
        return _begin(renewal, certificate, now)
    return _under_way(application, certificate, now)


_PENDING = frozenset({State.SUPPLEMENTCHECKING, State.CANCELSUPPLEMENTING, State.CHECKING, State.ISSUING})


def _by_machine(renewal: Renewal, done: Done) -> bool:
    """Whether nothing is left for people: it is seen where it is served."""
    return done.cause is None and bool(renewal.bindings)


def _begin(renewal: Renewal, certificate: Certificate, now: datetime) -> Outcome:
    principal = system_principal(certificate.account_id, "renewal.step")
    end = endings.paid_end(certificate)
    if end is None or end <= now:
        return Ended()
    made = followup.roll_over(principal, certificate.id, now, latest=end)
    renewal.application_id = made.id
    renewal.save(update_fields=["application_id"])
    return Waits(pause=PATIENCE)


def _under_way(application: Application, certificate: Certificate, now: datetime) -> Outcome:
    if now - application.created_at < PATIENCE:
        return Waits(pause=PATIENCE)
    names = application.names.split(";")
    if len(validation.proved(application.id)) < len(names):
        return Waits(cause_of_proof(application), certificate.last_failure)
    return Waits(cause_of_words(certificate.last_failure), certificate.last_failure)
