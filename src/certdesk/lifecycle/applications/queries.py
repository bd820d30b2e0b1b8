"""Reads of applications."""

from dataclasses import dataclass

from django.db.models import Q

from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates.models import Certificate

from .form import COMPANY_FIELDS
from .models import Application, ApplicationState, Contact, Draft, Purpose

_CAME_TO_NOTHING = Q(state__in=(ApplicationState.WAITING, ApplicationState.DECLINED)) | Q(
    purpose__in=(Purpose.ADDITION, Purpose.ROLLOVER),
    state__in=(ApplicationState.WITHDRAWN, ApplicationState.REFUSED),
)
"""The certificate stayed as it was: what is shown of it goes by the application before."""


def open_application(certificate_id: str) -> Application | None:
    """The application under way; at most one is."""
    return Application.objects.filter(certificate_id=certificate_id, state=ApplicationState.OPEN).first()


def latest(certificate_id: str) -> Application | None:
    """The last application by which the certificate stands, whatever became of it, e.g. for *Modify and
    reapply* (REO-1)."""
    found = Application.objects.filter(certificate_id=certificate_id).exclude(_CAME_TO_NOTHING)
    return found.order_by("-id").first()


def current(certificate_id: str) -> Application | None:
    """The application behind the certificate's current version; None before the first issuance."""
    found = Application.objects.filter(certificate_id=certificate_id, state=ApplicationState.FULFILLED)
    return found.order_by("-id").first()


def waiting(certificate_id: str) -> Application | None:
    """The reissue that nobody has confirmed yet."""
    found = Application.objects.filter(certificate_id=certificate_id, state=ApplicationState.WAITING)
    return found.order_by("-id").first()


def product_of(certificate: Certificate) -> Product:
    """The line of the catalogue that the certificate was bought from."""
    return catalogue().product(
        certificate.brand, certificate.type, certificate.domain_type, free=certificate.free
    )


def applicant_address(application_id: int) -> str:
    """Where mails about the application go; empty when there is no contact."""
    found = Contact.objects.filter(application_id=application_id).values_list("applicant_email", flat=True)
    return found.first() or ""


def contact(application_id: int) -> Contact | None:
    """The people of an application, as long as they are kept."""
    return Contact.objects.filter(application_id=application_id).first()


def applicant(application_id: int) -> tuple[str, str] | None:
    """Mail address and phone number of who applied; None when that is not kept (any more)."""
    found = Contact.objects.filter(application_id=application_id)
    return found.values_list("applicant_email", "applicant_phone").first()


@dataclass(frozen=True, slots=True)
class LastDetails:
    """What prefills the next application, by the form's field names."""

    values: dict[str, str]


def last_details(principal: Principal, certificate_id: str = "") -> LastDetails:
    """Company and people of the account's last application (APP-11), or of one certificate (REO-1), for
    which an application that was only saved goes before one that was submitted."""
    draft = Draft.objects.filter(certificate_id=certificate_id).first() if certificate_id else None
    if draft is not None:
        return LastDetails(dict(draft.values))
    applications = Application.objects.filter(account_id=principal.account_id).select_related("contact")
    if certificate_id:
        applications = applications.filter(certificate_id=certificate_id)
    application = applications.filter(contact__applicant_name__gt="").order_by("-id").first()
    if application is None:
        return LastDetails({})
    company = {COMPANY_FIELDS[key]: value for key, value in application.company.items()}
    contact = application.contact
    people = {
        name: getattr(contact, name)
        for name in (
            "applicant_name",
            "applicant_phone",
            "applicant_email",
            "contact_name",
            "contact_phone",
            "contact_email",
        )
    }
    answers: dict[str, str] = {}
    if certificate_id:
        primary, _, rest = application.names.partition(";")
        answers = {"domain": primary, "sans": rest, "key_algorithm": application.key_algorithm}
        answers |= {"csr": application.csr, "csr_id": application.csr_id}
        answers["domain_method"] = application.domain_method
        answers["ca_hash_algorithm"] = application.ca_hash_algorithm
    return LastDetails({**company, **people, **answers})
