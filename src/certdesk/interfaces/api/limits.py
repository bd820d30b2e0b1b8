"""What every request is held against before anything of it is read: how often, and how large its head is."""

from django.http import HttpRequest

from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.iam import rates

MAX_PATH = 4096
MAX_QUERY = 16 * 1024
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
FREE = frozenset({"/healthz", "/readyz", "/heartbeat", "/metrics"})
"""Asked by watchers, from one address and often."""
_FREE_BELOW = ("/ocsp", "/crl/", "/ca/", "/static/")
"""Answers for everybody, cheap and often asked for by many behind one address."""
_COSTLY = ("/login", "/confirm/")


def check(request: HttpRequest) -> None:
    """Passes a request that may be read.

    Raises:
        CertdeskError: too many (429), or an address (414) or headers (431) that are too long.
    """
    path = request.path_info
    _check_head(request, path)
    if path in FREE or path.startswith(_FREE_BELOW):
        return
    address = str(request.META.get("REMOTE_ADDR", ""))
    rates.check_address(address)
    if request.method == "POST" and path.startswith(_COSTLY):
        rates.check_unsigned(address)


def _check_head(request: HttpRequest, path: str) -> None:
    meta = request.META
    query = len(meta.get("QUERY_STRING", ""))
    if len(path) > MAX_PATH or query > MAX_QUERY:
        what = f"query is longer than {MAX_QUERY}" if query > MAX_QUERY else f"path is longer than {MAX_PATH}"
        raise CertdeskError(
            f"The {what} characters.", next_step="Ask for less at once.", kind=Kind.ADDRESS_TOO_LONG
        )
    headers = [len(value) for name, value in meta.items() if name.startswith("HTTP_")]
    if len(headers) > MAX_HEADERS or sum(headers) > MAX_HEADER_BYTES:
        raise CertdeskError(
            f"The request has more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes of them.",
            next_step="Send fewer; in a browser, delete this site's cookies.",
            kind=Kind.HEADERS_TOO_LARGE,
        )
