"""The end of a withdrawal: Pending application again, or the CA was quicker (WDR-2, WDR-3, WDR-5)."""

from datetime import datetime

from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.applications.models import ApplicationState
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import Event
from certdesk.lifecycle.validation import actions as validation
from certdesk.lifecycle.validation import mails, proofs

from .actions import PLACE
from .models import Placement, PlacementState

REFUSED = "The CA had approved the application already, so it could not be withdrawn."


def settle(principal: Principal, certificate: Certificate, now: datetime) -> bool:
    """Settles a withdrawal in the caller's transaction; True for Pending application again."""
    application = application_queries.open_application(certificate.id)
    if application is not None:
        proofs.lock(application.id)
        taken = Placement.objects.filter(
            application=application, state__in=(PlacementState.PLACED, PlacementState.FULFILLED)
        )
        if taken.exists():
            certificates.move(
                certificate.id, Event.WITHDRAWAL_REFUSED, now, principal=principal, note=REFUSED
            )
            jobs.enqueue(PLACE, subject=certificate.id, dedupe_key=f"{PLACE}:{certificate.id}")
            return False
        applications.end(application.id, ApplicationState.WITHDRAWN, now)
        validation.end(application.id, now)
        mails.send_withdrawn(certificate, application)
    certificates.move(certificate.id, Event.WITHDRAWAL_DONE, now, principal=principal)
    certificates.set_names(certificate.id, (), now)
    return True
