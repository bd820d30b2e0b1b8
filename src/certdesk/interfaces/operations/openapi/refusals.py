"""The table of errors, and a response for each status that is refused with."""

from typing import Any

from certdesk.foundation.common.errors import Kind
from certdesk.interfaces.operations import errors
from certdesk.interfaces.operations.errors import Line

Described = dict[str, Any]

REFERENCES = {
    400: "BadRequest",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    411: "LengthRequired",
    429: "TooMany",
    500: "Internal",
    501: "NotAvailable",
    503: "Unavailable",
}
_WORDS = {
    400: "Something in the request cannot be, or not in this state.",
    401: "The signature or the token was not believed.",
    403: "No policy allows it; the sentence names the missing action.",
    404: "There is no such thing, or not for this caller.",
    409: "Another request got there first, or the Idempotency-Key is in use.",
    411: "The body came without its length.",
    429: "Slow down; Retry-After says for how many seconds.",
    500: "Nobody expected this; the log has the rest under the request id.",
    501: "The capability comes with a later release.",
    503: "A part does not answer now; Retry-After says when to ask again.",
}
_RETRY: Described = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 0}}}
_BODY: Described = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


OF_ONE_OPERATION = {
    "SCM.9011": (409, "The DNS connection is in use"),
    "SCM.9020": (400, "The user has as many access keys as it may have"),
}
"""Codes whose sentence comes without a fixed part."""


def responses() -> Described:
    """Components: one a status, and `Refused` for any other."""
    found = {name: _response(_WORDS[status], status) for status, name in REFERENCES.items()}
    return found | {"Refused": _response("Any other refusal.", 0)}


def _response(words: str, status: int) -> Described:
    headers: Described = {
        "X-Request-Id": {"description": "Quote it to the operator.", "schema": {"type": "string"}}
    }
    if status in (429, 503):
        headers |= _RETRY
    return {"description": words, "headers": headers, "content": _BODY}


def table() -> list[Described]:
    """Every code with its HTTP status and the fixed part of its sentence, in both languages."""
    lines = {line.code: line.status for line in reversed(_lines())} | dict(errors.BY_CODE)
    lines |= {code: status for code, (status, _) in OF_ONE_OPERATION.items()}
    codes = sorted({*errors.TEXTS, *lines})
    return [_row(code, lines.get(code, 400)) for code in codes]


def _lines() -> list[Line]:
    """In the order of the table: the first line of a code counts."""
    kinds = [errors.KINDS[kind] for kind in Kind if kind in errors.KINDS]
    return [*kinds, Line(404, errors.CERTIFICATE_MISSING), errors.UNKNOWN, errors.NO_ROUTE]


def _row(code: str, status: int) -> Described:
    own = OF_ONE_OPERATION.get(code, (0, ""))[1]
    english, chinese = errors.TEXTS.get(code, (own, ""))
    return {"code": code, "status": status, "text": english, "text_zh": chinese}
