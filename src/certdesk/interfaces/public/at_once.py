"""What relying parties ask for again and again, from this process's memory: neither Django nor the database
has a part in it, and no thread waits for its turn. Everything else is left to Django.

Nothing here is older than a second: `ocsp.kept` sees to that for its answers, `Files` for CRLs and the
certificates of authorities.
"""

import base64
import binascii
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from certdesk.foundation.common import clock, ids
from certdesk.pki.authority import ocsp

from . import pki

Headers = list[tuple[str, str]]
_FILES = ("/crl/", "/ca/")
_OCSP, _OCSP_GET = ("/ocsp", "/ocsp/"), "/ocsp/"


@dataclass(frozen=True, slots=True)
class Ready:
    """A whole answer with status 200; its request id is not among the headers."""

    body: bytes
    headers: Headers

    def send(self, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [*self.headers, ("X-Request-Id", ids.request_id())])
        return [self.body]


class Files:
    """Files as Django answered them, for a second each.

    Args:
        most: bytes of all together; whatever would exceed it empties the store first.
        now: seconds of a clock that never goes back.
    """

    FRESH = 1.0

    def __init__(self, most: int = 16 << 20, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._now, self._size = most, now, 0
        self._held: dict[str, tuple[float, Ready]] = {}

    def find(self, environ: Mapping[str, Any]) -> Ready | None:
        """For a plain GET without a condition, while what is held is fresh."""
        if not _is_plain_get(environ):
            return None
        since, ready = self._held.get(environ["PATH_INFO"], (0.0, None))
        return ready if ready is not None and self._now() - since < self.FRESH else None

    def keep(
        self, environ: Mapping[str, Any], status: int, headers: Iterable[tuple[str, str]], body: bytes
    ) -> None:
        """What was just read from the records; one thread at a time."""
        if status != 200 or not _is_plain_get(environ):
            return
        path = environ["PATH_INFO"]
        own = [(name, value) for name, value in headers if name not in ("X-Request-Id", "Content-Length")]
        old = self._held.pop(path, None)
        self._size -= len(old[1].body) if old else 0
        if self._size + len(body) > self._most:
            self._held, self._size = {}, 0
        if len(body) <= self._most:
            ready = Ready(body, [*own, ("Content-Length", str(len(body)))])
            self._held[path], self._size = (self._now(), ready), self._size + len(body)


def _is_plain_get(environ: Mapping[str, Any]) -> bool:
    return (
        environ["PATH_INFO"].startswith(_FILES)
        and environ["REQUEST_METHOD"] == "GET"
        and not environ.get("QUERY_STRING")
        and "HTTP_IF_NONE_MATCH" not in environ
    )


def ocsp_answer(environ: dict[str, Any], always: Sequence[tuple[str, str]]) -> Ready | None:
    """A kept OCSP answer; None when there is none that needs no look at the records.

    Args:
        environ: of WSGI; its body has been read and can be read again.
        always: headers of every answer.
    """
    path, posted = environ["PATH_INFO"], environ["REQUEST_METHOD"] == "POST"
    if posted and path in _OCSP:
        asked = _body(environ)
    elif environ["REQUEST_METHOD"] == "GET" and "HTTP_IF_NONE_MATCH" not in environ:
        asked = _address(path)
    else:
        return None
    held = ocsp.kept(asked, clock.now()) if asked else None
    if held is None:
        return None
    own = {"Cache-Control": "no-store"} if posted else pki.headers_of(held)
    length = str(len(held.der))
    fixed = [("Content-Type", pki.OCSP_RESPONSE), ("Content-Length", length), *own.items()]
    return Ready(held.der, [*fixed, *always])


def _body(environ: dict[str, Any]) -> bytes:
    """Only what is in memory and short enough to be kept; whoever reads it next finds it whole."""
    length = environ.get("CONTENT_LENGTH") or ""
    if len(length) > 3 or not length.isdecimal() or int(length) > ocsp.KEPT_REQUEST:
        return b""
    body = environ["wsgi.input"]
    content = bytes(body.read())
    body.seek(0)
    return content


def _address(path: str) -> bytes:
    """The base64 of a GET, when it is that and no longer than what is kept."""
    text = path.removeprefix(_OCSP_GET)
    if text == path or len(text) > 2 * ocsp.KEPT_REQUEST:
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
