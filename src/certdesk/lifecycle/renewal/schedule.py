"""When a certificate is replaced, and when a step that failed is tried again. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

SECOND = timedelta(seconds=1)
BUY_BEFORE = timedelta(days=30)  # REN-7: purchases in the last 30 days
SHORT = timedelta(days=10)  # under this half of the lifetime is left, so that an outage of days fits in
LONGEST_SPREAD = timedelta(hours=12)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=15), timedelta(hours=6)
BUDGET = 300
"""Replacements of one issuer that begin with one look: ten thousand of one day do not meet it together."""


class Kind(StrEnum):
    BUY = "BUY"
    ROLLOVER = "ROLLOVER"


@dataclass(frozen=True, slots=True)
class Window:
    """An issuer's own advice when to renew (ARI, RFC 9773); `hurried`: sooner than in the usual course."""

    start: datetime
    end: datetime
    hurried: bool = False


def jitter(certificate_id: str, longest: timedelta) -> timedelta:
    """The same for one certificate at any time, spread evenly over all of them."""
    digest = hashlib.sha256(certificate_id.encode()).digest()
    return longest * (int.from_bytes(digest[:4], "big") / 2**32)


def lifetime(not_before: datetime, not_after: datetime) -> timedelta:
    """Both ends count."""
    return not_after - not_before + SECOND


def rollover_at(
    certificate_id: str, not_before: datetime, not_after: datetime, advice: Window | None = None
) -> datetime:
    """REN-8: by the issuer's advice, else when a third of the lifetime is left, of a short one a half.

    An advice never puts it off beyond the last sixth of the lifetime, nor replaces what is hardly issued: a
    CA that says "now" of every certificate would have a new one ordered without end.
    """
    whole = lifetime(not_before, not_after)
    short = min(LONGEST_SPREAD, whole / 48)
    if advice is not None:
        chosen = advice.start + jitter(certificate_id, max(timedelta(0), advice.end - advice.start))
        return max(not_before + short, min(chosen, not_after - whole / 6))
    left = whole / 2 if whole < SHORT else whole / 3
    return not_after - left + jitter(certificate_id, short)


def buy_at(certificate_id: str, paid_end: datetime) -> datetime:
    """REN-7: in the last 30 days of the paid period, within its first hours."""
    return paid_end - BUY_BEFORE + jitter(certificate_id, LONGEST_SPREAD)


def pause(attempts: int, whole: timedelta) -> timedelta:
    """Before the next attempt: longer each time, and never a big part of the lifetime."""
    longest = min(LONGEST_PAUSE, whole / 48)
    grown: timedelta = FIRST_PAUSE * 2 ** min(attempts, 10)
    return min(grown, max(longest, FIRST_PAUSE))


def urgent(now: datetime, not_after: datetime, whole: timedelta) -> bool:
    """Whether so little is left that people must know whatever the cause is."""
    return not_after - now < min(timedelta(days=7), whole / 6)
