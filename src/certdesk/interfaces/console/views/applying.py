"""Applying for a certificate, and applying again after a refusal (§3.1)."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError, Forbidden, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import both
from certdesk.lifecycle.applications import book
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.rules import check_applicant
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates import csrs, queries, states
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import Event, State
from certdesk.lifecycle.issuance import actions
from certdesk.lifecycle.issuance.submission import applicant_of
from certdesk.lifecycle.renewal import queries as renewals
from certdesk.lifecycle.validation import automatic

from ..forms.applying import ALGORITHMS, APPLICANT, COMPANY, EXTENDED, TECHNICAL, ApplyForm, offered
from ..forms.book import PickForm
from ..forms.common import put
from . import detail, rows
from .cards.standing import failure_of
from .page import alert, back_to, code_of, page, tell

APPLY = "scm:cert:apply"


@page(APPLY, post=APPLY)
def apply(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    certificate = queries.fetch(principal, APPLY, certificate_id, names_follow=True)
    try:
        states.step(State(certificate.state), Event.APPLY)
    except WrongState as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    pick = _pick(request, principal, certificate)
    form = form_of(request, principal, certificate, pick)
    code = ""
    if request.method == "POST" and form.is_valid():
        try:
            actions.apply(principal, certificate_id, form.application(), clock.now())
            tell(
                request,
                _submitted(form.cleaned_data["domain_method"]),
                "application.submitted",
            )
            return back_to("verify", certificate_id)
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
    context = context_of(certificate, form, code) | {
        "title": _("Apply for certificate"),
        "failure": failure_of(certificate),
        "pick": pick if request.method != "POST" else None,
        "operation": "apply",
    }
    return render(request, "console/apply.html", context, status=422 if form.errors else 200)


def context_of(certificate: Certificate, form: ApplyForm, code: str) -> dict[str, Any]:
    """What the form of an application, a first one or a reissue, shows on its page."""
    return {
        "form": form,
        "code": code,
        "kind": rows.kind(
            certificate.brand, certificate.type, certificate.domain_type, certificate.source, certificate.free
        ),
        "sections": _sections(form),
        "barred": _barred(certificate),
        "technical": [form[name] for name in TECHNICAL],
        "technical_open": any(form[name].value() or form[name].errors for name in TECHNICAL),
        "private_ca_matters": True,
        **detail.crumbs(certificate),
    }


def _barred(certificate: Certificate) -> str:
    """Why the account may not apply at all, said before anybody fills in the form (APP-14)."""
    try:
        check_applicant(applicant_of(certificate.account_id), applications.product_of(certificate))
    except Forbidden as error:
        return both(error)
    return ""


def _pick(request: HttpRequest, principal: Principal, certificate: Certificate) -> PickForm | None:
    """The choice out of the book; nothing while the book is empty or not open to this user."""
    people, companies = book.people(principal), book.companies(principal)
    if not people and not companies:
        return None
    needed = applications.product_of(certificate).needs_organization and bool(companies)
    return PickForm(people, companies, request.GET or None, with_company=needed)


def _submitted(method: str) -> str:
    return {
        "FILE": _("The application is submitted. The files to serve were also mailed to the applicant."),
        "EMAIL": _("The application is submitted. The mailboxes of the domain were asked to confirm."),
    }.get(method) or _("The application is submitted. The records to add were also mailed to the applicant.")


def form_of(
    request: HttpRequest, principal: Principal, certificate: Certificate, pick: PickForm | None
) -> ApplyForm:
    """The answers of before are kept (REO-1); company and people come from the account's last application,
    or from the book where somebody chose (APP-11)."""
    product = applications.product_of(certificate)
    names = (certificate.single_quota, certificate.wildcard_quota)
    wildcard = "WILDCARD" in certificate.domain_type or certificate.primary_domain_type == "WILDCARD_DOMAIN"
    methods = offered(product, wildcard, clock.now().date(), mail_server=bool(settings.get().smtp_url))
    zones = tuple(automatic.zones_of(principal.account_id)) if automatic.is_offered(principal) else ()
    stored = _stored(principal, product)
    if request.method == "POST":
        return ApplyForm(product, names, request.POST, offered=methods, zones=zones, stored=stored)
    before = applications.last_details(principal, certificate.id).values
    if not before and renewals.original(principal, certificate):
        before = applications.last_details(principal, certificate.renews_id).values
    initial = dict(before or applications.last_details(principal).values)
    if pick is not None and pick.is_bound and pick.is_valid():
        chosen = pick.cleaned_data
        initial |= book.prefill(
            principal,
            contact=chosen["contact"],
            technical=chosen["technical"],
            company_id=chosen.get("company"),
        )
    if "sans" in initial:
        initial["sans"] = initial["sans"].replace(";", "\n")
    if initial.get("csr_id") in dict(stored):
        initial |= {"csr_mode": "STORED", "csr": ""}
    else:
        initial["csr_mode"] = "UPLOAD" if initial.get("csr") else "SYSTEM"
    if initial.get("domain_method") not in methods.methods:
        initial["domain_method"] = "DNS"
    return ApplyForm(product, names, initial=initial, offered=methods, zones=zones, stored=stored)


def _stored(principal: Principal, product: Product) -> list[tuple[str, str]]:
    """The newest stored CSRs whose key the certificate's type takes."""
    found = []
    for one in csrs.usable(principal):
        if one.private_key_algo in product.key_algorithms:
            key = _("key here") if one.key_id else _("key not here")
            words = (one.name, one.domain_name, ALGORITHMS[one.private_key_algo], key)
            found.append((one.id, " · ".join(words)))
    return found


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
