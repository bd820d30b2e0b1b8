"""What leaves: JSON and problem documents, with the headers that ACME wants (RFC 8555 §6.5, §7.1)."""

from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from django.http import HttpResponse

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.lifecycle.enrolment import nonces
from certdesk.lifecycle.enrolment.errors import URN, AcmeError

from .door import ROOT

JSON, PROBLEM = "application/json", "application/problem+json"
_log = structlog.get_logger("certdesk.acme")

KINDS: Mapping[Kind, tuple[str, int]] = {
    Kind.BAD_PARAMETER: ("malformed", 400),
    Kind.BAD_NAMES: ("rejectedIdentifier", 400),
    Kind.BAD_CSR: ("badCSR", 400),
    Kind.WRONG_STATE: ("unauthorized", 403),
    Kind.NOT_FOUND: ("malformed", 404),
    Kind.NOT_EXPORTABLE: ("malformed", 404),
    Kind.UNAUTHENTICATED: ("unauthorized", 401),
    Kind.FORBIDDEN: ("unauthorized", 403),
    Kind.CONFLICT: ("malformed", 409),
    Kind.NOT_SETTLED: ("malformed", 409),
    Kind.PAYMENT_REFUSED: ("unauthorized", 403),
    Kind.QUOTA: ("unauthorized", 403),
    Kind.ADDRESS_TOO_LONG: ("malformed", 414),
    Kind.HEADERS_TOO_LARGE: ("malformed", 431),
    Kind.LENGTH_REQUIRED: ("malformed", 411),
    Kind.TOO_MANY: ("rateLimited", 429),
    Kind.NOT_AVAILABLE: ("serverInternal", 501),
    Kind.UNAVAILABLE: ("serverInternal", 503),
}
"""The one table of this face: what a room refused -> problem type and status (law 6)."""


def json_answer(
    content: Any, base: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    return _with(HttpResponse(orjson.dumps(content), status=status, content_type=JSON), base, headers)


def text_answer(content: str, content_type: str, base: str) -> HttpResponse:
    return _with(HttpResponse(content, content_type=content_type), base, None)


def empty(base: str, status: int = 200) -> HttpResponse:
    return _with(HttpResponse(b"", status=status), base, None)


def _with(response: HttpResponse, base: str, headers: Mapping[str, str] | None) -> HttpResponse:
    response.headers["Replay-Nonce"] = nonces.make(clock.real_now())
    response.headers["Cache-Control"] = "no-store"
    response.headers["Link"] = f'<{base}{ROOT}/directory>;rel="index"'
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def problem(error: CertdeskError, base: str) -> HttpResponse:
    """A refusal as a problem document, with a fresh nonce: a client may try again at once."""
    headers: dict[str, str] = {}
    if isinstance(error, AcmeError):
        document = error.document
        headers |= error.headers
    else:
        kind, status = KINDS[error.kind]
        document = {"type": URN + kind, "detail": str(error), "status": status}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if "Location" in headers:
        headers["Location"] = f"{base}{ROOT}/account/{headers['Location']}"
    response = json_answer(document, base, int(document["status"]), headers)
    response.headers["Content-Type"] = PROBLEM
    return response


def unknown(request_id: str, base: str) -> HttpResponse:
    """What nobody expected: a bland one with the request's id; the log has the rest."""
    _log.exception("request failed", request_id=request_id)
    error = AcmeError("serverInternal", f"The server has a fault. Name the request {request_id}.", status=500)
    return problem(error, base)
