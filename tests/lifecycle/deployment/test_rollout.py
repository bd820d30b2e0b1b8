"""Waves, stop rules and maintenance windows as values."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.deployment import rollout, rules, windows
from certdesk.lifecycle.deployment.rollout import Rollout


@pytest.mark.parametrize(
    ("count", "plan", "waves"),
    [
        (3, Rollout(), [1, 1, 1]),
        (5, Rollout(canary=1, wave_size=2), [1, 2, 2, 3, 3]),
        (4, Rollout(canary=2), [1, 1, 2, 2]),
        (4, Rollout(wave_size=3), [1, 1, 1, 2]),
        (1, Rollout(canary=1, wave_size=5), [1]),
        (2, Rollout(canary=2, wave_size=1), [1, 2]),
        (0, Rollout(), []),
    ],
)
def test_waves_in_the_order_of_the_places(count: int, plan: Rollout, waves: list[int]) -> None:
    assert rollout.waves(count, plan) == waves


@pytest.mark.parametrize(
    ("plan", "failed", "stops"),
    [
        (Rollout(canary=1), [1], True),
        (Rollout(canary=1), [2, 2, 2], False),
        (Rollout(canary=1, stop_after=3), [2, 2], False),
        (Rollout(canary=1, stop_after=3), [2, 2, 3], True),
        (Rollout(stop_percent=20), [1], False),
        (Rollout(stop_percent=20), [1, 1], True),
        (Rollout(stop_percent=20), [], False),
        (Rollout(), [1] * 9, False),
        (Rollout(canary=10), [1], False),  # it is everything: there is nothing to hold
    ],
)
def test_when_it_stops(plan: Rollout, failed: list[int], stops: bool) -> None:
    assert bool(rollout.stops(plan, failed, 10)) is stops


@pytest.mark.parametrize("field", ["canary", "wave_size", "stop_after", "stop_percent"])
def test_numbers_out_of_range(field: str) -> None:
    most = 100 if field == "stop_percent" else rollout.MOST
    assert rollout.check(Rollout(**{field: most}))
    for wrong in (-1, most + 1):
        with pytest.raises(BadParameter) as caught:
            rollout.check(Rollout(**{field: wrong}))
        assert caught.value.field == field


def test_pauses_grow_and_stay_at_the_last() -> None:
    assert [rules.pause(failures) for failures in range(7)] == [60, 120, 300, 900, 3600, 3600, 3600]
    assert rules.pause(0, 15) == 1.0
    assert 0 <= rules.jitter("f" * 32, 900) < 900
    assert rules.jitter("0" * 32, 900) == 0


NIGHT = {"days": ["FRI", "MON"], "from": "22:00", "until": "04:00", "zone": "Asia/Shanghai"}


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """November 2026: the 2nd is a Monday. Hours of Shanghai, as UTC."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (at(2, 21, 59), at(2, 22)),
        (at(2, 22), None),
        (at(3, 3, 59), None),
        (at(3, 4), at(6, 22)),
        (at(7, 4), at(9, 22)),
        (at(9, 0), at(9, 22)),
    ],
)
def test_a_window_over_midnight(now: datetime, opens: datetime | None) -> None:
    window = windows.read(NIGHT)
    assert windows.opens(window, now) == opens


def test_a_window_of_one_day_a_week_comes_again() -> None:
    window = windows.read({"days": ["MON"], "from": "09:00", "until": "10:00", "zone": "UTC"})
    assert windows.opens(window, datetime(2026, 11, 2, 10, tzinfo=UTC)) == datetime(
        2026, 11, 9, 9, tzinfo=UTC
    )
    assert windows.opens(None, datetime(2026, 11, 2, tzinfo=UTC)) is None


def test_a_window_is_stored_as_it_is_read_and_written_in_a_line() -> None:
    window = windows.read(NIGHT)
    assert window is not None
    assert window.stored() == {**NIGHT, "days": ["MON", "FRI"]}
    line = windows.line_of(window.stored())
    assert line == "MON,FRI 22:00-04:00 Asia/Shanghai"
    assert windows.read(windows.parse(line)) == window
    assert windows.parse(" FRI-MON  09:00-10:00 UTC ")["days"] == ["FRI", "SAT", "SUN", "MON"]
    assert windows.parse("MON-WED 09:00-10:00 UTC")["days"] == ["MON", "TUE", "WED"]
    assert (windows.parse(" "), windows.read({}), windows.line_of({})) == ({}, None, "")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"days": []}, "window.days"),
        ({"days": ["MON", "XXX"]}, "window.days"),
        ({"days": "MON"}, "window.days"),
        ({"from": "25:00"}, "window.from"),
        ({"until": ""}, "window.until"),
        ({"zone": "Nowhere/Land"}, "window.zone"),
        ({"zone": "../etc/passwd"}, "window.zone"),
        ({"zone": ""}, "window.zone"),
    ],
)
def test_what_is_no_window(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadParameter) as caught:
        windows.read({**NIGHT, **change})
    assert caught.value.field == field


@pytest.mark.parametrize("line", ["sometimes", "MON 22-04", "MON-XXX 22:00-23:00 UTC"])
def test_what_is_no_line_of_a_window(line: str) -> None:
    with pytest.raises(BadParameter):
        windows.read(windows.parse(line))
