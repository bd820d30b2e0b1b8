"""One's own second factor: enrol an app, recovery codes, take it off."""

from urllib.parse import quote

import segno
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import factor_rules, oidc, passkeys, profile, second_factor
from certdesk.foundation.iam.models import ExternalIdentity, User
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say

from .. import signing
from ..forms.common import put
from ..forms.signing import FirstCodeForm, PasskeyNameForm
from . import proving_oneself
from .page import OWN, alert, back_to, page, tell

ISSUER = "Certdesk"


def _crumbs() -> list[dict[str, str]]:
    return [
        {"label": _("Your account"), "url": reverse("account")},
        {"label": _("Second factor"), "url": reverse("security")},
    ]


@page(OWN)
def shown(request: HttpRequest, principal: Principal) -> HttpResponse:
    """What one has, and what one can add."""
    user = profile.own(principal)
    context = {
        "title": _("Second factor"),
        "crumbs": _crumbs()[:1],
        "state": second_factor.state(user),
        "forced": signing.of(request).enrol,
        "passkeys": passkeys.listed(user),
        "no_passkeys": say(passkeys.problem()),
        "provider": oidc.of_account(user.account_id),
        "linked": ExternalIdentity.objects.filter(user=user).exists(),
        "name_form": PasskeyNameForm(),
    }
    return render(request, "console/security/shown.html", context)


@page("", post=OWN, fresh=True)
def enrol(request: HttpRequest, principal: Principal) -> HttpResponse:
    """A new secret, as a QR code and in letters: on this page, and nowhere else ever again."""
    try:
        secret = second_factor.begin(principal)
    except CertdeskError as error:
        alert(request, error)
        return back_to("security")
    user = profile.own(principal)
    context = {
        "title": _("Enrol an authenticator app"),
        "crumbs": _crumbs(),
        "picture": _picture(secret, user),
        "secret_text": factor_rules.shown_secret(secret),
        "form": FirstCodeForm(),
    }
    return render(request, "console/security/enrol.html", context)


def _picture(secret: bytes, user: User) -> str:
    """The QR code as SVG without scripts and styles; the host tells several desks apart in the app."""
    host = settings.get().base_url.split("://")[-1]
    text = factor_rules.uri(secret, f"{ISSUER} {host}", user.login)
    drawn = segno.make(text, error="m").svg_inline(scale=5, border=2, dark="#000", light="#fff")
    return mark_safe(drawn)  # noqa: S308  # made of digits and colours by the library


@page(OWN, post=OWN, fresh=True)
def confirm(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The first code: then the app counts, and the recovery codes are shown this once."""
    form = FirstCodeForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            key = str(request.session.session_key)
            given = form.cleaned_data["code"]
            codes = second_factor.confirm(principal, given, clock.real_now(), this=key)
        except CertdeskError as error:
            put(form, error)
        else:
            signing.proved_again(request, second=True)
            tell(request, _("The authenticator app is enrolled."), "security.enrolled")
            return codes_page(request, codes) if codes else back_to("security")
    context = {"title": _("Enrol an authenticator app"), "crumbs": _crumbs(), "form": form}
    return render(request, "console/security/enrol.html", context, status=422 if form.errors else 200)


@page("", post=OWN, fresh=True)
def codes(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Ten new recovery codes in place of the old ones."""
    try:
        return codes_page(request, second_factor.renew_codes(principal))
    except CertdeskError as error:
        alert(request, error)
        return back_to("security")


def codes_page(request: HttpRequest, found: list[str]) -> HttpResponse:
    user = request.user
    head = _("Recovery codes of %(user)s for Certdesk. Each works once.") % {"user": user.get_username()}
    text = "\n".join([head, settings.get().base_url, "", *found, ""])
    context = {
        "title": _("Recovery codes"),
        "crumbs": _crumbs(),
        "codes": found,
        "all_codes": "\n".join(found),
        "file": f"data:text/plain;charset=utf-8,{quote(text)}",
    }
    return render(request, "console/security/codes.html", context)


@page(OWN, post=OWN, fresh=True)
def remove_app(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Asks for a second factor anew, however fresh the sign-in is."""

    def off() -> None:
        second_factor.remove_app(principal)
        tell(request, _("The authenticator app is taken off."), "security.removed")

    note = _("Without a second factor your password alone signs you in. Show one to go on.")
    title = _("Take the app off?")
    return proving_oneself.before(request, profile.own(principal), off, title=title, note=note)
