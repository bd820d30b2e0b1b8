"""When a CA is asked when to replace a certificate, and when it hurries."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from certdesk.lifecycle.issuance import advice_rules as rules

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
START = datetime(2027, 1, 1, tzinfo=UTC)
END = START + 90 * DAY


@dataclass
class Held:
    state: str = "ISSUED"
    current_version: int = 2
    not_after: datetime | None = END


@pytest.mark.parametrize(
    ("held", "now", "wanted"),
    [
        (Held(), END - SECOND, True),
        (Held(), END, False),
        (Held(state="REISSUING"), START, True),
        (Held(state="SUPPLEMENTCHECKING"), START, True),
        (Held(state="CANCELSUPPLEMENTING"), START, True),
        (Held(state="REVOKING"), START, True),  # it may be declined
        (Held(state="REVOKED"), START, False),
        (Held(current_version=3), START, False),
        (Held(not_after=None), START, False),
    ],
)
def test_only_what_is_in_force_is_asked_for(held: Held, now: datetime, wanted: bool) -> None:
    assert rules.is_asked_for(held, 2, now) is wanted


def test_the_ca_says_when_it_is_asked_again_within_limits() -> None:
    asked = [rules.pause(one) for one in (None, 0, 59, 61, 86_400, 86_401)]
    assert asked == [21_600, 60, 60, 61, 86_400, 86_400]


def test_after_a_failure_it_is_asked_sooner_where_time_may_heal_it() -> None:
    grown = [rules.pause_after_failure(one, None, lasts=False) for one in (1, 2, 3, 30)]
    assert grown == [60, 120, 240, 21_600]
    assert rules.pause_after_failure(1, 600, lasts=False) == 600
    assert rules.pause_after_failure(1, 10**6, lasts=False) == 86_400
    assert rules.pause_after_failure(1, None, lasts=True) == 21_600


@pytest.mark.parametrize(
    ("start", "first", "hurried"),
    [
        (58 * DAY, 58 * DAY, False),
        (30 * DAY, 30 * DAY, False),
        (30 * DAY - SECOND, 30 * DAY - SECOND, True),  # in its first third already when it was told first
        (58 * DAY - 90 * DAY / 48, 58 * DAY, False),
        (58 * DAY - 90 * DAY / 48 - SECOND, 58 * DAY, True),
        (60 * DAY, 58 * DAY, False),
    ],
)
def test_the_ca_hurries_where_its_window_moved_or_is_early(
    start: timedelta, first: timedelta, hurried: bool
) -> None:
    assert rules.is_hurried(START + start, START + first, START, END) is hurried
