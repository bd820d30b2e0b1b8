"""What the applicant is told while names and organisation are verified. Written with the change itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe

import structlog

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.models import User
from certdesk.foundation.outbox import actions as outbox
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.models import Application, Purpose
from certdesk.lifecycle.certificates.models import Certificate

from . import rules
from .models import Challenge, ConfirmationMail

log = structlog.get_logger(__name__)


def send_records(
    certificate: Certificate, application: Application, challenges: Sequence[Challenge], now: datetime
) -> None:
    """A copy of the records to set up (DOM-2); nothing when there is none to set up."""
    if not challenges:
        return
    if challenges[0].method == "FILE":
        _send_files(certificate, application, challenges, now)
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
    key = f"{copies(application)}{clock.to_micros(now)}"
    send(certificate, application, "dns-record", {"records": records}, key, page="/verify")


def _send_files(
    certificate: Certificate, application: Application, challenges: Sequence[Challenge], now: datetime
) -> None:
    """The same for the file method: where each file goes and what stands in it (DOM-8)."""
    files = [
        {
            "domain": one.authorization_domain,
            "url": rules.file_url(one.authorization_domain),
            "value": one.value,
        }
        for one in challenges
    ]
    key = f"{copies(application)}{clock.to_micros(now)}"
    send(certificate, application, "proof-file", {"files": files}, key, page="/verify")


def copies(application: Application) -> str:
    """What the names of the applicant's copies begin with, one for each set of values."""
    return f"{'proof-file' if application.domain_method == 'FILE' else 'dns-record'}:{application.id}:"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants a mailbox to confirm; `certificate_id` empty = a proof ahead of any order."""

    account_id: str
    user_id: str
    certificate_id: str = ""
    company: str = ""


def asker_of(application: Application) -> Asker:
    return Asker(
        application.account_id,
        application.submitted_by,
        application.certificate_id,
        str(application.company.get("name", "")),
    )


def send_confirmation(
    asker: Asker, challenge: Challenge, address: str, now: datetime
) -> ConfirmationMail | None:
    """DOM-9: asks one mailbox of the domain, with a value of its own. None when the address takes no mail.

    The link stands in the mail alone: whoever applies must not be able to read it in the outbox.
    """
    token = f"{rules.DOMAIN_LINK}{token_urlsafe(rules.TOKEN_BYTES)}"
    hashed = rules.token_hash(token)
    user = User.objects.filter(id=asker.user_id).values("name", "language").first()
    names = challenge.proofs.order_by("position").values_list("name", flat=True)
    context = {
        "domain": challenge.authorization_domain,
        "certificate_id": asker.certificate_id,
        "names": list(names) or [challenge.authorization_domain],
        "company": asker.company,
        "applicant": user["name"] if user else "",
        "until": now + rules.VALUE_LIFE,
        "by_reply": bool(settings.get().mail_listener),
    }
    try:
        message = outbox.send(
            asker.account_id,
            "domain-confirmation",
            address,
            context,
            certificate_id=asker.certificate_id,
            locale=user["language"] if user else "en",
            dedupe_key=f"domain-confirmation:{challenge.id}:{hashed[:32]}",
            secrets={"confirm_link": f"{settings.get().base_url}/confirm/{token}"},
        )
    except BadParameter as refused:
        log.warning("message not sent", domain=challenge.authorization_domain, reason=refused.message)
        return None
    return ConfirmationMail.objects.create(
        challenge=challenge,
        address=address,
        token_hash=hashed,
        message_id=message.id,
        made_at=now,
        last_sent_at=clock.real_now(),
    )


def send_organization_request(certificate: Certificate, application: Application, link: str) -> None:
    """ORG-1: the mail with the link that chooses. As with names, the link stands in the mail alone."""
    page = f"{settings.get().base_url}/certificates/{certificate.id}/organization"
    context = {"company": application.company.get("name", ""), "page": page}
    key = organization_request(application.id)
    send(certificate, application, "organization-request", context, key, secrets={"choose_link": link})


def organization_request(application_id: int) -> str:
    """The name of that mail for all times."""
    return f"organization-request:{application_id}"


def send_refusal(certificate: Certificate, application: Application, reason: str) -> None:
    """ORG-3, ISS-4: Approval failed, with the reason."""
    context = {"reason": reason, "addition": application.purpose == Purpose.ADDITION}
    send(certificate, application, "refused", context, f"refused:{application.id}")


def send_withdrawn(certificate: Certificate, application: Application) -> None:
    context = {"addition": application.purpose == Purpose.ADDITION}
    send(certificate, application, "withdrawn", context, f"withdrawn:{application.id}")


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
    secrets: Mapping[str, str] | None = None,
) -> None:
    """To the applicant's address, else to that of the user who applied; without either nothing is sent.

    A message never stops the change that it tells of: an address that cannot be used is noted in the log.

    Args:
        secrets: what stands in the mail alone, as for `outbox.send`.
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
            secrets=secrets,
        )
    except BadParameter as refused:
        log.warning("message not sent", message=dedupe_key, reason=refused.message)
