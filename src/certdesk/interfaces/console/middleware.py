"""The edge (trusted proxies, request id, short-cut to the API, security headers) and the console's own."""

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import override

from certdesk.foundation.common import ids, settings
from certdesk.foundation.common.errors import CertdeskError
from certdesk.interfaces.acme import gate as acme
from certdesk.interfaces.acme import urls as acme_urls
from certdesk.interfaces.api import bodies, dispatch, limits
from certdesk.interfaces.operations.errors import KINDS
from certdesk.interfaces.public import pki
from certdesk.interfaces.words.say import both, language

from . import signing

GetResponse = Callable[[HttpRequest], HttpResponseBase]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

ACCOUNT = "/account"
SECURITY = "/account/security"
WHILE_FORCED = frozenset({ACCOUNT, "/logout", "/language"})
"""The pages that work before a password that was given has been changed."""


def edge(get_response: GetResponse) -> GetResponse:
    """The outermost: settles who the client is, gives the request its id, and hands API requests to the
    API and relying parties their answers at once, before sessions, CSRF and URL resolving, which they do
    not need."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        request.request_id = request_id = ids.request_id()  # type: ignore[attr-defined]
        _settle_client(request)
        is_api = dispatch.is_api(request.path_info)
        try:
            limits.check(request)
        except CertdeskError as refused:
            if acme.is_acme(request.path_info):
                return acme.refuse(request, refused)
            return dispatch.refuse(request, refused) if is_api else _plainly(request, refused)
        if is_api:
            return dispatch.handle(request)
        response = pki.answer(request) or acme_urls.answer(request) or get_response(request)
        response.headers["X-Request-Id"] = request_id
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return answer


def _plainly(request: HttpRequest, refused: CertdeskError) -> HttpResponse:
    """A refusal before anything is read: words alone, no page with a menu and counts."""
    with override(language(request.META)):
        text = both(refused)
    response = HttpResponse(text, status=KINDS[refused.kind].status, content_type="text/plain; charset=utf-8")
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    response.headers["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
    for name, value in (HEADERS | {"Cache-Control": "no-store"}).items():
        response.headers.setdefault(name, value)
    return response


def console(get_response: GetResponse) -> GetResponse:
    """The innermost: pages of a signed-in user are kept by no cache, and whoever has a password that
    somebody else knows, or no second factor where one is wanted, sees to that before any other page works."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        _refuse_nul(request)
        timezone.deactivate()
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return get_response(request)
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            timezone.activate(ZoneInfo(user.time_zone))
        forced = _forced(request, user.must_change_password)
        response = _to(request, forced) if forced else get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer


def _refuse_nul(request: HttpRequest) -> None:
    """U+0000 is in no id and no word to look for; PostgreSQL takes no text with it. Forms refuse it
    themselves."""
    if bodies.NUL in request.path_info:
        raise Http404
    if any(bodies.NUL in value for value in request.GET.values()):
        raise BadRequest("U+0000 in the query")


def _forced(request: HttpRequest, must_change_password: bool) -> str:
    """The page that comes before all others; empty when every page works."""
    path = request.path_info
    if path in WHILE_FORCED and (must_change_password or path != ACCOUNT):
        return ""
    if must_change_password:
        return ACCOUNT
    wanted = signing.of(request).enrol and not path.startswith(SECURITY)
    return SECURITY if wanted else ""


def _to(request: HttpRequest, page: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": page})
    return HttpResponseRedirect(page)


def _settle_client(request: HttpRequest) -> None:
    """REMOTE_ADDR and the scheme as the outermost trusted proxy saw them; nobody else's word counts."""
    meta = request.META
    forwarded_for = meta.pop("HTTP_X_FORWARDED_FOR", "")
    forwarded_proto = meta.pop("HTTP_X_FORWARDED_PROTO", "")
    if not settings.get().trusted_proxies or not _is_trusted(meta.get("REMOTE_ADDR", "")):
        return
    client = _client(forwarded_for)
    if client:
        meta["REMOTE_ADDR"] = client
    if forwarded_proto in ("http", "https"):
        meta["wsgi.url_scheme"] = forwarded_proto


def _client(forwarded_for: str) -> str:
    """The rightmost address that is no proxy of ours: what stands left of it, the client wrote itself."""
    client = ""
    for part in reversed([part.strip() for part in forwarded_for.split(",") if part.strip()]):
        try:
            client = str(ip_address(part))
        except ValueError:
            return client
        if not _is_trusted(client):
            return client
    return client


def _is_trusted(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in settings.get().trusted_proxies)
