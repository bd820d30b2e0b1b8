"""Requests that run together write together: one leads, each gets its own outcome, nobody waits for ever."""

import threading
from collections.abc import Sequence

import pytest

from certdesk.foundation.common import together
from certdesk.foundation.common.baton import Baton, baton
from certdesk.foundation.common.together import Together
from tests.support.threads import crowd


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody loses patience on a slow machine."""
    monkeypatch.setattr(together, "PATIENCE", 60.0)


@pytest.mark.usefixtures("patient")
def test_what_waits_is_done_by_the_last_for_all() -> None:
    runs: list[list[int]] = []

    def work(items: Sequence[int]) -> list[int]:
        runs.append(list(items))
        return [item * 2 for item in items]

    double = Together(work, most=16)
    assert crowd(*(lambda item=item: double(item, "key") for item in range(6))) == [0, 2, 4, 6, 8, 10]
    assert [sorted(run) for run in runs] == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.usefixtures("patient")
def test_a_run_has_its_limit_and_one_key() -> None:
    runs: list[list[int]] = []

    def work(items: Sequence[int]) -> list[int]:
        runs.append(list(items))
        return list(items)

    keep = Together(work, most=2)
    assert crowd(*(lambda item=item: keep(item, item % 2) for item in range(6))) == [0, 1, 2, 3, 4, 5]
    assert all(len(run) <= 2 and len({item % 2 for item in run}) == 1 for run in runs)
    assert sorted(item for run in runs for item in run) == [0, 1, 2, 3, 4, 5]


@pytest.mark.usefixtures("patient")
def test_what_the_work_raises_reaches_every_owner() -> None:
    def work(items: Sequence[int]) -> list[int]:
        raise ValueError(f"{len(items)} failed")

    fail = Together(work, most=16)
    assert crowd(*(lambda item=item: fail(item, "key") for item in range(3))) == ["3 failed"] * 3


def test_nobody_waits_long_for_company_that_does_not_come() -> None:
    here, go_on = threading.Event(), threading.Event()
    runs: list[list[str]] = []

    def work(items: Sequence[str]) -> list[str]:
        runs.append(list(items))
        return list(items)

    keep = Together(work, most=16)

    def busy() -> str:
        here.set()
        go_on.wait(30)
        return "busy"

    def lone() -> str:
        return keep("lone", "key")

    def after() -> str:
        go_on.set()
        return "after"

    # `lone` steps aside for `busy`, which never comes to the meeting point.
    threading.Thread(target=lambda: here.wait(30) and go_on.set(), daemon=True).start()
    assert crowd(lone, busy, after) == ["lone", "busy", "after"]
    assert runs == [["lone"]]


def test_outside_a_web_process_each_call_is_served_at_once() -> None:
    runs: list[list[int]] = []

    def work(items: Sequence[int]) -> list[int]:
        runs.append(list(items))
        return list(items)

    keep = Together(work, most=16)
    assert [keep(1, "key"), keep(2, "key")] == [1, 2]
    assert runs == [[1], [2]]


def test_a_leader_without_the_baton_calls_those_who_stepped_aside(patient: None) -> None:
    """A thread beside the web's own, e.g. of a test, meets one that has stepped aside for another."""
    waiting = threading.Event()
    runs: list[list[str]] = []

    def work(items: Sequence[str]) -> list[str]:
        runs.append(sorted(items))
        return list(items)

    keep = Together(work, most=16)
    outsider: list[str] = []

    def lone() -> str:
        return keep("lone", "key")

    def second() -> str:
        thread = threading.Thread(target=lambda: outsider.append(keep("outsider", "key")))
        thread.start()
        thread.join(30)
        waiting.set()
        return "second"

    assert crowd(lone, second) == ["lone", "second"]
    assert outsider == ["outsider"]
    assert runs == [["lone", "outsider"]]


def test_the_baton_goes_round_in_the_order_of_asking() -> None:
    ran: list[int] = []
    assert crowd(*(lambda place=place: ran.append(place) for place in range(8))) == [None] * 8
    assert ran == list(range(8))


def test_only_its_holder_has_it() -> None:
    mine = Baton()
    assert not mine.held
    with mine:
        assert mine.held
        assert not mine.is_wanted
    assert not mine.held


def test_who_never_stepped_aside_is_not_handed_the_baton() -> None:
    """A thread without the baton comes while one with it works; the baton must not get lost in its gate."""
    runs: list[list[str]] = []
    outsiders: list[threading.Thread] = []

    def work(items: Sequence[str]) -> list[str]:
        runs.append(list(items))
        if items == ["web"]:
            outsiders.append(threading.Thread(target=keep, args=("outsider", "other key")))
            outsiders[0].start()
            while not keep._waiting:
                outsiders[0].join(0.001)
        return list(items)

    keep = Together(work, most=16)
    assert crowd(lambda: keep("web", "key")) == ["web"]
    outsiders[0].join(30)
    assert runs == [["web"], ["outsider"]]
    assert not baton.is_wanted
    assert crowd(lambda: "after") == ["after"]
