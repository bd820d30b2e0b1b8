"""Applications that are saved before they are submitted (API §1.12, save and read)."""

from dataclasses import asdict
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import queries, states
from certdesk.lifecycle.certificates.states import Event, State

from . import stored
from .form import ApplicationForm
from .models import Draft
from .queries import last_details
from .rules import check_agreement

APPLY = "scm:cert:apply"
_NEVER_KEPT = ("agree_privacy_protection",)


def save(principal: Principal, certificate_id: str, form: ApplicationForm, now: datetime) -> None:
    """Keeps what was filled in so far; what is wrong with it is said when it is submitted.

    Raises:
        NoCertificate, Forbidden: as `queries.fetch`. WrongState: it is not in Pending application.
        NoCsr: the form names a stored CSR that is not there, or not the account's.
        BadParameter: the privacy authorisation was not given: nothing may be kept without it (APP-11).
    """
    certificate = queries.fetch(principal, APPLY, certificate_id)
    states.step(State(certificate.state), Event.APPLY)
    check_agreement(form)
    stored.chosen(principal, form)
    values = {name: value for name, value in asdict(form).items() if name not in _NEVER_KEPT}
    with short_transaction():
        Draft.objects.update_or_create(
            certificate=certificate,
            defaults={
                "account_id": certificate.account_id,
                "values": values,
                "saved_by": principal.user_id,
                "saved_at": now,
            },
        )
        certificates.keep_personal(certificate.id)
        audit.record(
            principal,
            "application.saved",
            resource=f"cert:{certificate.id}",
            account_id=certificate.account_id,
        )


def read(principal: Principal, certificate_id: str) -> dict[str, object]:
    """What was saved, else what was submitted last, by the form's field names; empty when there is neither.

    Raises:
        NoCertificate, Forbidden: as `queries.fetch`.
    """
    queries.fetch(principal, APPLY, certificate_id)
    return dict(last_details(principal, certificate_id).values)
