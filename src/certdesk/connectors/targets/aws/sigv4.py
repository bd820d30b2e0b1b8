"""AWS Signature Version 4 for requests with a whole body (AWS General Reference). Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Key:
    """An access key; `session_token` of temporary ones."""

    access_key_id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def sign(
    method: str,
    url: str,
    key: Key,
    scope: tuple[str, str],
    *,
    now: datetime,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> dict[str, str]:
    """The headers of a signed request, `headers` among them.

    Args:
        url: whole URL; its host and port are the signed Host.
        scope: region and service.
        now: real time; AWS refuses what is more than 5 minutes off.
    """
    parts, region, service = urlsplit(url), *scope
    date = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    sent = {"Host": parts.netloc, "X-Amz-Date": date, **(headers or {})}
    if key.session_token:
        sent["X-Amz-Security-Token"] = key.session_token
    lowered = sorted((name.lower(), " ".join(value.split())) for name, value in sent.items())
    names = ";".join(name for name, _ in lowered)
    lines = "".join(f"{name}:{value}\n" for name, value in lowered)
    payload = hashlib.sha256(body).hexdigest()
    path = quote(parts.path or "/", safe="/~")
    canonical = "\n".join((method, path, _query(parts.query), lines, names, payload))
    whole = f"{date[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    derived = f"AWS4{key.secret}".encode()
    for part in whole.split("/"):
        derived = _mac(derived, part)
    signature = _mac(derived, f"{ALGORITHM}\n{date}\n{whole}\n{digest}").hex()
    stated = f"Credential={key.access_key_id}/{whole}, SignedHeaders={names}, Signature={signature}"
    return {**sent, "Authorization": f"{ALGORITHM} {stated}"}


def _query(query: str) -> str:
    pairs = sorted(
        (quote(k, safe="~"), quote(v, safe="~")) for k, v in parse_qsl(query, keep_blank_values=True)
    )
    return "&".join(f"{k}={v}" for k, v in pairs)


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
