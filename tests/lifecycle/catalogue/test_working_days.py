"""Working days: weekends, holidays, worked weekends, time zones; and the file that says so."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certdesk.foundation.common import settings
from certdesk.lifecycle.catalogue import queries
from certdesk.lifecycle.catalogue.errors import CatalogueRefused
from certdesk.lifecycle.catalogue.queries import SHIPPED, WORKING_DAYS, load_working_days, region
from certdesk.lifecycle.catalogue.working_days import (
    Region,
    add_working_days,
    promise,
    working_days_between,
)

WEEK = Region()
FRIDAY = datetime(2026, 11, 27, 17, 0, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("end", "count"),
    [
        (FRIDAY, 0),
        (FRIDAY - 3 * DAY, 0),  # the end lies before the start
        (datetime(2026, 11, 27, 23, 59, 59, tzinfo=UTC), 0),  # the same day
        (datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC), 0),  # Sunday, to its last second
        (datetime(2026, 11, 30, tzinfo=UTC), 1),  # Monday, from its first second
        (datetime(2026, 12, 4, 9, 0, tzinfo=UTC), 5),
        (datetime(2026, 12, 6, 9, 0, tzinfo=UTC), 5),
    ],
)
def test_the_day_of_the_start_does_not_count_and_weekends_do_not(end, count):
    assert working_days_between(FRIDAY, end, WEEK) == count


def test_holidays_do_not_count_and_worked_weekends_do():
    own = Region(holidays=frozenset({date(2026, 11, 30)}), workdays=frozenset({date(2026, 11, 28)}))
    assert working_days_between(FRIDAY, FRIDAY + DAY, own) == 1
    assert working_days_between(FRIDAY, FRIDAY + 3 * DAY, own) == 1
    assert working_days_between(FRIDAY, FRIDAY + 4 * DAY, own) == 2
    both = Region(holidays=frozenset({date(2026, 11, 28)}), workdays=frozenset({date(2026, 11, 28)}))
    assert both.is_working(date(2026, 11, 28))


def test_a_day_begins_where_the_region_lies():
    east = Region(zone=timezone(timedelta(hours=8)))
    evening = datetime(2026, 11, 26, 16, 0, tzinfo=UTC)  # Friday 00:00 in the east, Thursday in UTC
    assert working_days_between(evening - SECOND, evening, east) == 1
    assert working_days_between(evening - SECOND, evening, WEEK) == 0


def test_a_promise_is_late_on_the_day_after_its_last():
    last = datetime(2026, 12, 4, 23, 59, 59, tzinfo=UTC)
    kept = promise((3, 5), FRIDAY, last, WEEK)
    assert (kept.waited, kept.due, kept.late) == (5, date(2026, 12, 4), False)
    assert not promise((3, 5), FRIDAY, last + SECOND, WEEK).late  # Saturday: no working day has passed
    broken = promise((3, 5), FRIDAY, datetime(2026, 12, 7, tzinfo=UTC), WEEK)
    assert (broken.waited, broken.late) == (6, True)


def test_a_region_without_working_days_ends_the_search():
    never = Region(weekend=frozenset(range(7)))
    assert add_working_days(FRIDAY, 1, never) > date(2027, 11, 1)


moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(moments, st.integers(0, 40))
def test_adding_and_counting_are_each_others_reverse(start, days):
    due = add_working_days(start, days, WEEK)
    end = datetime.combine(due, datetime.max.time(), tzinfo=UTC)
    assert working_days_between(start, end, WEEK) == days


@given(moments, moments, moments)
def test_counts_of_two_stretches_add_up(first, second, third):
    start, middle, end = sorted((first, second, third))
    whole = working_days_between(start, end, WEEK)
    assert whole == working_days_between(start, middle, WEEK) + working_days_between(middle, end, WEEK)


def test_the_shipped_file_works_from_monday_to_friday():
    found = load_working_days(WORKING_DAYS)
    assert found == {"default": Region()}
    assert region("GEOTRUST") == Region()


def test_a_brand_counts_by_its_own_region(tmp_path, monkeypatch):
    catalogue, days = tmp_path / "c.toml", tmp_path / "d.toml"
    text = SHIPPED.read_text(encoding="utf-8")
    catalogue.write_text(text.replace('title = "CFCA"', 'title = "CFCA"\nregion = "china"'), encoding="utf-8")
    days.write_text(
        "[regions.default]\n[regions.china]\n"
        'utc_offset = "-05:30"\nweekend = ["Friday"]\nholidays = [2027-01-01]\nworkdays = [2027-01-08]\n'
    )
    mine = settings.get().model_copy(update={"catalogue": catalogue, "working_days": days})
    monkeypatch.setattr(settings, "_installed", mine)
    assert region("CFCA") == Region(
        timezone(-timedelta(hours=5, minutes=30)),
        frozenset({4}),
        frozenset({date(2027, 1, 1)}),
        frozenset({date(2027, 1, 8)}),
    )
    assert region("GEOTRUST") == region("no brand") == Region()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[regions.default]\nweekend = ['Sun']", "'Sun' is no day of the week"),
        ("[regions.default]\nutc_offset = '8'", "line 2, key regions.default.utc_offset"),
        ("[regions.china]", "the region default is needed"),
        (
            "[regions.default]\nweekend = ['Monday','Tuesday','Wednesday','Thursday','Friday',"
            "'Saturday','Sunday']",
            "needs a working day",
        ),
        ("[regions\nx = 1\n", "line 1"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path, text, sentence):
    path = tmp_path / "days.toml"
    path.write_text(text)
    with pytest.raises(CatalogueRefused) as refused:
        load_working_days(path)
    assert sentence in refused.value.message
    assert "CERTDESK_WORKING_DAYS" in refused.value.next_step


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CatalogueRefused, match="cannot be read"):
        queries.load_working_days(tmp_path / "none.toml")
