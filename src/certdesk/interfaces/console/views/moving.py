"""A certificate's enterprise project (IAM-6), and the end of a project in which nothing lies."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import projects
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.certificates import queries
from certdesk.lifecycle.certificates.editing import UPDATE

from ..forms.common import choose, put
from . import detail
from .page import alert, back_to, page, tell
from .people import SURE, crumb


class ProjectForm(forms.Form):
    """Where the certificate shall lie."""

    project = forms.ChoiceField(
        label=gettext_lazy("Enterprise project"),
        help_text=gettext_lazy("Policies that are limited to a project reach what lies in it."),
    )


@page(UPDATE, post=UPDATE)
def move(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The right is needed where the certificate lies and where it goes."""
    certificate = queries.fetch(principal, UPDATE, certificate_id)
    initial = {"project": certificate.enterprise_project_id}
    form = ProjectForm(request.POST if request.method == "POST" else None, initial=initial, label_suffix="")
    here = certificate.enterprise_project_id
    open_ones = [one for one in projects.listed(principal) if one.enabled or one.id == here]
    choose(form, "project", [(one.id, one.name) for one in open_ones])
    if request.method == "POST" and form.is_valid():
        try:
            body = {"resource_type": "scm", "resource_id": certificate_id}
            call("projects.migrate", principal, body=body, id=form.cleaned_data["project"])
            tell(request, _("The certificate lies in the other project now."), "certificate.moved")
            return back_to("certificate", certificate_id)
        except CertdeskError as error:
            put(form, error)
    context = {"form": form, "title": _("Move to another project"), **detail.crumbs(certificate)}
    return render(request, "console/move.html", context, status=422 if form.errors else 200)


@page(projects.DELETE, post=projects.DELETE)
def delete_project(request: HttpRequest, principal: Principal, project_id: str) -> HttpResponse:
    """Asks a second time; a project with certificates or rights in it stays, and the page says so."""
    found = projects.fetch(principal, projects.DELETE, project_id)
    if request.method == "POST":
        try:
            call("projects.delete", principal, id=project_id)
            tell(request, _("Deleted."), "iam.deleted")
        except CertdeskError as error:
            alert(request, error)
        return back_to("iam-projects")
    context = {
        "title": _("Delete %(name)s?") % {"name": found.name},
        "crumbs": [crumb(_("Enterprise projects"), "iam-projects")],
        "losses": [
            _("Only a project in which nothing lies and to which no right is limited can be deleted.")
        ],
        "submit": _("Delete the project"),
        "operation": "project-delete",
        "back": reverse("iam-projects"),
    }
    return render(request, SURE, context)
