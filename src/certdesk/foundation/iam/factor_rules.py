"""Codes of an authenticator app (RFC 6238) and recovery codes. Pure.

Six digits, SHA-1 and 30 seconds, because that is what every app knows; SHA-1 is sound inside HMAC.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

PERIOD = 30
"""Seconds that a code stands."""
DRIFT = 1
"""Steps by which the clock of the app may be early or late."""
DIGITS = 6
SECRET_BYTES = 20
RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike
_RECOVERY_LENGTH = 16


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def step_of(now: datetime) -> int:
    """The number of the 30 seconds that `now` lies in."""
    return int(now.timestamp()) // PERIOD


def code_at(secret: bytes, step: int) -> str:
    """RFC 4226, 5.3."""
    digest = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: bytes, code: str, now: datetime, after: int) -> int | None:
    """The step whose code this is; None when it is wrong, too early, too late, or used.

    Args:
        after: the last step that was used: a code counts once (RFC 6238, 5.2).
    """
    present, found = step_of(now), None
    for step in range(present - DRIFT, present + DRIFT + 1):
        is_it = hmac.compare_digest(code_at(secret, step).encode(), code.encode("utf-8", "replace"))
        if is_it and step > after and found is None:
            found = step
    return found


def shown_secret(secret: bytes) -> str:
    """Base32, as it is typed into an app that cannot scan."""
    return base64.b32encode(secret).decode().rstrip("=")


def uri(secret: bytes, issuer: str, login: str) -> str:
    """What the QR code says: the key URI format that the apps share."""
    label = f"{quote(issuer, safe='')}:{quote(login, safe='')}"
    asked = {"secret": shown_secret(secret), "issuer": issuer, "digits": DIGITS, "period": PERIOD}
    return f"otpauth://totp/{label}?{urlencode(asked, quote_via=quote)}"


def new_recovery_codes() -> list[str]:
    """Ten codes of 79 bits each: `abcd-efgh-jkmn-pqrs`."""
    return [_grouped() for _ in range(RECOVERY_CODES)]


def _grouped() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_RECOVERY_LENGTH))
    return "-".join(letters[at : at + 4] for at in range(0, _RECOVERY_LENGTH, 4))


def typed(code: str) -> str:
    """A code as it counts: without blanks and hyphens, in small letters."""
    return "".join(code.split()).replace("-", "").lower()


def is_recovery(code: str) -> bool:
    """Whether a typed code has the form of a recovery code."""
    return len(code) == _RECOVERY_LENGTH and set(code) <= set(_LETTERS)


def digest_of(code: str) -> str:
    """What is kept of a recovery code: it has enough randomness to need no slow hash."""
    return hashlib.sha256(typed(code).encode("utf-8", "replace")).hexdigest()
