"""When a CA is asked when a certificate should be replaced, and what its answer means (RFC 9773). Pure."""

from datetime import datetime, timedelta
from typing import Protocol

from certdesk.lifecycle.certificates.states import EXPIRING, State

USUAL = 6 * 3600.0
"""Seconds between two questions to a CA that names no time, and after a failure that lasts (§4.3.3)."""
SOONEST, LATEST = 60.0, 86_400.0
"""What a CA names below or beyond is held to these (§4.3.2)."""


class Held(Protocol):
    """The certificate that was asked for."""

    @property
    def state(self) -> str: ...
    @property
    def current_version(self) -> int: ...
    @property
    def not_after(self) -> datetime | None: ...


def is_asked_for(one: Held, version: int, now: datetime) -> bool:
    """Whether it still matters: nobody asks for what is replaced, revoked or expired (§4.3.2)."""
    end = one.not_after
    return State(one.state) in EXPIRING and one.current_version == version and bool(end and end > now)


def pause(retry_after: int | None) -> float:
    """Seconds until the next question after an answer."""
    return USUAL if retry_after is None else min(max(float(retry_after), SOONEST), LATEST)


def pause_after_failure(failures: int, retry_after: int | None, *, lasts: bool) -> float:
    """Seconds until the next question after a failure.

    Args:
        failures: in a row, this one included.
        lasts: time alone will not heal it.
    """
    if lasts:
        return USUAL
    grown = min(SOONEST * 2.0 ** min(max(failures - 1, 0), 20), USUAL)
    return max(grown, min(float(retry_after or 0), LATEST))


def is_hurried(start: datetime, first: datetime, not_before: datetime, not_after: datetime) -> bool:
    """Whether the CA wants it replaced sooner than in the usual course, e.g. as it is going to revoke it.

    Args:
        start: of the window as it is told now; `first`: as it was told first.
    """
    whole: timedelta = not_after - not_before
    return start < not_before + whole / 3 or start < first - whole / 48
