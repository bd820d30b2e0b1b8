"""When people are told: stages to the second, on both sides."""

from datetime import UTC, datetime, timedelta

import pytest

from certdesk.lifecycle.notifications import rules
from certdesk.lifecycle.notifications.rules import NoticeType, Stage

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def names(not_after: datetime, not_before: datetime = START, since: datetime = START) -> list[str]:
    return [stage.name for stage in rules.stages(not_before, not_after, since)]


def at(name: str, not_after: datetime, not_before: datetime = START) -> datetime:
    return next(one.at for one in rules.stages(not_before, not_after, not_before) if one.name == name)


def test_a_year_has_calendar_months_weeks_and_days() -> None:
    # rule: NTF-1
    # rule: TIM-1
    end = datetime(2027, 4, 30, 12, tzinfo=UTC)
    assert names(end) == ["two-months", "one-month", "one-week", "three-days", "one-day", "expired"]
    assert at("two-months", end) == datetime(2027, 2, 28, 12, tzinfo=UTC)  # clamped
    assert at("one-month", end) == datetime(2027, 3, 30, 12, tzinfo=UTC)
    assert at("one-week", end) == end - 7 * DAY
    assert at("expired", end) == end + SECOND


# rule: NTF-4
@pytest.mark.parametrize(("lifetime", "short"), [(100 * DAY, False), (100 * DAY - SECOND, True)])
def test_under_a_hundred_days_the_stages_are_fractions(lifetime: timedelta, short: bool) -> None:
    end = START + lifetime - SECOND
    assert ("third" in names(end)) is short
    assert ("two-months" in names(end)) is not short
    if short:
        assert names(end) == ["third", "sixth", "twelfth", "three-days", "one-day", "expired"]
        assert at("sixth", end) == end - lifetime / 6


def test_a_very_short_one_keeps_the_order_of_time() -> None:
    # rule: NTF-4
    end = START + 5 * DAY - SECOND
    assert names(end) == ["three-days", "third", "one-day", "sixth", "twelfth", "expired"]
    assert names(START + DAY) == ["third", "sixth", "twelfth", "expired"]  # never before issuance


def test_what_lies_before_its_arrival_is_no_stage() -> None:
    # rule: NTF-4
    end = START + 365 * DAY
    week = end - 7 * DAY
    assert names(end, since=week) == ["three-days", "one-day", "expired"]
    assert names(end, since=week - SECOND)[0] == "one-week"


@pytest.mark.parametrize("lifetime", [365 * DAY, 47 * DAY])
def test_what_is_replaced_by_itself_is_told_only_when_that_did_not_happen(lifetime: timedelta) -> None:
    # rule: REN-9
    end = START + lifetime - SECOND
    found = rules.stages(START, end, START, rolls_over=True)
    assert [one.name for one in found] == ["three-days", "one-day", "expired"]


def test_the_last_stage_that_has_come_is_due() -> None:
    # rule: NTF-1
    end = START + 365 * DAY
    stages = rules.stages(START, end, START)
    assert rules.due(stages, at("two-months", end) - SECOND) is None
    assert rules.due(stages, at("two-months", end)) == stages[0]
    assert rules.due(stages, end - 2 * DAY).name == "three-days"
    assert rules.due(stages, end).name == "one-day"
    assert rules.due(stages, end + SECOND).kind is NoticeType.EXPIRED
    assert Stage(end, "one-day").kind is NoticeType.EXPIRING


def test_days_left_are_begun_days() -> None:
    end = START + 7 * DAY
    assert [rules.days_left(end, end - 7 * DAY + one) for one in (-SECOND, timedelta(0), SECOND)] == [8, 7, 7]
    assert [rules.days_left(end, end + one) for one in (-SECOND, timedelta(0), SECOND)] == [1, 0, 0]
