"""The only writers of applications: record one, end one, forget the people of one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from certdesk.foundation.common.errors import Conflict
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.pki.keystore import actions as keystore

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
    state: ApplicationState = ApplicationState.OPEN,
    latest_not_after: datetime | None = None,
) -> Application:
    """Writes the application and its people, in the caller's transaction.

    Args:
        state: WAITING for a reissue that has to be confirmed first.
        latest_not_after: what it brings ends then at the latest.

    Raises:
        Conflict: another application of this certificate is open.
    """
    values = columns(principal, certificate.id, checked, now, purpose=purpose)
    values |= {"state": state.value, "latest_not_after": latest_not_after}
    with transaction.atomic():
        if state is ApplicationState.OPEN:
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
        "latest_not_after": None,
        "agreed_at": now,
        "created_at": now,
        "ended_at": None,
    }


_COPIED = (
    "csr_mode",
    "key_algorithm",
    "csr",
    "csr_id",
    "ca_hash_algorithm",
    "domain_method",
    "auto_dns",
    "company",
    "submitted_by",
    "submitted_key",
    "submitted_agency",
)
_PEOPLE = (
    "applicant_name",
    "applicant_phone",
    "applicant_email",
    "contact_name",
    "contact_phone",
    "contact_email",
)


def record_followup(
    before: Application,
    purpose: Purpose,
    names: Sequence[str],
    latest_not_after: datetime,
    now: datetime,
    **changed: object,
) -> Application:
    """An application that takes all but its names from an earlier one of the certificate, in the caller's
    transaction. A key that the service made is made anew; that of a CSR stays, for the CSR is its holder's.

    Args:
        before: the application behind the current version.
        changed: columns that differ.

    Raises:
        Conflict: another application of this certificate is open.
    """
    values = {name: getattr(before, name) for name in _COPIED} | {
        "spki": None if before.csr_mode == CsrMode.SYSTEM else before.spki,
        "key_id": _key_again(before),
        "agreed_at": before.agreed_at,
    }
    with transaction.atomic():
        _refuse_second(before.certificate_id)
        return Application.objects.create(
            certificate_id=before.certificate_id,
            account_id=before.account_id,
            purpose=purpose,
            names=";".join(names),
            latest_not_after=latest_not_after,
            created_at=now,
            **{**values, **changed},
        )


def _key_again(before: Application) -> str:
    """A copy, as `stored.take_key` makes one: each application has its own."""
    if before.csr_mode != CsrMode.STORED or not before.key_id:
        return ""
    return keystore.copy(before.key_id, before.account_id).id


def copy_people(before: Application, application: Application) -> None:
    """The people of an earlier application of the same certificate, if any are kept."""
    found = Contact.objects.filter(application=before).first()
    if found is not None:
        people = {name: getattr(found, name) for name in _PEOPLE}
        Contact.objects.create(application=application, account_id=application.account_id, **people)


def set_address(application: Application, email: str) -> None:
    """Where mails about an addition go (ADD-2); it has no other people."""
    Contact.objects.create(application=application, account_id=application.account_id, applicant_email=email)


def confirm(application_id: int, latest_not_after: datetime) -> bool:
    """A reissue that waited is under way from here on; False when it waits no more."""
    return bool(
        Application.objects.filter(id=application_id, state=ApplicationState.WAITING).update(
            state=ApplicationState.OPEN, latest_not_after=latest_not_after
        )
    )


def decline(application_id: int, now: datetime) -> bool:
    """A reissue that waited comes to nothing; False when it waits no more."""
    return bool(
        Application.objects.filter(id=application_id, state=ApplicationState.WAITING).update(
            state=ApplicationState.DECLINED, ended_at=now
        )
    )


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
