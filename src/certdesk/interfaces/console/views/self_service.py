"""What everybody does for oneself: a forgotten password, an invitation, profile, sessions."""

from zoneinfo import available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, NotFound
from certdesk.foundation.iam import links, profile, sessions
from certdesk.foundation.iam.links import LinkOver
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox import people as mails

from ..forms.common import put
from ..forms.people import ForgottenForm, ProfileForm
from ..forms.small import PasswordForm
from ..signing import Method, source_of
from .page import OPEN, OWN, Rights, alert, back_to, page, tell


@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Asks for the user name and answers the same whether there is one."""
    form, status = ForgottenForm(request.POST if request.method == "POST" else None), 200
    asked = False
    if request.method == "POST" and form.is_valid():
        try:
            mails.forgotten(form.cleaned_data["login"], source_of(request), clock.real_now())
            asked = True
        except CertdeskError as error:
            put(form, error)
            status = 429
    context = {"form": form, "asked": asked, "title": _("Forgotten password")}
    return render(
        request, "account/forgotten.html", context, status=422 if form.errors and status == 200 else status
    )


forgotten.rights = Rights(OPEN, OPEN)  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest, token: str) -> HttpResponse:
    """The page behind a mailed link: a GET uses nothing up, only its form does."""
    now = clock.real_now()
    form = PasswordForm(request.POST if request.method == "POST" else None, must_change=True)
    context: dict[str, object] = {"form": form, "title": _("Choose your password"), "secret": True}
    try:
        context["owner"] = links.find(token, now).user
        if request.method == "POST" and form.is_valid():
            given = {"source": source_of(request), "request_id": str(getattr(request, "request_id", ""))}
            links.redeem(token, form.cleaned_data["new"], now, **given)
            tell(request, _("Your password is set. Sign in with it."), "account.password_set")
            return back_to("account_login")
    except LinkOver:
        return render(request, "account/link.html", {**context, "over": True}, status=410)
    except CertdeskError as error:
        put(form, error, {"": "new", "password": "new"})
    response = render(request, "account/link.html", context, status=422 if form.errors else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


link.rights = Rights(OPEN, OPEN)  # type: ignore[attr-defined]


@page(OWN, post=OWN)
def edit_profile(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Language and time zone, for pages and mails."""
    user = profile.own(principal)
    zones = sorted(available_timezones() - {"localtime"})
    form = ProfileForm(
        zones,
        request.POST if request.method == "POST" else None,
        initial={
            "language": user.language,
            "time_zone": user.time_zone,
        },
    )
    if request.method == "POST" and form.is_valid():
        try:
            profile.update(principal, **form.cleaned_data)
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("Saved."), "account.profile")
            response = back_to("account")
            response.set_cookie(
                settings.LANGUAGE_COOKIE_NAME,
                form.cleaned_data["language"],
                max_age=365 * 86400,
                samesite="Lax",
                httponly=True,
            )
            return response
    context = {"title": _("Your profile"), "form": form}
    return render(request, "console/iam/profile.html", context, status=422 if form.errors else 200)


@page(OWN, post=OWN)
def session_list(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Where one is signed in; each can be ended."""
    if request.method == "POST":
        chosen = request.POST.get("chosen", "")
        try:
            if not (chosen.isascii() and chosen.isdigit() and len(chosen) < 19):
                raise NotFound("There is no such session.")
            sessions.end(principal, int(chosen))
        except CertdeskError as error:
            alert(request, error)
        else:
            tell(request, _("The session is ended."), "session.ended")
        return back_to("sessions")
    key = str(request.session.session_key or "")
    found = [(line, _how(line)) for line in sessions.listed(principal, key, clock.real_now())]
    context = {"title": _("Your sessions"), "lines": found}
    return render(request, "console/iam/sessions.html", context)


def _how(line: sessions.Line) -> str:
    """How the session was opened, in words; empty where nobody noted it."""
    words = {
        Method.PASSWORD: _("password"),
        Method.PASSKEY: _("passkey"),
        Method.OIDC: _("single sign-on"),
    }
    way = words.get(Method(line.method), "") if line.method else ""
    return _("%(way)s and second factor") % {"way": way} if line.mfa and way else way
