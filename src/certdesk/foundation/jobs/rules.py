"""Pure rules of jobs: what an error means, how long to wait, when a period comes round."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from certdesk.foundation.common.errors import CertdeskError, Kind

from .errors import Permanent, RetryAfter

FIRST_DELAY = 2.0
LONGEST_DELAY = 3600.0
LONGEST_ERROR = 500
WAITS = frozenset({Kind.CONFLICT, Kind.TOO_MANY, Kind.UNAVAILABLE})
"""Refusals that time may heal; every other refusal stays the same however often it is asked."""

_SECRETS = (
    (re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----.*?(-----END [^-]*-----|$)", re.S), "[private key]"),
    (re.compile(r"(://)[^/@\s]+@"), r"\1[hidden]@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9+/=._~-]+"), r"\1 [hidden]"),
    (
        re.compile(r"(?i)\b(password|passwd|secret|token|api[_-]?key|secret[_-]?key)(['\"]?\s*[=:]\s*)\S+"),
        r"\1\2[hidden]",
    ),
)
_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\s]+")


@dataclass(frozen=True)
class Verdict:
    """What becomes of a job whose handler raised: `delay` seconds to the next try, None = given up."""

    delay: float | None


def judge(error: BaseException, attempts: int, max_attempts: int, chance: float) -> Verdict:
    """Decides by the exception.

    Args:
        attempts: tries so far, this one included.
        chance: a random number of [0, 1) that spreads the retries of many jobs.
    """
    if isinstance(error, Permanent) or attempts >= max_attempts:
        return Verdict(None)
    if isinstance(error, RetryAfter):
        return Verdict(max(0.0, error.seconds))
    if isinstance(error, CertdeskError):
        if error.kind not in WAITS:
            return Verdict(None)
        if error.retry_after is not None:
            return Verdict(float(error.retry_after))
    return Verdict(backoff(attempts, chance))


def backoff(attempts: int, chance: float) -> float:
    """Seconds: 2, 4, 8 … up to an hour, of which between a half and the whole is waited."""
    whole = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(max(attempts, 1) - 1, 20))
    return whole * (0.5 + chance / 2)


def describe(error: BaseException) -> str:
    """One line for people, at most 500 characters, with what looks like a secret taken out."""
    text = str(error)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    if not isinstance(error, Permanent | RetryAfter | CertdeskError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return _NOT_PRINTABLE.sub(" ", text).strip()[:LONGEST_ERROR]


def next_period(planned: datetime, every: timedelta, now: datetime) -> datetime:
    """The first moment of the grid `planned + n * every` that lies after `now`.

    Missed periods are not made up. A plan more than one period ahead means that the clock was set
    back; the grid then starts anew.
    """
    if planned > now + every:
        return now + every
    return planned + every * ((now - planned) // every + 1)
