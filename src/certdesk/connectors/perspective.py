"""Asks a remote perspective over signed HTTP; the other side is `agents/perspective.py`.

A request carries time and nonce and is signed over both and its body; the answer is signed over the request's
signature, so that neither can be made, changed or replayed by who sits between.
"""

import hashlib
import hmac
import ipaddress
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from certdesk.connectors.http import Fetched, Sent, fetch
from certdesk.connectors.protocol import ConnectorError

PATH = "/look"
SECONDS = 7.5
_MOST_BYTES = 16 * 1024
_EVERYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class RemoteSeen:
    """What the agent saw: `answer` as this process names it, `sentence` in words."""

    answer: str
    sentence: str


def sign(key: bytes, *parts: bytes) -> str:
    """HMAC-SHA-256, hex, over the parts, each with its length in front."""
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(key, framed, hashlib.sha256).hexdigest()


async def ask(url: str, key: bytes, look: Mapping[str, str]) -> RemoteSeen:
    """One look of the agent at `url` (the operator's own setting: its address and port are allowed).

    Raises:
        ConnectorError: no answer, or one that is not the agent's.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    body = json.dumps(dict(look), sort_keys=True).encode()
    moment, nonce = str(int(time.time())), secrets.token_hex(16)
    signature = sign(key, b"ask", moment.encode(), nonce.encode(), body)
    headers = {
        "Content-Type": "application/json",
        "X-Certdesk-Time": moment,
        "X-Certdesk-Nonce": nonce,
        "X-Certdesk-Signature": signature,
    }
    got = await fetch(
        url.rstrip("/") + PATH,
        ports=(port,),
        allow_networks=_EVERYWHERE,
        max_bytes=_MOST_BYTES,
        total_timeout=SECONDS,
        max_redirects=0,
        sent=Sent("POST", headers, body),
    )
    return _read(got, key, signature)


def _read(got: Fetched, key: bytes, asked: str) -> RemoteSeen:
    expected = sign(key, b"answer", asked.encode(), got.body)
    if got.status != 200:
        raise ConnectorError(f"The perspective {got.url:.200} answered status {got.status}.", permanent=False)
    if not hmac.compare_digest(expected.encode(), got.header("x-certdesk-signature").encode()):
        raise ConnectorError(
            f"The answer of the perspective {got.url:.200} is not signed by it.", permanent=True
        )
    try:
        found = json.loads(got.body)
        return RemoteSeen(str(found["answer"])[:20], str(found["seen"])[:2000])
    except (ValueError, KeyError, TypeError):
        raise ConnectorError(
            f"The answer of the perspective {got.url:.200} cannot be read.", permanent=True
        ) from None
