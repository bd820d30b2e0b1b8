"""What the applicant is told while names and organisation are verified. Written with the change itself."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.models import User
from certdesk.foundation.outbox import actions as outbox
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates.models import Certificate

from .models import Challenge

log = structlog.get_logger(__name__)


def send_records(
    certificate: Certificate, application: Application, challenges: Sequence[Challenge], now: datetime
) -> None:
    """A copy of the records to set up (DOM-2); nothing when there is none to set up."""
    if not challenges:
        return
    records = [
        {
            "domain": one.authorization_domain,
            "host": one.record_name,
            "type": one.record_type,
            "value": one.value,
        }
        for one in challenges
    ]
    key = f"dns-record:{application.id}:{clock.to_micros(now)}"
    send(certificate, application, "dns-record", {"records": records}, key, page="/verify")


def send_refusal(certificate: Certificate, application: Application, reason: str) -> None:
    """ORG-3, ISS-4: Approval failed, with the reason."""
    send(certificate, application, "refused", {"reason": reason}, f"refused:{application.id}")


def send_withdrawn(certificate: Certificate, application: Application) -> None:
    send(certificate, application, "withdrawn", {}, f"withdrawn:{application.id}")


def send_issued(certificate: Certificate, application: Application, not_after: datetime) -> None:
    send(certificate, application, "issued", {"not_after": not_after}, f"issued:{application.id}")


def send(
    certificate: Certificate,
    application: Application,
    template: str,
    context: Mapping[str, object],
    dedupe_key: str,
    *,
    page: str = "",
) -> None:
    """To the applicant's address, else to that of the user who applied; without either nothing is sent.

    A message never stops the change that it tells of: an address that cannot be used is noted in the log.
    """
    user = User.objects.filter(id=application.submitted_by).values("email", "language").first()
    recipient = applications.applicant_address(application.id) or (user["email"] if user else "")
    if not recipient:
        return
    values = {
        "certificate_id": certificate.id,
        "domain": application.names.partition(";")[0],
        "link": f"{settings.get().base_url}/certificates/{certificate.id}{page}",
        **context,
    }
    try:
        outbox.send(
            certificate.account_id,
            template,
            recipient,
            values,
            certificate_id=certificate.id,
            locale=user["language"] if user else "en",
            dedupe_key=dedupe_key,
        )
    except BadParameter as refused:
        log.warning("message not sent", message=dedupe_key, reason=refused.message)
