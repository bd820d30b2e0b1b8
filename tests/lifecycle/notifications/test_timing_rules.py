"""Quiet hours and the hour of the digest, both sides of each limit."""

from datetime import UTC, datetime, timedelta

import pytest

from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.common.phone import international
from certdesk.lifecycle.notifications.timing_rules import (
    Hours,
    check,
    minute_of,
    send_at,
    text_of,
    zone_of,
)

NIGHT = Hours("UTC", 22 * 60, 7 * 60)
FAR = timedelta(days=60)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2027, 3, day, hour, minute, 30, tzinfo=UTC)


def sharp(day: int, hour: int, minute: int = 0) -> datetime:
    return at(day, hour, minute).replace(second=0)


def when(hours: Hours, now: datetime) -> datetime:
    return send_at(hours, now, now + FAR)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (at(1, 21, 59), at(1, 21, 59)),
        (at(1, 22), sharp(2, 7)),
        (at(2, 6, 59), sharp(2, 7)),
        (at(2, 7), at(2, 7)),
    ],
)
def test_quiet_hours_around_midnight(now: datetime, expected: datetime) -> None:
    # rule: NTF-1
    assert when(NIGHT, now) == expected


def test_quiet_hours_within_a_day() -> None:
    noon = Hours("UTC", 12 * 60, 13 * 60)
    assert when(noon, at(1, 11, 59)) == at(1, 11, 59)
    assert when(noon, at(1, 12)) == sharp(1, 13)
    assert when(noon, at(1, 13)) == at(1, 13)


def test_they_are_those_of_the_zone() -> None:
    shanghai = Hours("Asia/Shanghai", 22 * 60, 7 * 60)
    assert when(shanghai, at(1, 14)) == sharp(1, 23)  # 22:00 there, until 7:00 there
    assert when(shanghai, at(1, 13, 59)) == at(1, 13, 59)


def test_the_digest_comes_at_its_hour_and_never_in_quiet_ones() -> None:
    daily = Hours("UTC", digest_at=8 * 60)
    assert when(daily, at(1, 7, 59)) == sharp(1, 8)
    assert when(daily, at(1, 8)) == at(1, 8)  # the very minute
    assert when(daily, at(1, 8, 1)) == sharp(2, 8)
    early = Hours("UTC", 22 * 60, 7 * 60, digest_at=6 * 60)
    assert when(early, at(1, 12)) == sharp(2, 7)


def test_a_notice_is_held_for_half_of_the_time_left_at_most() -> None:
    now = at(1, 22)
    assert send_at(NIGHT, now, now + timedelta(hours=18)) == sharp(2, 7)
    assert send_at(NIGHT, now, now + timedelta(hours=17)) == now
    daily = Hours("UTC", digest_at=8 * 60)
    assert send_at(daily, at(1, 9), at(1, 9) + timedelta(days=1)) == at(1, 9)
    assert send_at(NIGHT, now, now - timedelta(days=1)) == now


@pytest.mark.parametrize(
    ("hours", "field"),
    [
        (Hours("Mars/Olympus"), "zone"),
        (Hours("../etc/passwd"), "zone"),
        (Hours("UTC", 60), "quiet_to"),
        (Hours("UTC", None, 60), "quiet_from"),
        (Hours("UTC", 60, 60), "quiet_to"),
        (Hours("UTC", 1440, 60), "quiet_from"),
        (Hours("UTC", digest_at=-1), "digest_at"),
    ],
)
def test_hours_that_cannot_be_kept(hours: Hours, field: str) -> None:
    with pytest.raises(BadParameter) as caught:
        check(hours)
    assert caught.value.field == field


def test_hours_that_can() -> None:
    assert check(Hours("Europe/Berlin", 0, 1439, 1439)).zone == "Europe/Berlin"
    assert zone_of("UTC") is UTC


@pytest.mark.parametrize(("text", "minute"), [("", None), ("00:00", 0), ("7:05", 425), ("23:59", 1439)])
def test_times_of_day(text: str, minute: int | None) -> None:
    assert minute_of(text) == minute
    assert minute_of(text_of(minute)) == minute


@pytest.mark.parametrize("text", ["7", "7:5", "ab:cd", "100:00", "7:0x"])
def test_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(BadParameter):
        minute_of(text, "quiet_from")


def test_phone_numbers_need_their_country() -> None:
    assert international("+44 (20) 7946-0000") == "+442079460000"
    for none in ("020 7946 0000", "+0 20 7946 0000", "+44", "", "+44 20 x"):
        assert international(none) == ""
