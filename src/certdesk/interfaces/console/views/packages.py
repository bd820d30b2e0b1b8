"""The expansion package of free certificates (FRE-1, FRE-2)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.catalogue import prices
from certdesk.lifecycle.orders import packages, queries

from . import bills
from .page import alert, back_to, page

SUBSCRIBE, PAY = "scm:cert:subscribe", "bss:order:pay"


@page(SUBSCRIBE, post=SUBSCRIBE)
def shown(request: HttpRequest, principal: Principal) -> HttpResponse:
    """How many free certificates were taken, and the package that adds some; *Next* makes an unpaid order."""
    principal.require(PAY)
    if request.method == "POST":
        try:
            return back_to("confirm-order", packages.place(principal, clock.now(), statement=None).id)
        except CertdeskError as error:
            alert(request, error)
            return back_to("packages")
    expansion = prices.current_expansion(clock.now())
    currency = queries.account_facts(principal.account_id).currency
    minor = expansion.price.get(currency) if expansion else None
    use = queries.free_use(principal)
    context = {
        "title": _("Free certificates"),
        "crumbs": [
            {"label": _("Certificates"), "url": reverse("certificates")},
            {"label": _("Buy certificate"), "url": reverse("buy")},
        ],
        "use": use,
        "left": max(0, use.quota - use.used),
        "adds": expansion.adds if expansion else 0,
        "price": bills.amount(minor, currency) if minor else "",
        "currency": currency,
    }
    return render(request, "console/packages.html", context)
