"""Maintenance windows: at which hours of which weekdays a target may be changed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from certdesk.foundation.common.errors import BadParameter

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
ANY_TIME = "It may be changed at any time."


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
