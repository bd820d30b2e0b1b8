"""Working days and the promised approval periods; pure (ISS-5, tables 2-2 and 3-6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

DAY = timedelta(days=1)
LONGEST = 366
"""A region without a working day in a whole year is a mistake in its file, not a reason to search on."""


@dataclass(frozen=True)
class Region:
    """Which dates count.

    Attributes:
        zone: where a day begins.
        weekend: days of the week that do not count, Monday = 0.
        holidays: further dates that do not count; `workdays`: dates that do, whatever else is said.
    """

    zone: timezone = timezone.utc  # noqa: UP017 the class is meant, for its offset
    weekend: frozenset[int] = frozenset({5, 6})
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()

    def is_working(self, day: date) -> bool:
        if day in self.workdays:
            return True
        return day.weekday() not in self.weekend and day not in self.holidays

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()


@dataclass(frozen=True)
class Promise:
    """How a promised period stands.

    Attributes:
        least, most: working days promised.
        waited: working days since it began.
        due: the last day of the promise.
    """

    least: int
    most: int
    waited: int
    due: date

    @property
    def late(self) -> bool:
        return self.waited > self.most


Regions = Mapping[str, Region]


def working_days_between(start: datetime, end: datetime, region: Region) -> int:
    """Working days after the day of `start` up to and with the day of `end`; 0 when `end` is not later.

    What is asked on Monday has waited one working day on Tuesday; over a weekend none is added.
    """
    day, last, count = region.day(start), region.day(end), 0
    while day < last:
        day += DAY
        count += region.is_working(day)
    return count


def add_working_days(start: datetime, days: int, region: Region) -> date:
    """The day on which `days` working days have passed since `start`: the reverse of the count."""
    day, left, idle = region.day(start), days, 0
    while left > 0 and idle < LONGEST:
        day += DAY
        works = region.is_working(day)
        left, idle = left - works, 0 if works else idle + 1
    return day


def promise(period: tuple[int, int], since: datetime, now: datetime, region: Region) -> Promise:
    """A period of table 3-6 that began at `since`, as it stands `now`."""
    waited = working_days_between(since, now, region)
    return Promise(*period, waited, add_working_days(since, period[1], region))
