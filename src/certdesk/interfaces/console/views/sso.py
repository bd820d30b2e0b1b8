"""Single sign-on with the account's OpenID Connect provider: there, back, linked, and its settings."""

import asyncio
import secrets
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from certdesk.connectors import oidc as provider_of
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError, NotFound, WrongState
from certdesk.foundation.iam import oidc, oidc_rules, second_factor
from certdesk.foundation.iam.models import IdentityProvider
from certdesk.foundation.iam.principal import Principal

from .. import signing
from ..signing import Method
from .page import OPEN, OWN, Rights, alert, back_to, page, principal_of, tell

_log = structlog.get_logger("sso")
_KEPT = "sso"
LIFE_SECONDS = 600
SIGN_IN, LINK, AGAIN = "sign-in", "link", "again"


def failed() -> WrongState:
    """One text for the browser; the log holds the reason."""
    return WrongState(
        _("Signing in with your organization did not work."),
        next_step=_("Try again; if it stays so, an administrator can test the settings."),
    )


def redirect_uri() -> str:
    return f"{settings.get().base_url}{reverse('sso-callback')}"


@never_cache
@require_GET
def begin(request: HttpRequest, account: str) -> HttpResponse:
    """Off to the provider of the named account."""
    provider = oidc.of_name(account)
    if provider is None:
        alert(request, NotFound(_("This account has no single sign-on.")))
        return back_to("account_login")
    try:
        return HttpResponseRedirect(_away(request, provider, SIGN_IN, request.GET.get("next", "")))
    except CertdeskError as error:
        alert(request, error)
        return back_to("account_login")


begin.rights = Rights(OPEN, "")  # type: ignore[attr-defined]


@page("", post=OWN, fresh=True)
def link(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Begins to link the signed-in user; the way there is a link, because a form may not leave this site."""
    return _leave(request, principal, LINK, reverse("security"))


@page(OWN)
def again(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Says again who one is, at the provider."""
    return _leave(request, principal, AGAIN, request.GET.get("next", ""))


def _leave(request: HttpRequest, principal: Principal, purpose: str, back: str) -> HttpResponse:
    provider = oidc.of_account(principal.account_id)
    if provider is None or not provider.enabled:
        raise WrongState(_("This account has no single sign-on."))
    where = _away(request, provider, purpose, back)
    return render(request, "account/sso.html", {"provider": provider, "where": where})


def _away(request: HttpRequest, provider: IdentityProvider, purpose: str, back: str) -> str:
    """The provider's address with everything that ties its answer to this browser."""
    found = _asked(provider_of.discover(provider.issuer, settings.get().allow_networks))
    verifier = oidc_rules.new_verifier()
    kept = {"state": secrets.token_urlsafe(32), "nonce": secrets.token_urlsafe(32), "verifier": verifier}
    request.session[_KEPT] = {
        **kept,
        "account": provider.account_id,
        "purpose": purpose,
        "back": back,
        "at": clock.real_now().timestamp(),
    }
    given = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri(),
        "scope": "openid email profile",
        "state": kept["state"],
        "nonce": kept["nonce"],
        "code_challenge": oidc_rules.challenge_of(verifier),
        "code_challenge_method": "S256",
        **({"prompt": "login", "max_age": "0"} if purpose == AGAIN else {}),
    }
    return f"{found.authorization}{'&' if '?' in found.authorization else '?'}{urlencode(given)}"


def _asked(work: Any) -> Any:
    """Runs a call to the provider; what went wrong is logged, the browser gets one text."""
    try:
        return asyncio.run(work)
    except (ConnectorError, TimeoutError) as error:
        _log.warning("sso.provider", reason=str(error)[:300])
        raise failed() from None


@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """Back from the provider. What the session kept is used up by the first answer, right or wrong."""
    kept = request.session.pop(_KEPT, None)
    try:
        provider, identity, end_session = _believed(request, kept)
        return _done(request, kept, provider, identity, end_session)
    except CertdeskError as error:
        alert(request, error)
        return back_to("security" if request.user.is_authenticated else "account_login")


callback.rights = Rights(OPEN, "")  # type: ignore[attr-defined]


def _believed(request: HttpRequest, kept: Any) -> tuple[IdentityProvider, oidc_rules.Identity, str]:
    """Raises: WrongState: no answer of the provider to the question of this browser."""
    now, given = clock.real_now(), request.GET
    state, code = given.get("state", ""), given.get("code", "")
    provider = oidc.of_account(kept["account"]) if isinstance(kept, dict) else None
    if provider is None or not provider.enabled or not code or given.get("error"):
        raise failed()
    if not secrets.compare_digest(state.encode(), kept["state"].encode()):
        raise failed()
    if (
        not 0 <= now.timestamp() - kept["at"] < LIFE_SECONDS
        or given.get("iss", provider.issuer) != provider.issuer
    ):
        raise failed()
    exchange = provider_of.Exchange(
        code, kept["verifier"], provider.client_id, oidc.secret_of(provider), redirect_uri()
    )
    networks = settings.get().allow_networks
    found, token, keys = _asked(provider_of.token_and_keys(provider.issuer, exchange, networks))
    expected = oidc_rules.Expected(
        provider.issuer,
        provider.client_id,
        kept["nonce"],
        provider.group_claim,
        frozenset(provider.mfa_acrs.split()),
    )
    try:
        return provider, oidc_rules.believe(token, keys, expected, now), found.end_session
    except oidc_rules.Unbelievable as error:
        _log.warning("sso.token", reason=str(error))
        raise failed() from None


def _done(
    request: HttpRequest,
    kept: Any,
    provider: IdentityProvider,
    identity: oidc_rules.Identity,
    end_session: str,
) -> HttpResponse:
    now = clock.real_now()
    if kept["purpose"] == SIGN_IN:
        user = oidc.let_in(provider, identity, now, signing.source_of(request))
        request.session["end_session"] = end_session
        if not identity.mfa and second_factor.has(user.id):  # a second factor of ours is not passed by
            return signing.wait_for_second(request, user, Method.OIDC, kept["back"])
        return signing.complete(request, user, Method.OIDC, kept["back"], mfa=identity.mfa)
    if not request.user.is_authenticated:
        raise failed()
    principal = principal_of(request)
    if principal.account_id != provider.account_id:
        raise failed()
    if kept["purpose"] == LINK:
        oidc.link(principal, identity, now)
        tell(request, _("Single sign-on is linked."), "sso.linked")
        return back_to("security")
    recent = 0 <= now.timestamp() - identity.auth_time < signing.FRESH_SECONDS
    if not oidc.is_linked(principal.user_id, identity) or not recent:
        raise failed()
    signing.proved_again(request, second=identity.mfa)
    return HttpResponseRedirect(signing.safe(request, kept["back"]))


@page("", post=OWN, fresh=True)
def unlink(request: HttpRequest, principal: Principal) -> HttpResponse:
    try:
        oidc.unlink(principal)
        tell(request, _("Single sign-on is unlinked."), "sso.unlinked")
    except CertdeskError as error:
        alert(request, error)
    return back_to("security")
