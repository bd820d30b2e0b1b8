"""Pure rules of hosts, both sides of each limit."""

from datetime import UTC, datetime, timedelta

import pytest

from certdesk.lifecycle.hosts import rules
from certdesk.lifecycle.hosts.rules import Candidate, Standing

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("seen", "expires", "standing"),
    [
        (None, NOW + SECOND, Standing.WAITING),
        (None, NOW, Standing.EXPIRED),
        (NOW - rules.SILENT_AFTER + SECOND, NOW, Standing.ACTIVE),
        (NOW - rules.SILENT_AFTER, NOW, Standing.SILENT),
    ],
)
def test_standing(seen: datetime | None, expires: datetime, standing: Standing) -> None:
    assert rules.standing(seen, expires, NOW) is standing


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 30), (2, 60), (6, 960), (7, 1800), (99, 1800)])
def test_pauses_double_up_to_half_an_hour(attempts: int, seconds: int) -> None:
    assert rules.pause(attempts) == timedelta(seconds=seconds)
    assert rules.pause(attempts, 15.0) == timedelta(seconds=seconds / 60)


def test_the_newest_that_covers_every_name() -> None:
    old = Candidate(1, ("a.example.com", "b.example.com"), NOW)
    wild = Candidate(2, ("*.example.com",), NOW + SECOND)
    single = Candidate(3, ("a.example.com",), NOW + 2 * SECOND)
    every = [old, wild, single]
    assert rules.chosen(every, ["a.example.com"]) is single
    assert rules.chosen(every, ["a.example.com", "b.example.com"]) is wild
    assert rules.chosen(every, ["a.example.org"]) is None
    assert rules.chosen([old, Candidate(9, old.names, NOW)], ["a.example.com"]) == Candidate(
        9, old.names, NOW
    )


@pytest.mark.parametrize(
    ("served", "before", "policy", "next_at", "due"),
    [
        (True, False, "MEND", None, False),
        (False, False, "REPORT", None, True),
        (False, True, "REPORT", None, False),
        (False, True, "MEND", None, True),
        (False, False, "REPORT", NOW, True),
        (False, False, "REPORT", NOW + SECOND, False),
    ],
)
def test_when_work_is_due(
    served: bool, before: bool, policy: str, next_at: datetime | None, due: bool
) -> None:
    found = rules.is_due(served=served, deployed_before=before, policy=policy, next_at=next_at, now=NOW)
    assert found is due
