"""Revoking a certificate (§5.4)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, Conflict, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates import endings, queries, rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.deployment import queries as deployments
from certdesk.lifecycle.issuance import revocation_rules, revoking
from certdesk.lifecycle.issuance.revoking import REVOKE
from certdesk.pki.x509.errors import BadCsr

from ..forms.common import put
from ..forms.revoking import RevokeForm
from . import detail
from .page import alert, back_to, page, tell


@page(REVOKE, post=REVOKE)
def revoke(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """Says what is lost, asks for the reason, and wants the name typed; nothing takes it back (REV-3)."""
    certificate = queries.fetch(principal, REVOKE, certificate_id)
    if rules.state_of(certificate, clock.now()) is State.REVOKING:
        return _waiting(request, certificate)
    posted = request.POST if request.method == "POST" else None
    form = RevokeForm(posted, name=_name(certificate), proof_for=certificate.id)
    if request.method != "POST" and (why := _why_not(certificate)):
        alert(request, WrongState(why))
        return back_to("certificate", certificate_id)
    if request.method == "POST" and form.is_valid():
        try:
            call("certificates.revoke", principal, certificate_id=certificate_id, body=form.body())
            tell(request, _done(certificate), "certificate.revocation_requested")
            return back_to("certificate", certificate_id)
        except (BadParameter, BadCsr) as error:
            put(form, error)
        except (WrongState, Conflict) as error:
            alert(request, error)
            return back_to("certificate", certificate_id)
    context = {
        "title": _("Revoke certificate"),
        "form": form,
        "losses": _losses(certificate),
        "served_at": deployments.serving(certificate.id),
        "name": _name(certificate),
        "only_compromise": say(endings.no_revocation(certificate, clock.now())),
        **detail.crumbs(certificate),
    }
    return render(request, "console/revoke.html", context, status=422 if form.errors else 200)


def _name(certificate: Certificate) -> str:
    return certificate.domain or certificate.name


def _why_not(certificate: Certificate) -> str:
    """Why the page has nothing to offer; the month before the end leaves a compromised key."""
    now = clock.now()
    offer = next(one for one in rules.offers(certificate, now) if one.operation is rules.Operation.REVOKE)
    listed = rules.state_of(certificate, now) is State.ISSUED
    return "" if offer.offered or (listed and certificate.source == "BOUGHT") else offer.why_not


def _done(certificate: Certificate) -> str:
    if revocation_rules.needs_confirmation(certificate):
        return _("Revocation requested. Confirm it by the link in the mail that is on its way.")
    return _("Revocation requested. It takes effect within seconds.")


def _losses(certificate: Certificate) -> list[str]:
    lost = [
        _("Nobody trusts it any more, at once and for ever: servers that still serve it show an error."),
        _("It cannot be taken back once it is requested. Buying another certificate stays possible."),
        _("The contact and company details that were given for it are deleted."),
    ]
    if certificate.auto_renewal:
        lost.append(_("Its automatic renewal ends."))
    if revocation_rules.needs_confirmation(certificate):
        lost.append(_("The contact of the application gets a mail and has 30 days to confirm it."))
    return lost


def _waiting(request: HttpRequest, certificate: Certificate) -> HttpResponse:
    """REV-2: who waits for whom, and the confirmation without the mail."""
    asked = revoking.open_request(certificate.id)
    context = {
        "title": _("Confirm the revocation"),
        "name": _name(certificate),
        "waits": asked is not None and asked.confirmed_at is None,
        "served_at": deployments.serving(certificate.id),
        "until": date_format(asked.made_at + revocation_rules.LINK_LIFE, _("j M Y")) if asked else "",
        **detail.crumbs(certificate),
    }
    return render(request, "console/revoke_confirm.html", context)


@page(REVOKE, post=REVOKE)
def confirm(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The button of that page."""
    certificate = queries.fetch(principal, REVOKE, certificate_id)
    if request.method != "POST":
        return _waiting(request, certificate)
    try:
        call("certificates.confirm_revocation", principal, certificate_id=certificate_id)
        tell(request, _("Confirmed. It takes effect within seconds."), "certificate.revocation_confirmed")
    except (WrongState, Conflict) as error:
        alert(request, error)
    return back_to("certificate", certificate_id)
