"""Adding domain names to a certificate (§5.7)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Conflict, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.certificates import further, queries, rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance import adding
from certdesk.lifecycle.issuance.adding import SUPPLEMENT

from ..forms.adding import AddDomainsForm
from ..forms.common import put
from . import detail
from .page import alert, back_to, code_of, page, tell


@page(SUPPLEMENT, post=SUPPLEMENT)
def add_domains(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The names of now, how many may come, and what happens meanwhile."""
    certificate, now = queries.fetch(principal, SUPPLEMENT, certificate_id), clock.now()
    try:
        adding.check_possible(certificate, now)
    except WrongState as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    posted = request.POST if request.method == "POST" else None
    form = AddDomainsForm(posted, initial={"email": _address(certificate)}, room=further.room(certificate))
    code = ""
    if request.method == "POST" and form.is_valid():
        try:
            call("certificates.add_domains", principal, certificate_id=certificate_id, body=form.cleaned_data)
            tell(
                request,
                _("Submitted. Verify the new domain names now; the records were also mailed."),
                "certificate.names_added",
            )
            return back_to("verify", certificate_id)
        except (WrongState, Conflict) as error:
            alert(request, error)
            return back_to("certificate", certificate_id)
        except CertdeskError as error:
            code = code_of(error)
            put(form, error, {"sans": "add_sans", "domain": "add_sans"})
    context = {
        "title": _("Add additional domain name"),
        "form": form,
        "code": code,
        "names": rules.names_of(certificate.sans),
        "notes": _notes(certificate),
        **detail.crumbs(certificate),
    }
    return render(request, "console/add_domains.html", context, status=422 if form.errors else 200)


def _address(certificate: Certificate) -> str:
    """That of the application before, where it is still kept."""
    before = applications.current(certificate.id)
    return applications.applicant_address(before.id) if before else ""


def _notes(certificate: Certificate) -> list[str]:
    notes = [
        _("Only the new names are verified; proofs of the present ones that are still good count again."),
        _("Meanwhile the present certificate can be downloaded and stays in force, without the new names."),
        _("Then only the new one can be downloaded: install it where the present one is."),
    ]
    if certificate.not_after:
        notes.append(
            _("It expires on %(end)s as before: validity counts from the first issuance.")
            % {"end": date_format(certificate.not_after, _("j M Y"))}
        )
    return notes
