"""SDK-HMAC-SHA256 request signatures (API §4.2): pure, over the raw bytes that came.

The verifier rebuilds the canonical request from what arrived, never from what was parsed: the Host as
received, the body's own hash, the query's own text.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from certdesk.foundation.common import sdk_signature
from certdesk.foundation.common.sdk_signature import EMPTY_HASH, mac, sign

from .errors import BadSignature

__all__ = ["Authorization", "Message", "canonical_request", "mac", "read", "sign", "verify"]

WINDOW = timedelta(minutes=15)
UNSIGNED = "UNSIGNED-PAYLOAD"
REQUIRED = frozenset({"host", "x-sdk-date"})
# Takes the place of the secret of a key that does not exist, so that both failures do the same work.
NO_SECRET = b"0" * 40

_AUTHORIZATION = re.compile(
    r"SDK-HMAC-SHA256 Access=([A-Za-z0-9_-]{1,64}), ?SignedHeaders=([a-z0-9;-]{1,2000}), ?"
    r"Signature=([0-9a-f]{64})"
)
_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)

Headers = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Authorization:
    """The Authorization header, read."""

    access_key: str
    signed_headers: tuple[str, ...]
    signature: str


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it came.

    Attributes:
        path: decoded once; re-quoted segment by segment (§4.2).
        query: raw text after the question mark.
        header: value of a header by lower-case name, None when it is absent; text as UTF-8.
    """

    method: str
    path: bytes
    query: str
    header: Headers
    body: bytes


def read(header: str) -> Authorization:
    """The parts of an Authorization header.

    Raises:
        BadSignature: it is absent, of another algorithm, or malformed.
    """
    match = _AUTHORIZATION.fullmatch(header)
    if match is None:
        raise BadSignature()
    names = tuple(match[2].split(";"))
    if list(names) != sorted(set(names)) or not REQUIRED.issubset(names):
        raise BadSignature()
    return Authorization(match[1], names, match[3])


def verify(message: Message, authorization: Authorization, secret: bytes, now: datetime) -> datetime:
    """The request's X-Sdk-Date, once its signature is proved.

    Args:
        now: real time; the window is 15 minutes either side, limits included.

    Raises:
        BadSignature: date outside the window, a signed header absent, body unsigned, or a wrong MAC.
    """
    date = _date(message.header("x-sdk-date") or "")
    if abs(now - date) > WINDOW:
        raise BadSignature("X-Sdk-Date differs from the server's clock by more than 15 minutes")
    text = canonical_request(message, authorization.signed_headers)
    expected = mac(secret, message.header("x-sdk-date") or "", text)
    if not hmac.compare_digest(expected, authorization.signature):
        raise BadSignature()
    return date


def _date(text: str) -> datetime:
    if not _DATE.fullmatch(text):
        raise BadSignature("X-Sdk-Date is not of the form YYYYMMDDTHHMMSSZ")
    try:
        return datetime(
            int(text[0:4]),
            int(text[4:6]),
            int(text[6:8]),
            int(text[9:11]),
            int(text[11:13]),
            int(text[13:15]),
            tzinfo=UTC,
        )
    except ValueError:
        raise BadSignature("X-Sdk-Date is not a date") from None


def canonical_request(message: Message, signed_headers: tuple[str, ...]) -> str:
    """The six parts of §4.2.

    Raises:
        BadSignature: a header that is said to be signed did not come, or the body is not signed.
    """
    headers = []
    for name in signed_headers:
        value = message.header(name)
        if value is None:
            raise BadSignature()
        headers.append((name, value))
    return sdk_signature.canonical_request(
        message.method, message.path, message.query, headers, _payload_hash(message)
    )


def _payload_hash(message: Message) -> str:
    """The body's hash; a header may state it, and must then be right.

    UNSIGNED-PAYLOAD is for file uploads alone: a JSON body is always signed.
    """
    stated = message.header("x-sdk-content-sha256")
    if not message.body:  # the client may have hashed nothing, or said that it did not
        return stated if stated in (UNSIGNED, EMPTY_HASH) else EMPTY_HASH
    if stated == UNSIGNED:
        if not (message.header("content-type") or "").lower().startswith("multipart/form-data"):
            raise BadSignature("the body must be signed")
        return UNSIGNED
    actual = hashlib.sha256(message.body).hexdigest()
    if stated is not None and stated.lower() != actual:
        raise BadSignature()
    return stated or actual
