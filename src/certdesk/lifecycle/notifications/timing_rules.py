"""When a notice leaves: quiet hours and the hour of the digest, in the account's zone. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from certdesk.foundation.common.errors import BadParameter

MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes of the day in `zone`; None = not wished. Quiet hours may lie around midnight."""

    zone: str = "UTC"
    quiet_from: int | None = None
    quiet_to: int | None = None
    digest_at: int | None = None


def zone_of(name: str) -> tzinfo:
    """The zone of an IANA name.

    Raises:
        BadParameter: this machine does not know it.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadParameter(
            "This time zone is not known here.",
            next_step="Give an IANA name such as Asia/Shanghai or UTC.",
            field="zone",
        ) from None


def check(hours: Hours) -> Hours:
    """Hours that can be kept.

    Raises:
        BadParameter: unknown zone, a time out of the day, quiet hours without one end or without a break.
    """
    zone_of(hours.zone)
    for name in ("quiet_from", "quiet_to", "digest_at"):
        value = getattr(hours, name)
        if value is not None and not 0 <= value < MINUTES:
            raise BadParameter(
                "A time of day lies between 00:00 and 23:59.", next_step="Correct it.", field=name
            )
    if (hours.quiet_from is None) != (hours.quiet_to is None):
        raise BadParameter(
            "Quiet hours have a beginning and an end.",
            next_step="Give both, or none.",
            field="quiet_to" if hours.quiet_to is None else "quiet_from",
        )
    if hours.quiet_from is not None and hours.quiet_from == hours.quiet_to:
        raise BadParameter(
            "Quiet hours cannot last the whole day.", next_step="Let them end earlier.", field="quiet_to"
        )
    return hours


def send_at(hours: Hours, now: datetime, not_after: datetime) -> datetime:
    """When a notice that is due now leaves.

    Held at most for half of the time that is left: a notice that comes too late is none. What has expired is
    told at once.
    """
    latest = now + max(timedelta(0), not_after - now) / 2
    wanted = now if hours.digest_at is None else _next(hours.digest_at, now, zone_of(hours.zone))
    wanted = _after_quiet(hours, wanted if wanted <= latest else now)
    return wanted if wanted <= latest else now


def _after_quiet(hours: Hours, moment: datetime) -> datetime:
    if hours.quiet_from is None or hours.quiet_to is None:
        return moment
    zone = zone_of(hours.zone)
    local = moment.astimezone(zone)
    minute = local.hour * 60 + local.minute
    begins, ends = hours.quiet_from, hours.quiet_to
    quiet = begins <= minute < ends if begins < ends else minute >= begins or minute < ends
    return _next(ends, moment, zone) if quiet else moment


def _next(minute: int, now: datetime, zone: tzinfo) -> datetime:
    """The next time that the clock of the zone shows this minute; `now` itself when it does."""
    local = now.astimezone(zone)
    wanted = local.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0)
    if wanted < local.replace(second=0, microsecond=0):
        wanted += timedelta(days=1)
    return max(now, wanted.astimezone(UTC))


def minute_of(text: str, field: str = "") -> int | None:
    """`22:30` as minutes; None for empty text.

    Raises:
        BadParameter: it is no time of day.
    """
    if not text.strip():
        return None
    hour, colon, minute = text.strip().partition(":")
    if not colon or not (hour.isdecimal() and minute.isdecimal() and len(minute) == 2 and len(hour) <= 2):
        raise BadParameter(
            "A time of day is written as 22:30.", next_step="Correct it, or leave it empty.", field=field
        )
    return int(hour) * 60 + int(minute)


def text_of(minute: int | None) -> str:
    return "" if minute is None else f"{minute // 60:02d}:{minute % 60:02d}"
