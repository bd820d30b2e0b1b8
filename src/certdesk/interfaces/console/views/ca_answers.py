"""An officer uploads what a CA without an interface sent, or notes that it refused or revoked."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.issuance import by_hand
from certdesk.lifecycle.issuance.outside_info import OrderInfo

from ..forms.common import put
from ..forms.small import CaAnswerForm
from . import detail
from .cards import ca_order
from .page import back_to, code_of, page, tell


@page(by_hand.RIGHT, post=by_hand.RIGHT)
def bring(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The CSR to take there, and the form for what came back."""
    certificate = certificates.fetch(principal, by_hand.RIGHT, certificate_id)
    form, code = CaAnswerForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            call(
                "certificates.ca_answer", principal, body=_body(request, form), certificate_id=certificate_id
            )
            tell(request, _("It is taken. The certificate's page says how it goes on."), "ca_order.brought")
            return back_to("certificate", certificate_id)
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
    shown = ca_order.card(principal, certificate)
    info: OrderInfo | None = shown.get("ca_order")
    context = {
        **detail.crumbs(certificate),
        **shown,
        "title": _("Answer of the CA"),
        "form": form,
        "code": code,
        "revoking": info is not None and info.revokes,
        "waits": info is not None and info.awaits_officer,
    }
    return render(request, "console/ca_answer.html", context, status=422 if form.errors else 200)


def _body(request: HttpRequest, form: CaAnswerForm) -> dict[str, object]:
    """Which of the three buttons was pressed."""
    answer = request.POST.get("answer", "")
    given = form.cleaned_data
    return {
        "certificate": given["certificate"] if answer == "certificate" else "",
        "refusal": given["refusal"] if answer == "refusal" else "",
        "revoked": answer == "revoked",
    }
