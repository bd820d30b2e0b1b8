"""When people are told that a certificate ends (NTF-1, NTF-4). Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from certdesk.foundation.common.months import add_months

SHORT = timedelta(days=100)  # NTF-4: lifetimes under this have fractions for stages
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
LAST = frozenset({"three-days", "one-day", "expired"})
"""Told also of what should replace itself: by then it should have, and a few hours may be left."""
EARLIEST_MONTHS = 2
LATE = timedelta(days=30)
"""Whoever was away for longer than this is no longer told that a certificate has expired."""


class NoticeType(StrEnum):
    """What can be switched on and off for a certificate (API §1 #14, #15)."""

    EXPIRING = "CERT_EXPIRING"
    EXPIRED = "CERT_EXPIRED"


@dataclass(frozen=True, slots=True, order=True)
class Stage:
    """A moment from which on people are told."""

    at: datetime
    name: str

    @property
    def kind(self) -> NoticeType:
        return NoticeType.EXPIRED if self.name == "expired" else NoticeType.EXPIRING


def stages(
    not_before: datetime, not_after: datetime, here_since: datetime, *, rolls_over: bool = False
) -> tuple[Stage, ...]:
    """All stages of a certificate in the order of time.

    Args:
        here_since: when it was issued or uploaded; what lies before that is no stage (NTF-4).
        rolls_over: the paid period goes on, so it is replaced by itself. That its end comes nearer is then no
            news (REN-9: only a failure is told); the last days are told all the same, should nobody have
            replaced it.
    """
    lifetime = not_after - not_before + SECOND  # both ends count
    before: tuple[Stage, ...] = ()
    if not rolls_over:
        before = _fractions(not_after, lifetime) if lifetime < SHORT else _months(not_after)
    last = (
        Stage(not_after - 3 * DAY, "three-days"),
        Stage(not_after - DAY, "one-day"),
        Stage(not_after + SECOND, "expired"),  # LST-7
    )
    return tuple(sorted(stage for stage in (*before, *last) if stage.at > here_since))


def _months(not_after: datetime) -> tuple[Stage, ...]:
    """TIM-1: calendar months, clamped to the month's end."""
    return (
        Stage(add_months(not_after, -EARLIEST_MONTHS), "two-months"),
        Stage(add_months(not_after, -1), "one-month"),
        Stage(not_after - 7 * DAY, "one-week"),
    )


def _fractions(not_after: datetime, lifetime: timedelta) -> tuple[Stage, ...]:
    return (
        Stage(not_after - lifetime / 3, "third"),
        Stage(not_after - lifetime / 6, "sixth"),
        Stage(not_after - lifetime / 12, "twelfth"),
    )


def due(all_stages: tuple[Stage, ...], now: datetime) -> Stage | None:
    """The stage that has come; of several missed ones the last, since it says the same with newer words."""
    return max((stage for stage in all_stages if stage.at <= now), default=None)


def following(all_stages: tuple[Stage, ...], now: datetime) -> Stage | None:
    """The first stage that has not come yet; None when the last one has."""
    return min((stage for stage in all_stages if stage.at > now), default=None)


def days_left(not_after: datetime, now: datetime) -> int:
    """Begun days until its end; 0 after it."""
    return max(0, -((now - not_after) // DAY))
