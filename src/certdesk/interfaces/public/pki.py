"""What relying parties fetch, over plain http: OCSP answers, CRLs, certificates of the authorities.

Nothing is signed for a CRL here: workers do that, and this only hands out what they stored.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLPattern, URLResolver, path
from django.urls.resolvers import RegexPattern
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from certdesk.foundation.common import clock
from certdesk.pki.authority import crl, crosses, ocsp, queries

OCSP_RESPONSE = "application/ocsp-response"
OCSP_KEPT = 300  # seconds that a cache on the way may keep an answer; a revocation must show soon
CRL_KEPT = 30
CA_KEPT = 24 * 3600
_GET_LIMIT = 4096  # characters of the request in the address


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def ocsp_answer(request: HttpRequest, request_text: str = "") -> HttpResponse:
    """RFC 6960 appendix A: POST with the DER in the body, GET with its base64 in the address."""
    asked = _posted(request) if request.method == "POST" else _from_address(request_text)
    answer = ocsp.answer(asked, clock.now())
    response = HttpResponse(answer.der, content_type=OCSP_RESPONSE)
    if answer.until is None or request.method == "POST":
        response.headers["Cache-Control"] = "no-store"
        return response
    return _unless_known(request, response, headers_of(answer))


def headers_of(answer: ocsp.Answer) -> dict[str, str]:
    """How long caches may keep an answer to a GET; one that ends."""
    headers = _kept(answer.der, answer.produced, OCSP_KEPT)
    return headers | ({"Expires": http_date(answer.until.timestamp())} if answer.until else {})


def _posted(request: HttpRequest) -> bytes:
    """The body, or one octet too many of it: the rest is not read."""
    return bytes(request.read(ocsp.REQUEST_LIMIT + 1))


def _from_address(text: str) -> bytes:
    """Base64, percent-encoded once or, by clients that know no better, not at all."""
    try:
        return base64.b64decode(unquote(text[:_GET_LIMIT]), validate=True)
    except (binascii.Error, ValueError):
        return b""


@require_safe
def crl_file(request: HttpRequest, name: str) -> HttpResponse:
    """The newest CRL, or with `-delta` what was revoked since the base of the day."""
    held = queries.published(name.removesuffix(crl.DELTA))
    if held is None:
        return _nothing()
    der = held.delta if name.endswith(crl.DELTA) else held.full
    if not der:  # an offline root's list has no delta
        return _nothing()
    response = HttpResponse(der, content_type="application/pkix-crl")
    headers = _kept(der, held.this_update, CRL_KEPT)
    return _unless_known(request, response, headers | {"Expires": http_date(held.next_update.timestamp())})


@require_safe
def ca_certificate(request: HttpRequest, name: str) -> HttpResponse:
    """The certificate of an authority, or one by another root, DER: caIssuers pointers lead here."""
    row = queries.authority(name)
    der = row.certificate_der if row else queries.cross(name)
    if der is None:
        return _nothing()
    response = HttpResponse(der, content_type="application/pkix-cert")
    return _unless_known(request, response, _kept(der, None, CA_KEPT))


@require_safe
def ca_certificates(request: HttpRequest, name: str) -> HttpResponse:
    """An authority's name and key as its root and other ones certify it now (RFC 5280 §4.2.2.1)."""
    der = crosses.bundle(name, clock.now())
    if der is None:
        return _nothing()
    response = HttpResponse(der, content_type="application/pkcs7-mime")
    return _unless_known(request, response, _kept(der, None, CRL_KEPT))


def _nothing() -> HttpResponse:
    return HttpResponse(b"not found\n", status=404, content_type="text/plain")


def _kept(content: bytes, modified: datetime | None, seconds: int) -> dict[str, str]:
    headers = {
        "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "Cache-Control": f"max-age={seconds},public,no-transform,must-revalidate",
    }
    return headers | ({"Last-Modified": http_date(modified.timestamp())} if modified else {})


def _unless_known(request: HttpRequest, response: HttpResponse, headers: Mapping[str, str]) -> HttpResponse:
    """304 for whoever has this very content."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    answer = HttpResponse(status=304) if headers["ETag"] in known or "*" in known else response
    for name, value in headers.items():
        answer.headers[name] = value
    return answer


ROUTES: list[URLPattern] = [
    path("ocsp", ocsp_answer),
    path("ocsp/", ocsp_answer),
    path("ocsp/<path:request_text>", ocsp_answer),
    path("crl/<str:name>.crl", crl_file),
    path("ca/<str:name>.cer", ca_certificate),
    path("ca/<str:name>.p7c", ca_certificates),
]
_RESOLVER = URLResolver(RegexPattern(r"^/"), ROUTES)
_BEGINNINGS = ("/ocsp", "/crl/", "/ca/")


def answer(request: HttpRequest) -> HttpResponse | None:
    """The answer to a relying party, before sessions, CSRF and the whole console's addresses, which are most
    of its cost and of no use to it; None for anything else."""
    if not request.path_info.startswith(_BEGINNINGS):
        return None
    try:
        found = _RESOLVER.resolve(request.path_info)
    except Resolver404:
        return None
    response: HttpResponse = found.func(request, *found.args, **found.kwargs)
    return response
