"""How a certificate stands, read from the rooms for its pages."""

from datetime import datetime

from certdesk.foundation.common import clock
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.catalogue import working_days
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.queries import region as working_region
from certdesk.lifecycle.catalogue.working_days import Promise
from certdesk.lifecycle.certificates import queries, rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State

from ...standing import Standing
from .. import rows


def standing_of(certificate: Certificate, application: Application | None, now: datetime) -> Standing:
    open_now = application if certificate.state != State.PAID else None
    return Standing(
        state=rules.state_of(certificate, now),
        since=certificate.state_since,
        level=certificate.level,
        approval=rows.approval(certificate.type),
        method=application.domain_method if application else "DNS",
        failure=failure_of(certificate),
        created_at=certificate.created_at,
        applied_at=open_now.created_at if open_now else None,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        promise=promise(certificate),
    )


def failure_of(certificate: Certificate) -> str:
    """Why the last step failed, in the reader's language; an officer's own words stay as they are."""
    text = certificate.last_failure
    return text if failed_at(certificate) == "organization" else say(text)


def promise(certificate: Certificate) -> Promise | None:
    """The approval period of table 3-6 in working days, while the organization is checked (ISS-5)."""
    kind = catalogue().types.get(certificate.type)
    if certificate.state != State.CHECKING_ORG or kind is None or kind.approval_days is None:
        return None
    region = working_region(certificate.brand)
    return working_days.promise(kind.approval_days, certificate.state_since, clock.now(), region)


def failed_at(certificate: Certificate) -> str:
    """Where an application that was refused had come to, by who refused it."""
    if certificate.state != State.UNPASSED:
        return ""
    last = queries.events(certificate).filter(action__startswith="certificate.").first()
    rejected = last is not None and last.action == "certificate.organization_rejected"
    return "organization" if rejected else "issue"
