"""The end of a withdrawal: Pending application again, or the CA was quicker (WDR-2, WDR-3, WDR-5)."""

from datetime import datetime

from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.applications.models import ApplicationState
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.rules import state_of
from certdesk.lifecycle.certificates.states import Event, State
from certdesk.lifecycle.validation import actions as validation
from certdesk.lifecycle.validation import mails, proofs

from . import outside_orders
from .actions import PLACE
from .models import Placement, PlacementState

PENDING = (State.CANCELCHECKING, State.CANCELSUPPLEMENTING)
REFUSED = "The CA had approved the application already, so it could not be withdrawn."


def settle(principal: Principal, certificate: Certificate, now: datetime) -> bool:
    """Settles a withdrawal in the caller's transaction; True for Pending application again, or, of an
    addition, for Issued with the version of before (ADD-5).

    Where a CA outside may issue meanwhile, the order is taken back there first, and this comes again.
    """
    expired = state_of(certificate, now) is State.EXPIRED
    application = application_queries.open_application(certificate.id)
    if application is not None:
        proofs.lock(application.id)
        if outside_orders.leave(application.id) and not expired:
            return False  # the CA is asked first: it may have issued already, and that is honoured
        taken = Placement.objects.filter(
            application=application, outside=None, state__in=(PlacementState.PLACED, PlacementState.FULFILLED)
        )
        if taken.exists() and not expired:
            certificates.move(
                certificate.id, Event.WITHDRAWAL_REFUSED, now, principal=principal, note=REFUSED
            )
            jobs.enqueue(PLACE, subject=certificate.id, dedupe_key=f"{PLACE}:{certificate.id}")
            return False
        applications.end(application.id, ApplicationState.WITHDRAWN, now)
        validation.end(application.id, now)
        mails.send_withdrawn(certificate, application)
    event = Event.LAPSE if expired else Event.WITHDRAWAL_DONE  # LST-7
    if certificates.move(certificate.id, event, now, principal=principal) is State.PAID:
        certificates.set_names(certificate.id, (), now)
    return True
