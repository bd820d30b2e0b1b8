"""The file of working days: its shape, and from there to regions."""

import calendar
from datetime import date, timedelta, timezone
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from .document import Part, Slug
from .working_days import Region, Regions

WEEKDAYS = tuple(calendar.day_name)
Offset = Annotated[str, StringConstraints(pattern=r"^[+-](0\d|1[0-4]):[0-5]\d$")]


class RegionPart(Part):
    utc_offset: Offset = "+00:00"
    weekend: tuple[str, ...] = ("Saturday", "Sunday")
    holidays: tuple[date, ...] = ()
    workdays: tuple[date, ...] = ()

    @field_validator("weekend")
    @classmethod
    def _known(cls, days: tuple[str, ...]) -> tuple[str, ...]:
        for day in days:
            if day not in WEEKDAYS:
                raise ValueError(f"{day!r} is no day of the week; write it like Saturday")
        if len(set(days)) == len(WEEKDAYS):
            raise ValueError("a week needs a working day")
        return days


class CalendarDocument(Part):
    regions: Annotated[dict[Slug, RegionPart], Field(min_length=1)]

    @field_validator("regions")
    @classmethod
    def _default(cls, regions: dict[str, RegionPart]) -> dict[str, RegionPart]:
        if "default" not in regions:
            raise ValueError("the region default is needed")
        return regions


def regions(document: CalendarDocument) -> Regions:
    return {name: _region(part) for name, part in document.regions.items()}


def _region(part: RegionPart) -> Region:
    sign = -1 if part.utc_offset.startswith("-") else 1
    hours, minutes = part.utc_offset[1:].split(":")
    return Region(
        zone=timezone(sign * timedelta(hours=int(hours), minutes=int(minutes))),
        weekend=frozenset(WEEKDAYS.index(day) for day in part.weekend),
        holidays=frozenset(part.holidays),
        workdays=frozenset(part.workdays),
    )
