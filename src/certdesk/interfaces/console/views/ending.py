"""Deleting a certificate (§5.5), unsubscribing from one (§5.2), its expiry notices (§5.11)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, Conflict, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.interfaces.words.say import both
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import amount_text
from certdesk.lifecycle.certificates import endings, queries, rules
from certdesk.lifecycle.certificates.deleting import DELETE
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.deployment import queries as deployments
from certdesk.lifecycle.deployment.errors import StillServed
from certdesk.lifecycle.notifications.actions import UPDATE
from certdesk.lifecycle.notifications.rules import NoticeType
from certdesk.lifecycle.orders import queries as orders
from certdesk.lifecycle.orders.refunds import REFUND

from ..forms.hosting import UnsubscribeForm
from ..templatetags.certdesk_ui import money
from . import detail
from .cards.downloads import key_held
from .page import alert, back_to, page, tell


@page(DELETE, post=DELETE)
def delete(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """Asks first: says what is lost, and wants the name typed (DEL-3)."""
    certificate = queries.fetch(principal, DELETE, certificate_id)
    state = rules.state_of(certificate, clock.now())
    name = certificate.domain or certificate.name
    problem = ""
    try:
        endings.check_deletable(certificate, state, in_console=True)
        if request.method == "POST":
            if request.POST.get("confirm_name", "").strip().lower() == name.lower():
                force = {"force": "force" in request.POST}
                call("certificates.delete", principal, certificate_id=certificate_id, query=force)
                tell(request, _("Certificate deleted successfully."), "certificate.deleted")
                return back_to("certificates")
            problem = _("This is not the name. Nothing was deleted.")
    except StillServed as error:
        problem = both(error)
    except (WrongState, Conflict) as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    context = {
        "title": _("Delete certificate"),
        "name": name,
        "losses": _losses(certificate, state),
        "problem": problem,
        "served_at": deployments.serving(certificate.id),
        "url": reverse("delete", args=[certificate_id]),
        **detail.crumbs(certificate),
    }
    return render(request, "console/delete.html", context, status=422 if problem else 200)


def _losses(certificate: Certificate, state: State) -> list[str]:
    lost = [_("It leaves the list for good and cannot be restored.")]
    if key_held(certificate):
        lost.append(
            _("Its private key is destroyed here. Download the certificate first if you still need the key.")
        )
    if state in (State.ISSUED, State.UPLOAD) and certificate.not_after:
        lost.append(
            _("Outside nothing changes: servers that have it serve it on; it is trusted until %(end)s.")
            % {"end": date_format(certificate.not_after, _("j M Y"))}
        )
    if certificate.free:
        lost.append(_("It still counts among the free certificates that the account has had."))
    return lost


@page(REFUND, post=REFUND)
def unsubscribe(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """Says what comes back and what is lost; the acknowledgement must be ticked (UNS-4)."""
    certificate = queries.fetch(principal, REFUND, certificate_id)
    now = clock.now()
    form = UnsubscribeForm(request.POST if request.method == "POST" else None, label_suffix="")
    try:
        endings.check_unsubscribable(certificate, rules.state_of(certificate, now), now)
        if request.method == "POST" and form.is_valid():
            call("certificates.unsubscribe", principal, certificate_id=certificate_id)
            tell(
                request,
                _("Certificate unsubscribed. The refund is on its way to the balance it was paid from."),
                "certificate.unsubscribed",
            )
            return back_to("certificates")
    except (WrongState, Conflict) as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    context = {
        "title": _("Confirm unsubscription"),
        "form": form,
        "last": f"{certificate.created_at + endings.UNSUBSCRIBE_FOR:%Y-%m-%d %H:%M:%S} UTC",
        "refund": _refund(certificate),
        "served_at": deployments.serving(certificate.id),
        **detail.crumbs(certificate),
    }
    return render(request, "console/unsubscribe.html", context, status=422 if form.errors else 200)


def _refund(certificate: Certificate) -> str:
    """The cash that comes back, as an amount with its currency."""
    cash, currency = orders.paid_in_cash(certificate.id)
    return money(amount_text(cash, catalogue().currencies.get(currency, 2)), currency)


@page("", post=UPDATE)
def notices(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The switch of one kind of expiry notices."""
    kind, on = request.POST.get("kind", ""), request.POST.get("on") == "1"
    if kind not in list(NoticeType):
        raise BadParameter(f"There are no notices {kind[:20]!r}.", next_step="Use the buttons.", field="kind")
    body = [{"resource_id": certificate_id, "notice_type": [kind]}]
    call("notices.enable" if on else "notices.disable", principal, body=body)
    words = _("The notices are switched on.") if on else _("The notices are switched off.")
    tell(request, words, "notices.switched")
    return back_to("certificate", certificate_id)


@page("", post=UPDATE)
def acknowledge(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """NTF-5: silent until the next stage."""
    call("certificates.acknowledge_notices", principal, certificate_id=certificate_id)
    tell(request, _("Acknowledged: nobody is told again until the next stage."), "notices.acknowledged")
    return back_to("certificate", certificate_id)
