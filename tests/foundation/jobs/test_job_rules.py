"""Pure rules of jobs."""

from datetime import UTC, datetime, timedelta

import pytest

from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.jobs.errors import Permanent, RetryAfter
from certdesk.foundation.jobs.rules import LONGEST_ERROR, backoff, describe, judge, next_period

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def test_the_exception_decides_what_becomes_of_the_job() -> None:
    assert judge(Permanent("no"), 1, 20, 0).delay is None
    assert judge(RetryAfter(30), 1, 20, 0).delay == 30
    assert judge(RetryAfter(-1), 1, 20, 0).delay == 0
    assert judge(OSError("reset"), 1, 20, 0.5).delay == 1.5
    assert judge(OSError("reset"), 20, 20, 0.5).delay is None
    assert judge(RetryAfter(30), 20, 20, 0).delay is None


@pytest.mark.parametrize("kind", list(Kind))
def test_a_refusal_is_tried_again_only_if_time_may_heal_it(kind: Kind) -> None:
    delay = judge(CertdeskError("Refused.", kind=kind), 1, 20, 0).delay
    assert (delay is not None) == (kind in (Kind.CONFLICT, Kind.TOO_MANY, Kind.UNAVAILABLE))


def test_a_refusal_may_say_when() -> None:
    assert judge(CertdeskError("Busy.", kind=Kind.UNAVAILABLE, retry_after=7), 1, 20, 0).delay == 7


def test_waits_grow_to_an_hour_and_are_spread() -> None:
    assert [backoff(attempt, 0) for attempt in (1, 2, 3)] == [1, 2, 4]
    assert backoff(100, 1) == 3600
    assert backoff(0, 0) == 1
    assert all(backoff(n, 0) * 2 == pytest.approx(backoff(n, 1)) for n in range(1, 30))


def test_an_error_is_one_bounded_line_without_secrets() -> None:
    error = OSError("smtp://joe:hunter2@host\r\n\x1b[31m Bearer abc.def password=hunter2 " + "x" * 2000)
    line = describe(error)
    assert line.startswith("OSError: smtp://[hidden]@host [31m Bearer [hidden] password=[hidden]")
    assert len(line) == LONGEST_ERROR
    assert "hunter2" not in line
    assert describe(ValueError("-----BEGIN PRIVATE KEY-----\nMIIE")) == "ValueError: [private key]"
    assert describe(Permanent("The name is gone.")) == "The name is gone."
    assert describe(TimeoutError()) == "TimeoutError"


def test_periods_keep_their_grid_and_skip_what_was_missed() -> None:
    hour = timedelta(hours=1)
    assert next_period(NOON, hour, NOON) == NOON + hour
    assert next_period(NOON, hour, NOON + timedelta(hours=5, minutes=1)) == NOON + timedelta(hours=6)


def test_a_clock_set_back_starts_the_grid_anew() -> None:
    hour = timedelta(hours=1)
    assert next_period(NOON + timedelta(days=2), hour, NOON) == NOON + hour
