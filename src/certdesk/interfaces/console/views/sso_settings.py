"""The account's identity provider: its fields explained, and a test of them."""

import asyncio
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.connectors import oidc as provider_of
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import BadParameter, CertdeskError
from certdesk.foundation.iam import oidc, oidc_rules, sign_in_settings
from certdesk.foundation.iam.models import IdentityProvider
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say

from ..forms.common import put
from ..forms.sso import ProviderForm
from .page import back_to, page, tell
from .sso import redirect_uri


@page(sign_in_settings.GET, post=sign_in_settings.UPDATE, fresh=True)
def shown(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Save keeps the fields; Test asks the issuer that is typed, and keeps nothing."""
    account = sign_in_settings.fetch(principal)
    known = oidc.of_account(account.id)
    form = ProviderForm(request.POST if request.method == "POST" else None, initial=_initial(known))
    found: list[dict[str, str]] = []
    if request.method == "POST" and form.is_valid():
        try:
            _check_issuer(form.cleaned_data["issuer"])
            if "test" in request.POST:
                found = tested(form.cleaned_data["issuer"])
            else:
                oidc.save(principal, oidc.Given(**form.cleaned_data))
                tell(request, _("Saved."), "sso.saved")
                return back_to("sso-settings")
        except CertdeskError as error:
            put(form, error)
    context = {
        "title": _("Single sign-on"),
        "crumbs": [{"label": _("Sign-in rules"), "url": reverse("sign-in")}],
        "form": form,
        "found": found,
        "may_edit": principal.may(sign_in_settings.UPDATE),
        "addresses": [
            {"label": _("Redirect URI for the provider"), "value": redirect_uri(), "mono": True},
            {
                "label": _("Sign-in page of this account"),
                "value": f"{settings.get().base_url}{reverse('sso', args=[account.name])}",
                "mono": True,
            },
        ],
    }
    return render(request, "console/security/sso.html", context, status=422 if form.errors else 200)


def _initial(known: IdentityProvider | None) -> dict[str, Any]:
    if known is None:
        return {"enabled": True}
    lines = "\n".join(f"{value} = {group}" for value, group in known.groups.items())
    names = ("name", "issuer", "client_id", "domains", "group_claim", "mfa_acrs", "makes_users", "enabled")
    return {**{name: getattr(known, name) for name in names}, "groups": lines}


def _check_issuer(issuer: str) -> None:
    if not provider_of.is_allowed_url(issuer):
        raise BadParameter(
            _("The issuer is no https address."), next_step=_("Copy it from the provider."), field="issuer"
        )


def tested(issuer: str) -> list[dict[str, str]]:
    """What the provider says of itself, line by line; a failure in its own words."""
    try:
        provider, keys = asyncio.run(provider_of.ask(issuer, settings.get().allow_networks))
    except (ConnectorError, TimeoutError) as error:
        return [{"tone": "bad", "text": say(str(error)) or _("No answer in time.")}]
    listed = keys.get("keys")
    count = len(listed) if isinstance(listed, list) else 0
    known = sorted(set(provider.algorithms) & set(oidc_rules.ALGORITHMS))
    return [
        {"tone": "good", "text": _("The provider answers and names itself as the issuer.")},
        {
            "tone": "good" if known else "bad",
            "text": _("Signatures that we accept: %(list)s.") % {"list": ", ".join(known) or _("none")},
        },
        {"tone": "good" if count else "bad", "text": _("Keys: %(count)s.") % {"count": count}},
        {
            "tone": "good" if provider.pkce else "you",
            "text": _("PKCE with S256 is offered.") if provider.pkce else _("PKCE is not announced."),
        },
        {
            "tone": "good" if provider.end_session else "wait",
            "text": _("Signing out there is offered.")
            if provider.end_session
            else _("Signing out there is not offered."),
        },
    ]
