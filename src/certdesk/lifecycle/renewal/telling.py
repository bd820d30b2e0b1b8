"""A renewal needs somebody: one mail a cause, to the contact of the account and to the applicant."""

import structlog

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.models import User
from certdesk.foundation.outbox import actions as outbox
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.certificates.models import Certificate

from .causes import Cause
from .models import Renewal

log = structlog.get_logger(__name__)
TEMPLATE = "renewal-attention"
PAGES = {
    Cause.BALANCE: "/balance",
    Cause.CONNECTION: "/dns",
    Cause.PROOF: "/certificates/{id}/verify",
    Cause.PRIVACY: "/certificates/{old}/renew",
    Cause.DEPLOYMENT: "/certificates/{id}/deploy",
    Cause.INSTALL: "/certificates/{id}",
}


def tell(renewal: Renewal, old: Certificate, cause: Cause) -> None:
    """Queues the messages in the caller's transaction; the same cause of the same attempt once."""
    new = Certificate.objects.filter(id=renewal.new_id).first() if renewal.new_id else None
    key = f"renewal:{renewal.id}:{cause.value}:{renewal.attempts}"
    _send(old, new or old, cause, renewal.reason, key)


def ask(certificate: Certificate, cause: Cause, reason: str, key: str) -> None:
    """The same of a new version that somebody else asked for; once for each `key`."""
    _send(certificate, certificate, cause, reason, key)


def _send(old: Certificate, about: Certificate, cause: Cause, reason: str, key: str) -> None:
    path = _page(cause, about).format(id=about.id, old=old.id)
    context = {
        "domain": old.domain,
        "name": old.name,
        "certificate_id": about.id,
        "not_after": old.not_after,
        "cause": cause.value,
        "reason": reason,
        "link": f"{settings.get().base_url}{path}",
    }
    for number, (address, locale) in enumerate(_recipients(old)):
        try:
            outbox.send(
                old.account_id,
                TEMPLATE,
                address,
                context,
                certificate_id=about.id,
                locale=locale,
                dedupe_key=f"{key}:{number}",
            )
        except BadParameter as refused:
            log.warning("message not sent", certificate=old.id, reason=refused.message)


def _page(cause: Cause, about: Certificate) -> str:
    """Names that already wait for a record have it on the page of their proofs, and the way to DNS too."""
    if cause is Cause.CONNECTION and applications.open_application(about.id) is not None:
        return PAGES[Cause.PROOF]
    return PAGES.get(cause, "/certificates/{id}")


def _recipients(old: Certificate) -> list[tuple[str, str]]:
    users = User.objects.filter(account_id=old.account_id, is_active=True).exclude(email="")
    contact = users.filter(id=old.owner_id).first() or users.order_by("created_at", "id").first()
    found = [(contact.email, contact.language)] if contact else []
    application = applications.current(old.id)
    applicant = applications.applicant_address(application.id) if application else ""
    if applicant and applicant.lower() not in {one.lower() for one, _ in found}:
        found.append((applicant, contact.language if contact else "en"))
    return found
