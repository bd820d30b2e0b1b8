"""What is to be done next at a CA outside, and when: each branch of the pure rules."""

from dataclasses import dataclass
from typing import Any

import pytest

from certdesk.connectors.issuers.protocol import Task
from certdesk.lifecycle.issuance import outside_rules as rules
from certdesk.lifecycle.issuance.outside_rules import Duty, Kept


@dataclass
class Row:
    unfinished: bool = True
    leaving: bool = False
    asking: bool = False
    lost: bool = False
    handle: str = ""
    brought: Any = None
    unwanted: Any = None


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (Row(unfinished=False, handle="x"), Duty.NOTHING),
        (Row(), Duty.PLACE),
        (Row(handle="x"), Duty.CARRY_ON),
        (Row(handle="x", brought=b""), Duty.BRING),
        (Row(leaving=True), Duty.NOTHING),
        (Row(leaving=True, asking=True), Duty.FIND),
        (Row(leaving=True, lost=True), Duty.FIND),
        (Row(leaving=True, handle="x"), Duty.WITHDRAW),
        (Row(leaving=True, handle="x", unwanted=b"der"), Duty.DISOWN),
    ],
)
def test_the_next_duty(row: Row, wanted: Duty) -> None:
    assert rules.duty(row) is wanted


@pytest.mark.parametrize(
    ("asked", "quiet", "seconds"),
    [(None, 0, 5), (None, 1, 10), (None, 99, 900), (0, 0, 1), (30, 9, 30), (10**9, 0, 86_400)],
)
def test_pauses_grow_and_the_ca_is_never_asked_sooner_than_it_wants(
    asked: int | None, quiet: int, seconds: float
) -> None:
    assert rules.pause(asked, quiet) == seconds


@pytest.mark.parametrize(
    ("asked", "failures", "seconds"),
    [
        (None, 0, 10),
        (None, 1, 10),
        (None, 2, 20),
        (None, 99, 3600),
        (50, 1, 50),
        (5, 1, 10),
        (10**9, 1, 86_400),
    ],
)
def test_failures_wait_longer_each_time(asked: int | None, failures: int, seconds: float) -> None:
    assert rules.pause_after_failure(asked, failures) == seconds


def dns(name: str = "a.example", **more: Any) -> Kept:
    return Kept(f"d-{name}", name, "dns-01", f"_acme-challenge.{name}", "v", "TXT", **more)


def test_a_task_keeps_what_was_known_of_it_until_its_value_changes() -> None:
    told = Task("d-a.example", "a.example", "dns-01", "_acme-challenge.a.example", "v", "TXT", words="seen")
    (same,) = rules.merged([dns(ready=True, told=True, by="automatic")], [told])
    assert (same.ready, same.told, same.by, same.words) == (True, True, "automatic", "seen")
    (other,) = rules.merged([dns(ready=True)], [Task(told.id, told.name, "dns-01", told.where, "w", "TXT")])
    assert (other.ready, other.by) == (False, "hand")
    (mail,) = rules.merged([], [Task("m", "a.example", "email", "admin@a.example", "")])
    assert mail.by == "words"
    assert rules.kept(rules.rows_of([same, mail])) == (same, mail)


def test_one_method_is_enough_for_a_name() -> None:
    http = Kept("h", "a.example", "http-01", "http://a.example/x", "v", done=True)
    assert rules.open_names([dns(), http, dns("b.example")]) == ("b.example",)
    assert rules.to_look_at([dns(), http, dns("b.example"), dns("b.example", ready=True)]) == (
        dns("b.example"),
    )


def test_what_stands_is_told_once_and_again_when_the_ca_does_not_move() -> None:
    ready, told = dns(ready=True), dns("b.example", ready=True, told=True)
    mail = Kept("m", "c.example", "email", "admin@c.example", "", by="words")
    assert rules.to_tell([dns("z.example"), ready, told, mail], 0) == ("d-a.example", "m")
    assert rules.to_tell([ready, told, mail], 3) == ("d-a.example", "d-b.example", "m")
    twice = Kept("h", "a.example", "http-01", "u", "v", ready=True)
    assert rules.to_tell([ready, twice], 0) == ("d-a.example",)


def test_an_order_is_carried_on_where_something_is_ready_or_nothing_is_left() -> None:
    assert rules.must_proceed("TASKS", [dns()], ["d"])
    assert rules.must_proceed("TASKS", [dns(done=True)], [])
    assert not rules.must_proceed("TASKS", [dns()], [])
    assert not rules.must_proceed("WORKING", [], ["d"])


def test_who_acts_next() -> None:
    by_hand = Kept("csr", "a.example", "by-hand", "", "CSR")
    assert rules.who_acts("WORKING", [dns()]) == "CA"
    assert rules.who_acts("TASKS", [by_hand]) == "officer"
    assert rules.who_acts("TASKS", [dns()]) == "you"
    assert rules.who_acts("TASKS", [dns(by="automatic")]) == ""
    assert rules.who_acts("TASKS", [dns(ready=True)]) == ""
