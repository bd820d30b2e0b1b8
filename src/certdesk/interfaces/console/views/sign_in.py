"""How people of the account sign in: for who administers it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from certdesk.foundation.iam import oidc, sign_in_settings
from certdesk.foundation.iam.principal import Principal

from ..forms.signing import SecondFactorForm
from .page import back_to, page, tell


@page(sign_in_settings.GET, post=sign_in_settings.UPDATE, fresh=True)
def shown(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Whether everybody needs a second factor."""
    account = sign_in_settings.fetch(principal)
    form = SecondFactorForm(
        request.POST if request.method == "POST" else None,
        initial={"required": account.second_factor_required},
    )
    if request.method == "POST" and form.is_valid():
        sign_in_settings.require_second_factor(principal, form.cleaned_data["required"])
        tell(request, _("Saved."), "sign-in.saved")
        return back_to("sign-in")
    context = {
        "title": _("Sign-in rules"),
        "form": form,
        "provider": oidc.of_account(account.id),
        "may_edit": principal.may(sign_in_settings.UPDATE),
    }
    return render(request, "console/security/sign_in.html", context)
