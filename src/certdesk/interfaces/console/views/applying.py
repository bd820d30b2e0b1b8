"""Applying for a certificate, and applying again after a refusal (§3.1)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.certificates import queries, states
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import Event, State
from certdesk.lifecycle.issuance import actions

from ..forms.applying import APPLICANT, COMPANY, EXTENDED, TECHNICAL, ApplyForm
from ..forms.common import put
from . import detail, rows
from .page import alert, back_to, code_of, page, tell

APPLY = "scm:cert:apply"


@page(APPLY, post=APPLY)
def apply(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    certificate = queries.fetch(principal, APPLY, certificate_id)
    try:
        states.step(State(certificate.state), Event.APPLY)
    except WrongState as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    form = _form(request, principal, certificate)
    code = ""
    if request.method == "POST" and form.is_valid():
        try:
            actions.apply(principal, certificate_id, form.application(), clock.now())
            tell(
                request,
                _("The application is submitted. The records to add were also mailed to the applicant."),
                "application.submitted",
            )
            return back_to("verify", certificate_id)
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
    context = {
        "title": _("Apply for certificate"),
        "form": form,
        "code": code,
        "failure": certificate.last_failure,
        "kind": rows.kind(
            certificate.brand, certificate.type, certificate.domain_type, certificate.source, certificate.free
        ),
        "sections": _sections(form),
        "technical": [form[name] for name in TECHNICAL],
        "technical_open": any(form[name].value() or form[name].errors for name in TECHNICAL),
        "private_ca_matters": True,
        **detail.crumbs(certificate),
    }
    return render(request, "console/apply.html", context, status=422 if form.errors else 200)


def _form(request: HttpRequest, principal: Principal, certificate: Certificate) -> ApplyForm:
    """The answers of before are kept (REO-1); company and people come from the account's last application."""
    product = applications.product_of(certificate)
    names = (certificate.single_quota, certificate.wildcard_quota)
    if request.method == "POST":
        return ApplyForm(product, names, request.POST)
    before = applications.last_details(principal, certificate.id).values
    initial = dict(before or applications.last_details(principal).values)
    if "sans" in initial:
        initial["sans"] = initial["sans"].replace(";", "\n")
    initial["csr_mode"] = "UPLOAD" if initial.get("csr") else "SYSTEM"
    return ApplyForm(product, names, initial=initial)


def _sections(form: ApplyForm) -> list[dict[str, object]]:
    """The form in the guide's chapters; those without a field are left out."""
    plan = [
        (
            _("Company information"),
            (*COMPANY, *EXTENDED),
            _("It stands in the certificate. Enter the full name as on your business license."),
        ),
        (
            _("Applicant details"),
            APPLICANT,
            _("The CA contacts you here. These details are not part of the issued certificate."),
        ),
    ]
    return [
        {"title": title, "fields": [form[name] for name in names if name in form.fields], "note": note}
        for title, names, note in plan
        if any(name in form.fields for name in names)
    ]


@page("", post=APPLY)
def reopen(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """*Modify and reapply* (REO-1)."""
    try:
        actions.reopen(principal, certificate_id, clock.now())
    except WrongState as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    tell(
        request,
        _("Your answers are kept. Correct what was refused and submit again; nothing is paid again."),
        "certificate.reopened",
    )
    return back_to("apply", certificate_id)
