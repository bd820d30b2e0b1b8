"""The second step of signing in, and saying again who one is before something sensitive."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import oidc, profile, second_factor, throttle
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal

from .. import signing
from ..forms.common import put
from ..forms.signing import PasswordAgainForm
from ..signing import Method
from . import proving_oneself
from .page import OPEN, OWN, Rights, back_to, page


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    """After a good password: a code of the app, a recovery code, or a passkey."""
    found = signing.pending(request)
    if found is None:
        return back_to("account_login")
    user, waits = found
    form = proving_oneself.form_of(request)
    if proving_oneself.shown(request, user, form):
        return signing.complete(request, user, Method(waits.method), waits.back, mfa=True)
    return proving_oneself.asked(request, user, form, title=_("Second step"), first=True)


second_step.rights = Rights(OPEN, OPEN)  # type: ignore[attr-defined]


@page(OWN, post=OWN)
def again(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Asks who has a second factor for it, and everybody else for the password."""
    user = profile.own(principal)
    back = request.POST.get("next", "") or request.GET.get("next", "")
    second = second_factor.has(user.id)
    if not second and not user.has_usable_password() and oidc.of_account(user.account_id):
        return HttpResponseRedirect(f"{reverse('sso-again')}?{urlencode({'next': back})}")
    form: proving_oneself.AnyForm
    if second:
        form = code = proving_oneself.form_of(request)
        proved = proving_oneself.shown(request, user, code)
    else:
        form = PasswordAgainForm(request.POST if request.method == "POST" else None)
        proved = request.method == "POST" and form.is_valid() and _is_password(user, form, principal.source)
    if proved:
        signing.proved_again(request, second=second)
        return HttpResponseRedirect(signing.safe(request, back))
    return proving_oneself.asked(
        request, user, form, title=_("Is it still you?"), again=True, back=back, cancel=reverse("account")
    )


def _is_password(user: User, form: PasswordAgainForm, source: str) -> bool:
    now = clock.real_now()
    try:
        throttle.check(user.login, source, now)
    except CertdeskError as error:
        put(form, error)
        return False
    if not user.check_password(form.cleaned_data["password"]):
        throttle.failed(user.login, source, now)
        form.add_error("password", _("This is not your password."))
        return False
    throttle.succeeded(user.login, source, now)
    return True
