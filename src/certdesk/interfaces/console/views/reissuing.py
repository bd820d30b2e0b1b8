"""Reissuing a certificate (§5.1)."""

from datetime import datetime

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
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.deployment import queries as deployments
from certdesk.lifecycle.issuance import reissuing, revocation_rules
from certdesk.lifecycle.issuance.reissuing import REISSUE

from ..forms.common import put
from . import applying, detail
from .page import alert, back_to, code_of, page, tell


@page(REISSUE, post=REISSUE)
def reissue(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The application form with the answers of now; what it costs stands above it."""
    certificate, now = queries.fetch(principal, REISSUE, certificate_id), clock.now()
    if rules.state_of(certificate, now) is State.REISSUING:
        return _waiting(request, certificate)
    try:
        reissuing.check_possible(certificate, now)
    except WrongState as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    form = applying.form_of(request, principal, certificate, None)
    code = ""
    if request.method == "POST" and form.is_valid():
        try:
            reissuing.request(principal, certificate_id, form.application(), now)
            tell(
                request,
                _("Reissue requested. Confirm it by the link in the mail that is on its way, or here."),
                "certificate.reissue_requested",
            )
            return back_to("certificate", certificate_id)
        except (WrongState, Conflict) as error:
            alert(request, error)
            return back_to("certificate", certificate_id)
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
    context = applying.context_of(certificate, form, code) | {
        "title": _("Reissue certificate"),
        "losses": _losses(certificate, now),
        "served_at": deployments.serving(certificate.id),
        "operation": "reissue",
    }
    return render(request, "console/apply.html", context, status=422 if form.errors else 200)


def _losses(certificate: Certificate, now: datetime) -> list[str]:
    told = [
        _("A mail asks for a confirmation. Until then the present certificate stays in force as it is."),
        _(
            "Once confirmed, the present certificate is revoked: servers that still serve it show an error "
            "until the new one is installed."
        ),
        _("The domain name is verified once more, whatever was verified before."),
    ]
    if certificate.level in ("OV", "EV"):
        told.append(_("The organization is verified once more, too."))
    if certificate.not_after and certificate.first_issued_at:
        end = further.window_end(certificate.first_issued_at, certificate.reissue_days)
        told.append(
            _("The new one expires on %(end)s as the old one does. Nothing is paid; possible until %(last)s.")
            % {
                "end": date_format(certificate.not_after, _("j M Y")),
                "last": date_format(end, _("j M Y")),
            }
        )
    return told


def _waiting(request: HttpRequest, certificate: Certificate) -> HttpResponse:
    """REI-5: what waits, until when, and the decision without the mail."""
    asked = reissuing.waiting(certificate.id)
    waiting = applications.waiting(certificate.id)
    context = {
        "title": _("Confirm the reissue"),
        "name": certificate.domain or certificate.name,
        "new_name": waiting.names if waiting else "",
        "waits": asked is not None,
        "until": date_format(asked.made_at + revocation_rules.LINK_LIFE, _("j M Y")) if asked else "",
        "served_at": deployments.serving(certificate.id),
        **detail.crumbs(certificate),
    }
    return render(request, "console/reissue_confirm.html", context)


@page(REISSUE, post=REISSUE)
def confirm(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The button of that page."""
    return _decide(
        request,
        principal,
        certificate_id,
        "certificates.confirm_reissue",
        _("Confirmed: the old certificate is revoked. Verify the domain name now."),
    )


@page(REISSUE, post=REISSUE)
def decline(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The other one."""
    return _decide(
        request,
        principal,
        certificate_id,
        "certificates.decline_reissue",
        _("Declined: the certificate stays as it is."),
    )


def _decide(
    request: HttpRequest, principal: Principal, certificate_id: str, operation: str, words: str
) -> HttpResponse:
    certificate = queries.fetch(principal, REISSUE, certificate_id)
    if request.method != "POST":
        return _waiting(request, certificate)
    try:
        call(operation, principal, certificate_id=certificate_id)
        tell(request, words, operation)
    except (WrongState, Conflict) as error:
        alert(request, error)
    return back_to("certificate", certificate_id)
