"""When a certificate is replaced: by its lifetime, spread by its id, or by the issuer's advice."""

from datetime import UTC, datetime, timedelta

import pytest

from certdesk.foundation.common.errors import CertdeskError, Forbidden, Kind, WrongState
from certdesk.lifecycle.renewal import causes, rules, schedule
from certdesk.lifecycle.renewal.causes import Blocker, Cause
from certdesk.lifecycle.renewal.schedule import Window

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
START = datetime(2027, 1, 1, tzinfo=UTC)
ID = "scs1600313391074"


def ends(days: int) -> datetime:
    return START + days * DAY - SECOND


@pytest.mark.parametrize(
    ("days", "left"),
    [(200, 200 / 3), (100, 100 / 3), (47, 47 / 3), (10, 10 / 3), (9, 4.5), (7, 3.5)],
)
def test_a_third_of_the_lifetime_is_left_or_a_half_of_a_short_one(days: int, left: float) -> None:
    # rule: REN-8
    at = schedule.rollover_at(ID, START, ends(days))
    spread = min(timedelta(hours=12), days * DAY / 48)
    latest = ends(days) - left * DAY
    assert latest <= at < latest + spread + SECOND


def test_the_spread_is_the_same_for_an_id_and_even_over_many() -> None:
    hour = timedelta(hours=1)
    assert schedule.jitter(ID, hour) == schedule.jitter(ID, hour)
    found = [schedule.jitter(f"scs{number:013}", hour) for number in range(400)]
    assert min(found) >= timedelta(0)
    assert max(found) < hour
    early = sum(one < hour / 2 for one in found)
    assert 130 < early < 270


def test_the_issuers_advice_goes_first() -> None:
    window = Window(START + DAY, START + 2 * DAY)
    assert window.start <= schedule.rollover_at(ID, START, ends(100), window) < window.end
    backwards = Window(START + 2 * DAY, START + DAY)
    assert schedule.rollover_at(ID, START, ends(100), backwards) == backwards.start


@pytest.mark.parametrize(("days", "hours"), [(100, 12), (6, 3)])
def test_an_advice_never_replaces_what_is_hardly_issued(days: int, hours: int) -> None:
    at_once = Window(START - 2 * DAY, START - DAY, hurried=True)
    at = schedule.rollover_at(ID, START, ends(days), at_once)
    assert at == START + timedelta(hours=hours)


def test_it_is_bought_in_the_last_30_days() -> None:
    # rule: REN-7
    at = schedule.buy_at(ID, ends(365))
    assert ends(365) - 30 * DAY <= at < ends(365) - 29 * DAY


def test_pauses_grow_to_a_small_part_of_the_lifetime() -> None:
    year, week = 365 * DAY, 7 * DAY
    assert [schedule.pause(one, year) for one in (0, 1, 2)] == [timedelta(minutes=15 * n) for n in (1, 2, 4)]
    assert schedule.pause(50, year) == timedelta(hours=6)
    assert schedule.pause(50, week) == week / 48
    assert schedule.pause(50, timedelta(hours=1)) == timedelta(minutes=15)


def test_it_is_urgent_in_the_last_sixth_or_week() -> None:
    assert not schedule.urgent(ends(47) - 8 * DAY, ends(47), 47 * DAY)
    assert schedule.urgent(ends(47) - 6 * DAY, ends(47), 47 * DAY)
    assert not schedule.urgent(ends(7) - 2 * DAY, ends(7), 7 * DAY)
    assert schedule.urgent(ends(7) - DAY, ends(7), 7 * DAY)


def test_each_cause_has_a_sentence_and_a_way_out() -> None:
    assert set(causes.SENTENCES) == set(Cause)
    blocker = Blocker(Cause.BALANCE)
    assert "balance" in blocker.sentence
    assert "credited" in blocker.next_step


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Forbidden("no"), Cause.RIGHTS),
        (RuntimeError("the user is gone"), Cause.RIGHTS),
        (CertdeskError("down", kind=Kind.UNAVAILABLE), Cause.ISSUER),
        (CertdeskError("first", kind=Kind.CONFLICT), Cause.BUSY),
        (WrongState("no connection", field="auto_dns_auth"), Cause.CONNECTION),
        (WrongState("whatever"), Cause.REFUSED),
    ],
)
def test_what_a_refusal_means(error: Exception, cause: Cause) -> None:
    assert causes.of(error, Cause.REFUSED) is cause


def test_the_outlook_says_both_ends() -> None:
    # rule: REN-5
    now = datetime(2022, 11, 25, 12, tzinfo=UTC)
    old = datetime(2022, 11, 30, 11, 59, 59, tzinfo=UTC)
    found = rules.outlook(old, 12, 398, now)
    assert (found.days, found.until, found.rolls_over) == (5, old.replace(year=2023), False)
    short = rules.outlook(old, 12, 100, now)
    assert (short.first_until, short.rolls_over) == (now + 100 * DAY - SECOND, True)
    assert rules.outlook(None, 12, 398, now).days == 0


def test_an_advice_never_puts_it_off_until_it_is_too_late() -> None:
    # rule: REN-8
    never = Window(ends(100) + DAY, ends(100) + 2 * DAY)
    assert schedule.rollover_at(ID, START, ends(100), never) == ends(100) - 100 * DAY / 6
