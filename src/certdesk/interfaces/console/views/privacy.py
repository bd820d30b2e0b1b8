"""Cancelling the privacy authorisation of a certificate (§5.9)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Conflict, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.certificates import queries, rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.deployment import queries as deployments
from certdesk.lifecycle.issuance.privacy import CANCEL_PRIVACY

from . import detail
from .page import alert, back_to, page, tell


@page(CANCEL_PRIVACY, post=CANCEL_PRIVACY)
def cancel(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """Asks first: says what is deleted for ever, and wants the name typed (PRV-3)."""
    certificate = queries.fetch(principal, CANCEL_PRIVACY, certificate_id)
    name = certificate.domain or certificate.name
    problem = ""
    try:
        rules.check_forgettable(certificate, clock.now())
        if request.method == "POST":
            if request.POST.get("confirm_name", "").strip().lower() == name.lower():
                call("certificates.cancel_privacy", principal, certificate_id=certificate_id)
                tell(request, _done(), "privacy.canceled")
                return back_to("certificate", certificate_id)
            problem = _("This is not the name. Nothing was deleted.")
    except (WrongState, Conflict) as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    context = {
        "title": _("Cancel privacy authorization"),
        "name": name,
        "losses": _losses(certificate),
        "served_at": deployments.serving(certificate.id),
        "problem": problem,
        "url": reverse("privacy", args=[certificate_id]),
        **detail.crumbs(certificate),
    }
    return render(request, "console/privacy.html", context, status=422 if problem else 200)


def _done() -> str:
    return _("Authorization for privacy information canceled successfully. The details are deleted.")


def _losses(certificate: Certificate) -> list[str]:
    application = applications.latest(certificate.id)
    lost = [_("Names, phone numbers and email addresses of the applicant and the technical contact.")]
    if application and application.company:
        lost.append(_("The details of the organization, and the documents that were shown for its check."))
    lost += [
        _("What was saved or would be filled in for the next application from this one."),
        _("Text and recipients of the messages about this certificate in the outbox."),
        _("Auto-renewal of this certificate: it needs these details."),
    ]
    return lost + ([_in_force(certificate)] if certificate.not_after else [])


def _in_force(certificate: Certificate) -> str:
    if certificate.level != "DV" and certificate.state != State.REVOKED:
        return _("Not deleted: the certificate itself, with the organization's name that stands in it.")
    return _("Not deleted: the certificate itself, which holds no contact details.")
