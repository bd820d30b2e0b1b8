"""Switching to an agency of another account, and back (IAM-8)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.iam import assuming, profile
from certdesk.foundation.iam.principal import Principal

from .. import switching
from .page import OWN, alert, back_to, home_of, page, tell


@page(OWN, post=OWN)
def switch(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The agencies of other accounts that are open to who sits there; a button switches to one."""
    home = home_of(request)
    found = assuming.open_to(home, clock.real_now())
    if request.method == "POST":
        wanted = next((one for one in found if one.id == request.POST.get("chosen")), None)
        if wanted is None:
            alert(request, assuming.NoAgency())
            return back_to("iam-switch")
        switching.enter(request, home, wanted)
        told = _("You act in the account %(account)s now.") % {"account": wanted.account.name}
        tell(request, told, "agency.switched")
        return back_to("home")
    context = {
        "title": _("Switch role"),
        "open": found,
        "now": principal.agency,
        "home_account": profile.own(home).account.name,
    }
    return render(request, "console/iam/switch.html", context)


@page("", post=OWN)
def back(request: HttpRequest, principal: Principal) -> HttpResponse:
    switching.leave(request)
    tell(request, _("You act in your own account again."), "agency.left")
    return back_to("home")
