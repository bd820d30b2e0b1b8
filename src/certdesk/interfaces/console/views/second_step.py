"""The second step of signing in, and saying again who one is before something sensitive."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError
from certdesk.foundation.iam import profile, second_factor, throttle
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal

from .. import signing
from ..forms.common import put
from ..forms.signing import CodeForm, PasswordAgainForm
from ..signing import Method, source_of
from .page import OPEN, OWN, Rights, back_to, page

TEMPLATE = "account/second.html"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    """After a good password: the code of the app, or a recovery code."""
    found = signing.pending(request)
    if found is None:
        return back_to("account_login")
    user, waits = found
    form = CodeForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            second_factor.check(user, form.cleaned_data["code"], source_of(request), clock.real_now())
        except CertdeskError as error:
            put(form, error)
        else:
            return signing.complete(request, user, Method(waits.method), waits.back, mfa=True)
    return _shown(request, form, title=_("Second step"), owner=user)


second_step.rights = Rights(OPEN, OPEN)  # type: ignore[attr-defined]


@page(OWN, post=OWN)
def again(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Asks who has a second factor for it, and everybody else for the password."""
    user = profile.own(principal)
    back = request.POST.get("next", "") or request.GET.get("next", "")
    second = second_factor.has(user.id)
    form = (CodeForm if second else PasswordAgainForm)(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _prove(user, form.cleaned_data, principal.source)
        except CertdeskError as error:
            put(form, error)
        else:
            signing.proved_again(request, second=second)
            return HttpResponseRedirect(signing.safe(request, back))
    return _shown(request, form, title=_("Is it still you?"), owner=user, again=True, back=back)


def _prove(user: User, given: dict[str, str], source: str) -> None:
    """Raises: WrongCode, SlowDown. BadParameter: the password is wrong."""
    now = clock.real_now()
    if "code" in given:
        second_factor.check(user, given["code"], source, now)
        return
    throttle.check(user.login, source, now)
    if not user.check_password(given["password"]):
        throttle.failed(user.login, source, now)
        raise BadParameter(_("This is not your password."), field="password")
    throttle.succeeded(user.login, source, now)


def _shown(request: HttpRequest, form: CodeForm | PasswordAgainForm, **more: object) -> HttpResponse:
    response = render(request, TEMPLATE, {"form": form, **more}, status=422 if form.errors else 200)
    response.headers["Cache-Control"] = "no-store"
    return response
