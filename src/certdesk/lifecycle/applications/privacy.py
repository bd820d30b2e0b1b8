"""What an application keeps of people and organisations, and its end (PRV-2, REV-8)."""

from datetime import datetime

from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.models import Certificate

from . import book
from .models import Application, Contact, CsrMode, Draft


def forget(certificate: Certificate, now: datetime) -> None:
    """Deletes contacts, organisation, saved drafts, uploaded CSRs (their subjects name people too) and the
    entries of the book that came from them. In the caller's transaction; what is issued stays as it is."""
    applications = Application.objects.filter(certificate=certificate)
    for application in applications:
        book.forget(application)
    Contact.objects.filter(application__certificate=certificate).delete()
    Draft.objects.filter(certificate=certificate).delete()
    applications.filter(csr_mode=CsrMode.UPLOAD).update(csr="")
    applications.update(company={})
    certificates.forget_personal(certificate.id, now)
