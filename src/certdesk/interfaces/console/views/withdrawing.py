"""Withdrawing an application (§5.8)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Conflict, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import queries, rules
from certdesk.lifecycle.certificates.rules import Operation
from certdesk.lifecycle.certificates.states import ROWS, State
from certdesk.lifecycle.issuance import actions

from . import detail
from .page import alert, back_to, page, tell

CANCEL = "scm:cert:cancel"


@page(CANCEL, post=CANCEL)
def withdraw(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """Asks first: what was proved under this application has to be proved again."""
    certificate = queries.fetch(principal, CANCEL, certificate_id)
    if request.method == "POST":
        try:
            actions.withdraw(principal, certificate_id, clock.now())
            tell(
                request,
                _("Request for canceling the application submitted successfully."),
                "application.withdrawn",
            )
        except (WrongState, Conflict) as error:
            alert(request, error)
        return back_to("certificate", certificate_id)
    if Operation.WITHDRAW not in rules.offered(certificate, clock.now()):
        alert(request, _not_now(rules.state_of(certificate, clock.now())))
        return back_to("certificate", certificate_id)
    context = {
        "title": _("Withdraw application"),
        "addition": certificate.state == State.SUPPLEMENTCHECKING,
        "url": reverse("withdraw", args=[certificate_id]),
        **detail.crumbs(certificate),
    }
    return render(request, "console/withdraw.html", context)


def _not_now(state: State) -> WrongState:
    return WrongState(
        _("The application cannot be withdrawn while the certificate is: %(state)s.")
        % {"state": _(ROWS[state].title)}
    )
