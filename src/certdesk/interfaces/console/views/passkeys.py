"""Passkeys: registered and removed on the page of the account, shown at sign-in."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import passkeys, profile
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal

from .. import signing
from ..signing import Method
from . import proving_oneself, security
from .page import OPEN, OWN, Rights, alert, back_to, page, tell

_KEPT = "passkey"


def _give(request: HttpRequest, asked: passkeys.Asked) -> HttpResponse:
    request.session[_KEPT] = asked.kept
    return JsonResponse(asked.options)


@page("", post=OWN, fresh=True)
def begin(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The challenge for a new passkey."""
    return _give(request, passkeys.begin_registration(principal, clock.real_now()))


@page("", post=OWN, fresh=True)
def register(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Keeps the new passkey; with the first second factor come the recovery codes."""
    now, given = clock.real_now(), request.POST
    try:
        key = str(request.session.session_key)
        kept, name = proving_oneself.taken(request), given.get("name", "")
        codes = passkeys.register(principal, kept, given.get("answer", ""), name, now, this=key)
    except CertdeskError as error:
        alert(request, error)
        return back_to("security")
    signing.proved_again(request, second=True)
    tell(request, _("The passkey is registered."), "security.enrolled")
    return security.codes_page(request, codes) if codes else back_to("security")


@page(OWN, post=OWN, fresh=True)
def remove(request: HttpRequest, principal: Principal, passkey_id: str) -> HttpResponse:
    """Asks for a second factor anew, however fresh the sign-in is."""

    def off() -> None:
        passkeys.remove(principal, passkey_id)
        tell(request, _("The passkey is removed."), "security.removed")

    note = _("The device keeps its entry; remove it there too. Show a second factor to go on.")
    return proving_oneself.before(
        request, profile.own(principal), off, title=_("Remove the passkey?"), note=note
    )


@never_cache
@require_POST
def challenge(request: HttpRequest) -> HttpResponse:
    """The challenge for a passkey: of who is signed in or stands before the second step, else of anybody."""
    waits = signing.pending(request)
    user = request.user if isinstance(request.user, User) else waits[0] if waits else None
    try:
        return _give(request, passkeys.begin(None if request.GET.get("anybody") else user, clock.real_now()))
    except CertdeskError:
        return HttpResponse(status=409)


challenge.rights = Rights("", OPEN)  # type: ignore[attr-defined]


@never_cache
@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """A passkey alone: the device has asked its user for finger, face or PIN, so it is two factors."""
    try:
        user = passkeys.check(
            proving_oneself.taken(request), request.POST.get("answer", ""), clock.real_now()
        )
    except CertdeskError as error:
        alert(request, error)
        return back_to("account_login")
    return signing.complete(request, user, Method.PASSKEY, request.POST.get("next", ""), mfa=True)


sign_in.rights = Rights("", OPEN)  # type: ignore[attr-defined]
