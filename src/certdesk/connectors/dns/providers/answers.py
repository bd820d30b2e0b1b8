"""Answers of HTTP APIs: what a status means for the caller, JSON read with care. Pure."""

import json
from typing import Any

from certdesk.connectors.dns.lookup import printable
from certdesk.connectors.dns.providers.protocol import DnsError, Reason
from certdesk.connectors.http import Fetched

# What reading a field of an answer can raise when it is not shaped as documented.
BadShape = (KeyError, TypeError, ValueError, AttributeError, IndexError)
_LONGEST_WAIT = 3600
_STATUS = {
    401: (Reason.WRONG_KEY, "Check the key of this connection."),
    403: (Reason.REFUSED, "Give the key the right to change records of this zone."),
    404: (Reason.NOT_THERE, "Check the name of the zone."),
    409: (Reason.CONTENDED, ""),
    429: (Reason.BUSY, ""),
}


def parsed(answer: Fetched, what: str, host: str) -> Any:
    """The JSON of a good answer, None when its body is empty.

    Raises:
        DnsError: for every other status, and BAD_ANSWER for what is no JSON.
    """
    if not 200 <= answer.status < 300:
        fallback = Reason.BUSY if answer.status >= 500 else Reason.REFUSED
        reason, next_step = _STATUS.get(answer.status, (fallback, ""))
        raise problem(answer, what, host, reason, next_step)
    if not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except ValueError:
        raise DnsError(
            Reason.BAD_ANSWER, f"{what}: {host} answered no JSON.", "Check the address of the API."
        ) from None


def problem(answer: Fetched, what: str, host: str, reason: Reason, next_step: str = "") -> DnsError:
    """The refusal, with the server's own words; not for 401, where some repeat what was sent."""
    told = "" if answer.status == 401 else _told(answer)
    message = f"{what} failed: {host} answered {answer.status}{told}."
    return DnsError(reason, message, next_step or _default(reason), _retry_after(answer))


def _default(reason: Reason) -> str:
    return (
        "Read the server's words; correct the connection or the record." if reason is Reason.REFUSED else ""
    )


def _told(answer: Fetched) -> str:
    try:
        body = json.loads(answer.body)
        words = body.get("error") or body.get("message") or body.get("error_msg") or ""
        code = body.get("code") or body.get("error_code") or ""
    except BadShape:
        return ""
    text = " ".join(str(part) for part in (code, words) if part)
    return f" ({printable(text.encode(), 200)})" if text else ""


def error_code(answer: Fetched) -> str:
    """The service's own code, empty when there is none."""
    try:
        body = json.loads(answer.body)
        return str(body.get("code") or body.get("error_code") or "")
    except BadShape:
        return ""


def _retry_after(answer: Fetched) -> int | None:
    text = answer.header("retry-after")
    return min(int(text), _LONGEST_WAIT) if text.isascii() and text.isdigit() else None
