"""Nonces that nobody has to remember until they are used (RFC 8555 §6.5).

A nonce is a time, random bytes and a MAC by a key that every node of the installation has: it is good after a
restart and at any web process. That it was used is written down, so that it is good once.
"""

import base64
import hashlib
import hmac
import secrets
import struct
from datetime import datetime, timedelta

from certdesk.foundation.common import clock, session_key, settings, sql

LIFE = timedelta(hours=24)
"""Real time. A client may wait that long for a person to set a record before it needs another one."""

AHEAD = timedelta(minutes=5)  # how far the clocks of two nodes may differ
CHUNK = 100  # rows of one transaction
_BODY = struct.Struct(">Q16s")
_MAC = 16


def make(now: datetime) -> str:
    """A fresh one, 54 characters of base64url.

    Args:
        now: real time.
    """
    body = _BODY.pack(clock.to_micros(now), secrets.token_bytes(16))
    return base64.urlsafe_b64encode(body + _mac(body)).decode("ascii").rstrip("=")


def _mac(body: bytes) -> bytes:
    key = session_key.derive(settings.get(), "acme-nonce").encode()
    return hmac.digest(key, body, "sha256")[:_MAC]


def is_ours(nonce: str, now: datetime) -> bool:
    """Whether we made it, not too long ago; nothing is written."""
    try:
        raw = base64.urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4))
    except (ValueError, UnicodeEncodeError):
        return False
    body, mac = raw[: _BODY.size], raw[_BODY.size :]
    if len(body) != _BODY.size or not hmac.compare_digest(mac, _mac(body)):
        return False
    if base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=") != nonce:
        return False  # another spelling of the same bytes
    made = clock.from_micros(_BODY.unpack(body)[0])
    return made - AHEAD <= now <= made + LIFE


def use(nonce: str, now: datetime) -> bool:
    """Uses it up; False when it was used before. Only after the signature: strangers write nothing.

    It must survive the end of a process, not a power cut, and what the request changes flushes it anyway.
    """
    digest = base64.urlsafe_b64encode(hashlib.sha256(nonce.encode()).digest()).decode("ascii").rstrip("=")
    with sql.short_transaction(flush=False):
        used = {"digest": digest, "at": now}
        return sql.insert("enrolment_usednonce", [used], "ON CONFLICT (digest) DO NOTHING") == 1


def forget(now: datetime, most: int = CHUNK) -> int:
    """Deletes what would be too old by now anyway; answers how many, at most `most` (law 13)."""
    return sql.execute(
        "DELETE FROM enrolment_usednonce WHERE digest IN"
        " (SELECT digest FROM enrolment_usednonce WHERE at < %s LIMIT %s)",
        [clock.to_micros(now - LIFE - AHEAD), most],
    )
