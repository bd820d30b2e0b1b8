"""SDK-HMAC-SHA256, the part that both sides of a request need: pure.

Stands here, not with the verifier in iam, because connectors sign requests to real services with it.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes, urlsplit

ALGORITHM = "SDK-HMAC-SHA256"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()


def canonical_request(
    method: str, path: bytes, query: str, headers: Iterable[tuple[str, str]], payload_hash: str
) -> str:
    """The six parts that are signed, joined.

    Args:
        path: decoded once; re-quoted segment by segment.
        query: raw text after the question mark.
        headers: the signed ones in order, names in lower case.
        payload_hash: hex SHA-256 of the body, or the word that stands for an unsigned one.
    """
    signed = tuple(headers)
    lines = "".join(f"{name}:{value.strip()}\n" for name, value in signed)
    names = ";".join(name for name, _ in signed)
    return "\n".join(
        (method.upper(), canonical_path(path), canonical_query(query), lines, names, payload_hash)
    )


def canonical_path(path: bytes) -> str:
    quoted = quote(path, safe="/~")
    return quoted if quoted.endswith("/") else quoted + "/"


def canonical_query(query: str) -> str:
    """Keys sorted, then values; `+` on the wire is a space, as the parser reads it."""
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        if part:
            key, _, value = part.partition("=")
            pairs.append((_plain(key), _plain(value)))
    return "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in sorted(pairs))


def _plain(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", " "))


def mac(secret: bytes, date: str, canonical: str) -> str:
    """Hex HMAC over the string to sign; the key is the secret key itself."""
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(secret, f"{ALGORITHM}\n{date}\n{digest}".encode(), hashlib.sha256).hexdigest()


def sign(
    method: str,
    url: str,
    access_key: str,
    secret: str,
    *,
    now: datetime,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Headers of a signed request, for our own clients and connectors.

    Args:
        url: whole URL; its host and port are the signed Host.
        now: real time; the other side refuses what is more than 15 minutes off.
        headers: further headers to send and sign, e.g. Content-Type.
    """
    parts = urlsplit(url)
    sent = {"Host": parts.netloc, "X-Sdk-Date": now.astimezone(UTC).strftime(DATE_FORMAT), **(headers or {})}
    lowered = sorted((name.lower(), value) for name, value in sent.items())
    stated = dict(lowered).get("x-sdk-content-sha256", "") if body else ""
    payload_hash = stated or hashlib.sha256(body).hexdigest()
    path = unquote_to_bytes(parts.path or "/")
    text = canonical_request(method, path, parts.query, lowered, payload_hash)
    signature = mac(secret.encode(), sent["X-Sdk-Date"], text)
    names = ";".join(name for name, _ in lowered)
    sent["Authorization"] = f"{ALGORITHM} Access={access_key}, SignedHeaders={names}, Signature={signature}"
    return sent
