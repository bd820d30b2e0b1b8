"""The only writers of applications: record one, end one, forget the people of one."""

from datetime import datetime
from typing import Any

from django.db import transaction

from certdesk.foundation.common.errors import Conflict
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates.models import Certificate

from . import book, stored
from .models import Application, ApplicationState, Contact, CsrMode, Draft, Purpose
from .rules import Checked


def record(
    principal: Principal,
    certificate: Certificate,
    checked: Checked,
    now: datetime,
    *,
    purpose: Purpose = Purpose.ISSUE,
) -> Application:
    """Writes the application and its people, in the caller's transaction.

    Raises:
        Conflict: another application of this certificate is open.
    """
    values = columns(principal, certificate.id, checked, now, purpose=purpose)
    with transaction.atomic():
        _refuse_second(certificate.id)
        Draft.objects.filter(certificate=certificate).delete()
        values["key_id"] = stored.take_key(certificate.account_id, checked)
        application = Application.objects.create(**values)
        if any(checked.contact.values()):
            Contact.objects.create(
                application=application, account_id=certificate.account_id, **checked.contact
            )
            book.keep(certificate.account_id, checked.contact, checked.company, now)
    return application


def columns(
    principal: Principal,
    certificate_id: str,
    checked: Checked,
    now: datetime,
    *,
    purpose: Purpose = Purpose.ISSUE,
) -> dict[str, Any]:
    """The row of an application by column; *issue now* writes it by hand-written SQL."""
    return {
        "certificate_id": certificate_id,
        "account_id": principal.account_id,
        "purpose": purpose.value,
        "state": ApplicationState.OPEN.value,
        "csr_mode": _mode(checked).value,
        "key_algorithm": checked.key_algorithm,
        "key_id": "",
        "spki": checked.spki,
        "csr": checked.csr.pem if checked.csr else "",
        "csr_id": checked.csr_id,
        "ca_hash_algorithm": checked.ca_hash_algorithm,
        "domain_method": checked.method,
        "auto_dns": checked.auto_dns,
        "names": ";".join(checked.names.texts),
        "company": checked.company,
        "submitted_by": principal.user_id,
        "submitted_key": principal.access_key,
        "submitted_agency": principal.agency,
        "agreed_at": now,
        "created_at": now,
        "ended_at": None,
    }


def _mode(checked: Checked) -> CsrMode:
    if checked.csr is None:
        return CsrMode.SYSTEM
    return CsrMode.STORED if checked.key_id else CsrMode.UPLOAD


def _refuse_second(certificate_id: str) -> None:
    """The constraint `applications_one_open` decides; this gives it words before it must."""
    if Application.objects.filter(certificate_id=certificate_id, state=ApplicationState.OPEN).exists():
        raise Conflict(
            "This certificate has an application under way.",
            next_step="Wait for its end, or withdraw it and apply again.",
        )


def end(application_id: int, state: ApplicationState, now: datetime) -> bool:
    """Closes an open application; False when somebody closed it before."""
    return bool(
        Application.objects.filter(id=application_id, state=ApplicationState.OPEN).update(
            state=state, ended_at=now
        )
    )


def set_registration_number(application: Application, number: str) -> None:
    """What an officer found in the register; the caller holds the application."""
    application.company = {**application.company, "registration_number": number}
    application.save(update_fields=["company"])


def set_key(application_id: int, key_id: str, spki: bytes) -> None:
    """Notes the key that the service made; a second key for the same application is never taken."""
    taken = Application.objects.filter(id=application_id, key_id="", spki__isnull=True).update(
        key_id=key_id, spki=spki
    )
    if not taken:
        raise Conflict("Another worker made the key of this application.", next_step="Use that one.")
