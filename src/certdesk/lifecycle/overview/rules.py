"""Which spans the overview counts in, and when the weekly mail is due. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKS = 13
WEEK = timedelta(days=7)
NEAR = timedelta(days=30)
"""What ends or runs out within this time is near (LST-3 has the same)."""
CA_LATE = timedelta(minutes=10)
"""A certificate that the CA holds for longer than this is late: DV takes minutes."""

HOUR = time(8, 0)
"""When the weekly mail is written, by the clock of its reader."""
MISSED = timedelta(days=3)
"""A mail that could not be written for longer than this is left out; the next one comes in its turn."""


@dataclass(frozen=True, slots=True)
class Span:
    """From the first moment (included) to the last (excluded); without a last one to the end of time."""

    start: datetime
    end: datetime | None


def midnight(now: datetime) -> datetime:
    """The beginning of the day, in the zone of `now`."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def weeks(now: datetime) -> tuple[Span, ...]:
    """Thirteen weeks from today on, then all the rest."""
    first = midnight(now)
    starts = [first + WEEK * place for place in range(WEEKS + 1)]
    spans = [Span(start, start + WEEK) for start in starts[:-1]]
    return (*spans, Span(starts[-1], None))


def last_turn(now: datetime, weekday: int, zone: ZoneInfo) -> datetime:
    """The latest moment, not after `now`, at which a mail of this weekday (0 = Monday) was due."""
    here = now.astimezone(zone)
    day = here.date() - timedelta(days=(here.weekday() - weekday) % 7)
    turn = datetime.combine(day, HOUR, zone)
    return turn if turn <= now else datetime.combine(day - WEEK, HOUR, zone)


def due(now: datetime, weekday: int, zone: ZoneInfo, told: date) -> date | None:
    """The local date of the mail that is due and not told yet; None when there is none.

    Args:
        told: the local date of the last one, or of the last turn before the mail was switched on.
    """
    turn = last_turn(now, weekday, zone)
    return turn.date() if turn.date() > told and now - turn < MISSED else None
