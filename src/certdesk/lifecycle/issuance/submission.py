"""Handing in a checked application; *apply* and *issue now* share it."""

from datetime import datetime

from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications.models import Application, Purpose
from certdesk.lifecycle.applications.rules import Applicant, Checked
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import Event, State
from certdesk.lifecycle.validation import actions as validation

from . import followup
from .errors import PeriodOver


def applicant_of(account_id: str) -> Applicant:
    """The account's flags (APP-14, ORG-5)."""
    found = sql.row(
        "SELECT real_name_verified, special_enterprise FROM iam_account WHERE id = %s", [account_id]
    )
    if found is None:
        raise NotFound(f"There is no account {account_id}.")
    return Applicant(bool(found[0]), bool(found[1]))


def submit(principal: Principal, certificate: Certificate, checked: Checked, now: datetime) -> Application:
    """Records a checked application and asks for its proofs, in the caller's transaction.

    After a reissue that was withdrawn or refused it goes on within the period of the first version (REI-8).

    Raises:
        PeriodOver: that one has passed.
    """
    latest = followup.latest_not_after(certificate)
    if latest is not None and now >= latest:
        raise PeriodOver(latest)
    purpose = Purpose.ISSUE if latest is None else Purpose.REISSUE
    kept = {"personal_data": True} if checked.personal else None
    certificates.move(certificate.id, Event.APPLY, now, principal=principal, set=kept)
    certificate.state = State.CHECKING
    application = applications.record(
        principal, certificate, checked, now, purpose=purpose, latest_not_after=latest
    )
    certificates.set_names(certificate.id, checked.names.texts, now)
    validation.begin(certificate, application, now)
    return application
