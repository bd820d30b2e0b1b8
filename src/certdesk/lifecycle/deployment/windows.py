"""Maintenance windows: at which hours of which weekdays a target may be changed. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from certdesk.foundation.common.errors import BadParameter

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_LINE = re.compile(r"(?P<days>[A-Z,-]+) (?P<start>[0-9:]+)-(?P<end>[0-9:]+) (?P<zone>\S+)")


@dataclass(frozen=True, slots=True)
class Window:
    """Open on `days` (0 = Monday) from `start` until `end`; an end that is not later is on the next day."""

    days: tuple[int, ...]
    start: time
    end: time
    zone: ZoneInfo

    def stored(self) -> dict[str, Any]:
        """As `read` takes it."""
        return {
            "days": [DAYS[day] for day in self.days],
            "from": f"{self.start:%H:%M}",
            "until": f"{self.end:%H:%M}",
            "zone": self.zone.key,
        }


def read(given: Mapping[str, Any]) -> Window | None:
    """A window from {"days": ["MON"], "from": "22:00", "until": "04:00", "zone": "Asia/Shanghai"}; None when
    it is empty: always open.

    Raises:
        BadParameter: what cannot be read, naming it.
    """
    if not given:
        return None
    days = given.get("days") or []
    if not isinstance(days, list) or not days or any(day not in DAYS for day in days):
        raise _refused("days", "The window names at least one weekday.", f"Use {', '.join(DAYS)}.")
    found = tuple(sorted({DAYS.index(day) for day in days}))
    return Window(found, _time(given, "from"), _time(given, "until"), _zone(str(given.get("zone") or "")))


def _time(given: Mapping[str, Any], field: str) -> time:
    try:
        return datetime.strptime(str(given.get(field) or ""), "%H:%M").time()
    except ValueError:
        raise _refused(
            field, "The window begins and ends at a time of day.", "Write hours and minutes, e.g. 22:00."
        ) from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _refused(
            "zone", f"{name!r:.60} is no time zone.", "Use a name such as Asia/Shanghai or UTC."
        ) from None


def _refused(field: str, message: str, next_step: str) -> BadParameter:
    return BadParameter(message, next_step=next_step, field=f"window.{field}")


def parse(line: str) -> dict[str, Any]:
    """What `read` takes, from a line such as `MON-FRI,SUN 22:00-04:00 Asia/Shanghai`; empty for an empty one.

    Raises:
        BadParameter: it is no such line.
    """
    text = " ".join(line.split())
    if not text:
        return {}
    found = _LINE.fullmatch(text)
    if found is None:
        raise BadParameter(
            "The window is weekdays, hours and a time zone.",
            next_step="Write it like MON-FRI 22:00-04:00 Asia/Shanghai.",
            field="window",
        )
    days = [day for part in found["days"].split(",") for day in _between(part)]
    return {"days": days, "from": found["start"], "until": found["end"], "zone": found["zone"]}


def _between(part: str) -> list[str]:
    """`MON-WED` as three days; what is no day stays, and is refused by `read`."""
    first, _, last = part.partition("-")
    if first not in DAYS or last not in DAYS:
        return [part]
    start, end = DAYS.index(first), DAYS.index(last)
    return [DAYS[day % 7] for day in range(start, end + 1 if end >= start else end + 8)]


def line_of(stored: Mapping[str, Any]) -> str:
    """The line that `parse` reads; empty for no window."""
    if not stored:
        return ""
    return f"{','.join(stored['days'])} {stored['from']}-{stored['until']} {stored['zone']}"


def opens(window: Window | None, now: datetime) -> datetime | None:
    """When it opens next; None while it is open."""
    if window is None:
        return None
    here = now.astimezone(window.zone)
    coming: list[datetime] = []
    for offset in range(-1, 8):
        day = (here + timedelta(days=offset)).date()
        if day.weekday() not in window.days:
            continue
        start = datetime.combine(day, window.start, window.zone)
        end_day = day if window.end > window.start else day + timedelta(days=1)
        end = datetime.combine(end_day, window.end, window.zone)
        if start <= now < end:
            return None
        if start > now:
            coming.append(start)
    return min(coming).astimezone(now.tzinfo)
