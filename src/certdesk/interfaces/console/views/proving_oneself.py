"""Showing a second factor, by a code or by a passkey: at sign-in, again, and before one is taken off."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import passkeys, second_factor
from certdesk.foundation.iam.models import User

from .. import signing
from ..forms.common import put
from ..forms.signing import CodeForm, PasswordAgainForm
from .page import back_to

AnyForm = CodeForm | PasswordAgainForm


def taken(request: HttpRequest) -> dict[str, object] | None:
    """The challenge of this session, which is gone from it with the first answer."""
    kept: dict[str, object] | None = request.session.pop("passkey", None)
    return kept


def shown(request: HttpRequest, user: User, form: CodeForm) -> bool:
    """Whether the POST shows a second factor of this user; the form says what is wrong."""
    if request.method != "POST":
        return False
    now = clock.real_now()
    try:
        if request.POST.get("answer"):
            passkeys.check(taken(request), request.POST["answer"], now, user)
            return True
        if form.is_valid():
            second_factor.check(user, form.cleaned_data["code"], signing.source_of(request), now)
            return True
    except CertdeskError as error:
        put(form, error, {"answer": ""})
    return False


def form_of(request: HttpRequest) -> CodeForm:
    """The form with a code; without what was typed when a passkey was shown."""
    return CodeForm(request.POST if request.method == "POST" else None, passkey="answer" in request.POST)


def asked(request: HttpRequest, user: User, form: AnyForm, **more: object) -> HttpResponse:
    """The page that asks: for a code where the user has an app or recovery codes, for a passkey likewise."""
    state = second_factor.state(user)
    context = {"form": form, "owner": user, "passkeys": state.passkeys > 0, "only_passkeys": False, **more}
    response = render(request, "account/second.html", context, status=422 if form.errors else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


def before(
    request: HttpRequest, user: User, work: Callable[[], None], *, title: str, note: str
) -> HttpResponse:
    """Does `work` once the user has shown a second factor on this very page."""
    form = form_of(request)
    if shown(request, user, form):
        try:
            work()
            return back_to("security")
        except CertdeskError as error:
            put(form, error, {"": "code"})
    return asked(request, user, form, title=title, note=note, cancel=reverse("security"))
