"""Signing in and out, and one's own password."""

from allauth.account.adapter import get_adapter
from allauth.account.views import LoginView
from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import oidc, passkeys, queries, second_factor
from certdesk.foundation.iam.models import IdentityProvider, User
from certdesk.foundation.iam.principal import Principal

from .. import signing
from ..forms.common import put
from ..forms.small import PasswordForm
from .page import OPEN, OWN, Rights, page, tell, to_again

OVERVIEW = ("scm:cert:list", "scm:domain:list", "scm:cert:deploy")
"""Whoever has one of these begins at the overview; an RA officer alone begins at the queue."""
HOMES = (
    ("certificates", "scm:cert:list"),
    ("organizations", "scm:organization:list"),
    ("orders", "bss:order:view"),
    ("outbox", "scm:message:list"),
    ("prices", "scm:certProduct:get"),
)


def _passkeys_work() -> bool:
    """Asked by the template each time: the address of the installation is a setting."""
    return not passkeys.problem()


def _single_sign_on() -> IdentityProvider | None:
    """That of the account that operates the installation; each other account has a page of its own."""
    found = oidc.of_account(queries.operating_account())
    return found if found is not None and found.enabled else None


login = LoginView.as_view(extra_context={"passkeys_work": _passkeys_work, "single_sign_on": _single_sign_on})
login.rights = Rights(OPEN, OPEN)


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """English or Chinese, kept in a cookie; back to the page where it was chosen."""
    wanted, back = request.POST.get("language", ""), request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    response = HttpResponseRedirect(back)
    if check_for_language(wanted) and wanted in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, wanted, max_age=365 * 86400, samesite="Lax", httponly=True
        )
    return response


language.rights = Rights("", OPEN)  # type: ignore[attr-defined]


@page("", post=OWN)
def logout(request: HttpRequest, principal: Principal) -> HttpResponse:
    end_session = request.session.get("end_session", "")
    get_adapter(request).logout(request)
    if end_session:
        return render(request, "account/signed_out.html", {"end_session": end_session})
    return redirect(reverse("account_login"))


@page(OWN)
def home(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The first page that the user may see; one's own account at least, or the way back to it."""
    return redirect(reverse("overview") if sees_overview(principal) else first_page(principal))


def sees_overview(principal: Principal) -> bool:
    return any(principal.may(action) for action in OVERVIEW)


def first_page(principal: Principal) -> str:
    """The first page after the overview that the principal may see."""
    may = (name for name, action in HOMES if principal.may(action))
    return reverse(next(may, "iam-switch" if principal.agency else "account"))


@page(OWN, post=OWN)
def account(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Who I am, and my password. A password given by somebody else is changed before anything else."""
    user = User.objects.select_related("account").get(pk=principal.user_id)
    forced = user.must_change_password
    state = second_factor.state(user)
    if request.method == "POST" and state.present and not forced and not signing.is_fresh(request):
        return to_again(request)
    form = PasswordForm(request.POST or None, must_change=forced)
    if request.method == "POST" and form.is_valid() and _change(request, user, form, principal):
        tell(request, _("The password is changed."), "account.password_changed")
        return redirect(reverse("home") if forced else reverse("account"))
    template = "console/password.html" if forced else "console/account.html"
    status = 422 if form.errors else 200
    context = {
        "form": form,
        "owner": user,
        "title": _("Your account"),
        "secret": True,
        "second": state,
        "nothing_else": not any(principal.may(action) for _name, action in HOMES),
    }
    return render(request, template, context, status=status)


def _change(request: HttpRequest, user: User, form: PasswordForm, principal: Principal) -> bool:
    """Changes the password and keeps this session; False when it was refused."""
    given = form.cleaned_data
    if "old" in given and not user.check_password(given["old"]):
        form.add_error("old", _("This is not your current password."))
        return False
    if user.check_password(given["new"]):
        form.add_error("new", _("This is your current password. Choose another one."))
        return False
    try:
        iam.set_password(user, given["new"], by=principal)
    except CertdeskError as error:
        put(form, error, {"": "new", "password": "new"})
        return False
    update_session_auth_hash(request, user)
    signing.note(request)
    return True
