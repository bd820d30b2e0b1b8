"""The evaluator against an oracle of its own, and the comparison of rights against the evaluator."""

import random
from datetime import timedelta
from typing import Any

import pytest

from certdesk.foundation.iam import reach_rules, rules, throttle_rules
from certdesk.foundation.iam.principal import PolicyGrant, Principal, Resource, Via
from certdesk.foundation.iam.rules import Asker
from certdesk.foundation.iam.throttle_rules import Tries
from tests.support.policy_oracle import KNOWN, SETS, WHEN, oracle, read, some_held, some_row


# rule: IAM-3
# rule: IAM-4
def test_no_difference_to_the_oracle() -> None:
    dice = random.Random(20261125)
    allowed = 0
    for _ in range(SETS):
        held, row, action = some_held(dice), some_row(dice), dice.choice(KNOWN)
        asker = Asker(
            "a1",
            "u1",
            dice.choice(["alice", "bob"]),
            dice.choice(["192.0.2.7", "10.0.0.1", "198.51.100.1"]),
            WHEN + timedelta(seconds=dice.choice([-1, 0, 1])),
            dice.random() < 0.5,
        )
        expected = oracle(held, action, row, asker)
        assert rules.decide(read(held), action, row, asker).allowed is expected, (held, action, row, asker)
        allowed += expected
    assert SETS / 20 < allowed < SETS * 19 / 20  # it is no test of refusals alone


# rule: IAM-4
def test_what_the_comparison_lets_pass_gives_nobody_more_than_the_giver_has() -> None:
    """Every action on every row: whoever gains a right by a change that passes, the giver has it too."""
    dice = random.Random(7)
    rows = [
        Resource(kind, id_, "a1", project, "u1")
        for kind in ("cert", "csr")
        for id_ in ("scs1", "x")
        for project in ("0", "p1")
    ]
    asker, known, passed, gains = Asker("a1", "u1", "alice"), frozenset(KNOWN), 0, 0
    for _ in range(SETS):
        held, before = read(some_held(dice, plain=True)), read(some_held(dice, plain=True))
        after = dice.choice([read(some_held(dice, plain=True)), held[:1], before[1:], (*before, *held[:1])])
        if reach_rules.excess(before, after, held, known) is not None:
            continue
        passed += 1
        for action in KNOWN:
            for row in rows:
                if rules.decide(after, action, row, asker) and not rules.decide(before, action, row, asker):
                    gains += 1
                    assert rules.decide(held, action, row, asker), (held, before, after, action, row)
    assert passed > SETS / 20
    assert gains > 20


def grant(*statements: dict[str, Any], project: str = "", name: str = "p") -> PolicyGrant:
    return PolicyGrant(name, rules.parse({"Version": "1.1", "Statement": list(statements)}), project)


def allow(*actions: str, **more: object) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), **more}


def deny(*actions: str, **more: object) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), **more}


IP, OWNER = {"IpAddress": {"g:SourceIp": ["10.0.0.0/8"]}}, {"StringEquals": {"scm:Owner": ["u1"]}}


@pytest.mark.parametrize(
    ("held", "given", "passes"),
    [
        ([allow("scm:cert:a")], [allow("scm:cert:a")], True),
        ([allow("scm:*")], [allow("scm:cert:*")], True),
        ([allow("scm:cert:*")], [allow("scm:*")], False),
        ([allow("scm:cert:*")], [allow("scm:cert:zzz")], True),
        ([allow(*(one for one in KNOWN if one.startswith("scm:csr")))], [allow("scm:csr:*")], True),
        ([allow("scm:csr:a")], [allow("scm:nothing:*")], False),
        ([allow("scm:cert:purchase")], [allow("scm:cert:subscribe")], True),
        ([allow("scm:cert:pur*")], [allow("scm:cert:subscribe")], True),
        ([allow("scm:cert:a", Condition=IP)], [allow("scm:cert:a")], False),
        ([allow("scm:cert:a", Condition=IP)], [allow("scm:cert:a", Condition={**IP, **OWNER})], True),
        ([allow("scm:cert:a", Resource=["scm:*:*:cert:scs*"])], [allow("scm:cert:a")], False),
        (
            [allow("scm:cert:a", Resource=["scm:*:*:cert:scs*"])],
            [allow("scm:cert:a", Resource=["scm:*:*:cert:scs1"])],
            True,
        ),
        (
            [allow("scm:cert:a", Resource=["scm:*:*:cert:scs1"])],
            [allow("scm:cert:a", Resource=["scm:*:*:cert:scs*"])],
            False,
        ),
        ([allow("*"), deny("scm:cert:a")], [allow("scm:cert:*")], False),
        ([allow("*"), deny("scm:cert:a")], [allow("scm:cert:*"), deny("scm:cert:a")], True),
        ([allow("*"), deny("scm:cert:a")], [allow("scm:cert:b")], True),
        (
            [allow("*"), deny("scm:cert:a", Condition=IP)],
            [allow("scm:*"), deny("scm:cert:a", Condition=IP)],
            False,
        ),
        (
            [allow("*"), deny("scm:cert:a", Condition=OWNER)],
            [allow("scm:*"), deny("scm:cert:*", Condition=OWNER)],
            True,
        ),
        ([allow("*"), deny("scm:cert:pur*")], [allow("scm:cert:sub*")], False),
        ([allow("*"), deny("*:*:b")], [allow("scm:*:a")], True),
    ],
)
# rule: IAM-4
def test_what_may_be_given(held: list[dict[str, Any]], given: list[dict[str, Any]], passes: bool) -> None:
    found = reach_rules.excess((), (grant(*given, name="given"),), (grant(*held),), frozenset(KNOWN))
    assert (found is None) is passes
    if found is not None:
        assert found.policy == "given"


# rule: IAM-6
def test_a_right_in_one_project_is_given_in_that_project_alone() -> None:
    held = (grant(allow("scm:*"), project="p1"), grant(deny("scm:cert:b"), project="p2"))
    for project, passes in (("p1", True), ("", False), ("p2", False)):
        given = (grant(allow("scm:cert:a"), project=project),)
        assert (reach_rules.excess((), given, held, frozenset(KNOWN)) is None) is passes


# --- the principal -------------------------------------------------------------------------------


def test_a_decision_that_depends_on_the_hour_is_never_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from certdesk.foundation.common import clock

    until = {"DateLessThan": {"g:CurrentTime": ["2026-11-30T12:00:00Z"]}}
    alice = Principal("a1", "u1", "alice", Via.API, grants=(grant(allow("scm:cert:a", Condition=until)),))
    for seconds, expected in ((-1, True), (0, False)):
        monkeypatch.setattr(clock, "real_now", lambda seconds=seconds: WHEN + timedelta(seconds=seconds))
        assert alice.may("scm:cert:a") is expected
        assert alice.at(source="192.0.2.1").may("scm:cert:a") is expected
    assert not rules.decide(alice.grants, "scm:cert:a")  # no moment, no right


# --- waiting after failures ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tries", "waits"),
    [
        (Tries(0, None, 0, 0, None), None),
        (Tries(4, WHEN, 0, 0, None), None),
        (Tries(5, WHEN, 0, 0, None), timedelta(minutes=5)),
        (Tries(5, WHEN - timedelta(seconds=299), 0, 0, WHEN), timedelta(seconds=1)),
        (Tries(5, WHEN - timedelta(seconds=300), 0, 0, None), None),
        (Tries(0, None, 29, 49, None), None),
        (Tries(0, None, 30, 0, None), timedelta(minutes=5)),
        (Tries(0, None, 0, 50, None), timedelta(minutes=5)),
        (Tries(0, None, 30, 50, WHEN - timedelta(days=30)), None),
        (Tries(0, None, 30, 50, WHEN - timedelta(days=30, seconds=1)), timedelta(minutes=5)),
    ],
)
def test_who_has_to_wait(tries: Tries, waits: timedelta | None) -> None:
    assert throttle_rules.wait(tries, WHEN) == waits
