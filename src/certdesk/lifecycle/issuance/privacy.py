"""Cancelling the privacy authorisation of a certificate's application (§5.9)."""

from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import phone, sql
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox import actions as outbox
from certdesk.lifecycle.applications import privacy
from certdesk.lifecycle.applications.models import Contact
from certdesk.lifecycle.certificates import queries, rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.validation import actions as validation

CANCEL_PRIVACY = "scm:privacyProtection:delete"


def cancel(principal: Principal, certificate_id: str, now: datetime) -> None:
    """Deletes what is kept of people and organisation, for ever; links sent before still work (PRV-5).

    Raises:
        NoCertificate, Forbidden, UnderReview: as `queries.fetch`.
        WrongState: PRV-1 or PRV-4 does not allow it.
    """
    queries.fetch(principal, CANCEL_PRIVACY, certificate_id)
    with sql.erasing(), sql.short_transaction():
        certificate = queries.fetch(principal, CANCEL_PRIVACY, certificate_id)
        rules.check_forgettable(certificate, now)
        forget(certificate, now)
        audit.record(
            principal,
            CANCEL_PRIVACY,
            resource=f"cert:{certificate.id}",
            account_id=certificate.account_id,
        )


def forget(certificate: Certificate, now: datetime) -> None:
    """Everything personal of its applications, in the caller's transaction (PRV-2, REV-8)."""
    forget_messages(certificate.id)
    forget_records(certificate, now)


def forget_messages(certificate_id: str) -> None:
    """What was written so far; it needs the addresses that `forget_records` deletes."""
    outbox.forget_people(certificate_id, _addresses(certificate_id))


def forget_records(certificate: Certificate, now: datetime) -> None:
    """All that is not a message."""
    validation.forget_organization(certificate.id, now)
    privacy.forget(certificate, now)


def _addresses(certificate_id: str) -> set[str]:
    """Mail addresses, and phone numbers as they stand in messages."""
    found = Contact.objects.filter(application__certificate_id=certificate_id)
    mails = {one for pair in found.values_list("applicant_email", "contact_email") for one in pair}
    numbers = {one for pair in found.values_list("applicant_phone", "contact_phone") for one in pair}
    return (mails | {phone.international(one) for one in numbers}) - {""}
