"""A test order at an issuer: asked for here, shown on the page of its certificate."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.issuance import rehearsing
from certdesk.lifecycle.issuers import setting_up
from certdesk.lifecycle.issuers.models import Issuer
from certdesk.lifecycle.issuers.setting_up import TEST

from ..forms.common import put
from .issuers import crumbs
from .page import back_to, code_of, page, tell


class RehearsalForm(forms.Form):
    """The name; where the CA may bill it, a yes to that."""

    domain = forms.CharField(
        label=gettext_lazy("Domain name"),
        max_length=255,
        help_text=gettext_lazy(
            "Its DNS has to be yours to change, or to lie with a DNS connection of this account."
        ),
    )
    agreed = forms.BooleanField(label=gettext_lazy("Order it: the CA may bill it"))

    def __init__(self, data: Any = None, *, bills: bool) -> None:
        super().__init__(data, label_suffix="")
        if not bills:
            del self.fields["agreed"]


@page(TEST, post=TEST)
def order(request: HttpRequest, principal: Principal, issuer_id: str) -> HttpResponse:
    """Says what it is and what it costs, then leads to the certificate, which shows how far it is."""
    issuer = setting_up.fetch(principal, TEST, issuer_id)
    bills = rehearsing.may_bill(issuer)
    form, error = RehearsalForm(request.POST if request.method == "POST" else None, bills=bills), None
    if request.method == "POST" and form.is_valid():
        try:
            made = _ordered(principal, issuer_id, form.cleaned_data)
        except CertdeskError as refused:
            error = refused
            put(form, refused)
        else:
            tell(request, _("The test order is begun. This page shows how far it is."), "issuer.rehearsed")
            return back_to("certificate", made)
    context = {
        "title": _("Test order"),
        "subtitle": say(issuer.title),
        "crumbs": crumbs(issuer),
        "form": form,
        "cost": cost(issuer, bills=bills),
        "bills": bills,
        "code": code_of(error) if error else "",
        "back": reverse("issuer", args=[issuer_id]),
    }
    return render(request, "console/issuer_rehearsal.html", context, status=422 if form.errors else 200)


def _ordered(principal: Principal, issuer_id: str, given: Mapping[str, Any]) -> str:
    agreed = bool(given.get("agreed"))
    return rehearsing.rehearse(principal, issuer_id, given["domain"], clock.now(), agreed=agreed)


def cost(issuer: Issuer, *, bills: bool) -> str:
    """What a test order costs, in one or two sentences."""
    if bills:
        return _("This CA may bill what it issues: a test order costs there what every order costs.")
    if issuer.profile == "public":
        return _("It costs nothing, but counts against the limits of the CA, and stands in the public logs.")
    return _("It costs nothing.")
