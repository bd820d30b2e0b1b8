"""Spans of the overview, and the turns of the weekly mail: both sides of each limit."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from certdesk.lifecycle.overview import rules

NOW = datetime(2026, 11, 26, 15, 30, tzinfo=UTC)  # a Thursday
SECOND = timedelta(seconds=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)  # 08:00 in Shanghai


def test_the_weeks_follow_each_other_from_today_on() -> None:
    found = rules.weeks(NOW)
    assert len(found) == rules.WEEKS + 1
    assert found[0].start == datetime(2026, 11, 26, tzinfo=UTC)
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    assert found[-1].end is None


@pytest.mark.parametrize(
    ("now", "told", "due"),
    [
        (MONDAY - SECOND, date(2026, 11, 16), None),
        (MONDAY, date(2026, 11, 16), date(2026, 11, 23)),
        (MONDAY, date(2026, 11, 23), None),
        (MONDAY + rules.MISSED - SECOND, date(2026, 11, 16), date(2026, 11, 23)),
        (MONDAY + rules.MISSED, date(2026, 11, 16), None),
        (MONDAY + timedelta(days=7), date(2026, 11, 23), date(2026, 11, 30)),
    ],
)
def test_a_mail_is_due_from_its_hour_on_for_three_days_once(
    now: datetime, told: date, due: date | None
) -> None:
    assert rules.due(now, 0, SHANGHAI, told) == due


def test_the_hour_is_that_of_the_readers_clock_in_summer_and_winter() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    summer, winter = datetime(2026, 7, 6, 6, 0, tzinfo=UTC), datetime(2026, 12, 7, 7, 0, tzinfo=UTC)
    for turn in (summer, winter):
        assert rules.last_turn(turn, 0, berlin) == turn
        assert rules.last_turn(turn - SECOND, 0, berlin).date() == turn.date() - timedelta(days=7)
