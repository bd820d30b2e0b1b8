"""The evaluator against an oracle of its own, and the comparison of rights against the evaluator."""

import os
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certdesk.foundation.iam import reach_rules, rules, throttle_rules
from certdesk.foundation.iam.principal import PolicyGrant, Principal, Resource, Via
from certdesk.foundation.iam.rules import Asker
from certdesk.foundation.iam.throttle_rules import Tries

SETS = 20_000 if os.environ.get("CERTDESK_SIZE") == "full" else 2_000
KNOWN = [
    f"{service}:{kind}:{verb}" for service in ("scm", "bss") for kind in ("cert", "csr") for verb in "abc"
]
KNOWN += ["scm:cert:subscribe", "scm:cert:apply"]
PATTERNS = [
    *KNOWN,
    "*",
    "scm:*",
    "scm:cert:*",
    "*:*:a",
    "scm:c*:b",
    "scm:cert:purchase",
    "SCM:x:y".lower(),
    "bss:*:c*",
]
RESOURCES = ["scm:*:*:cert:*", "scm:*:a1:cert:scs1", "scm:*:a2:*:*", "*:*:*:cert:scs*", "*:*:*:csr:scs1"]
WHEN = datetime(2026, 11, 30, 12, tzinfo=UTC)
CONDITIONS: list[dict[str, Any]] = [
    {"StringEquals": {"g:EnterpriseProjectId": ["p1"]}},
    {"StringNotEquals": {"scm:Owner": ["u1", "u2"]}},
    {"StringEquals": {"g:UserName": ["alice"]}},
    {"IpAddress": {"g:SourceIp": ["192.0.2.0/24", "10.0.0.1"]}},
    {"NotIpAddress": {"g:SourceIp": ["192.0.2.0/24"]}},
    {"DateLessThan": {"g:CurrentTime": ["2026-11-30T12:00:00Z"]}},
    {"DateLessThanEquals": {"g:CurrentTime": ["2026-11-30T12:00:00Z"]}},
    {"DateGreaterThan": {"g:CurrentTime": ["2026-11-30T12:00:00Z"]}},
    {"DateGreaterThanEquals": {"g:CurrentTime": ["2026-11-30T12:00:00Z"]}},
    {"Bool": {"g:MFAPresent": ["true"]}, "StringEquals": {"scm:Owner": ["u1"]}},
    {"Bool": {"g:MFAPresent": ["false"]}},
]
Held = list[tuple[dict[str, Any], str]]
"""Documents with their projects."""


# --- the oracle: knows nothing of the evaluator but the grammar ----------------------------------


def oracle(held: Held, action: str, row: Resource, asker: Asker) -> bool:
    effects = {
        one["Effect"]
        for document, project in held
        for one in document["Statement"]
        if project in ("", row.enterprise_project_id)
        and any(like(name, pattern) for pattern in one["Action"] for name in names(action))
        and ("Resource" not in one or any(inside(text, action, row) for text in one["Resource"]))
        and all(
            true(operator, key, values, row, asker)
            for operator, keys in one.get("Condition", {}).items()
            for key, values in keys.items()
        )
    }
    return effects == {"Allow"}


def names(action: str) -> list[str]:
    return [
        action,
        *(
            {"scm:cert:subscribe": ["scm:cert:purchase"], "scm:cert:apply": ["scm:cert:complete"]}.get(
                action, []
            )
        ),
    ]


def like(text: str, pattern: str) -> bool:
    """Shell-like: a * is any text."""
    if "*" not in pattern:
        return text == pattern
    head, rest = pattern.split("*", 1)
    return text.startswith(head) and any(like(text[cut:], rest) for cut in range(len(head), len(text) + 1))


def inside(pattern: str, action: str, row: Resource) -> bool:
    service, _region, account, kind, path = pattern.split(":", 4)
    wanted = [(service, action.split(":")[0]), (account, row.account_id), (kind, row.type), (path, row.id)]
    return all(like(value, one) for one, value in wanted)


def true(operator: str, key: str, values: list[str], row: Resource, asker: Asker) -> bool:
    have = {
        "g:EnterpriseProjectId": row.enterprise_project_id,
        "scm:Owner": row.owner_id,
        "g:UserName": asker.name,
        "g:MFAPresent": str(asker.mfa).lower(),
        "g:CurrentTime": asker.at.strftime("%Y-%m-%dT%H:%M:%SZ") if asker.at else "",
    }.get(key, "")
    near = asker.source.startswith("192.0.2.") or ("10.0.0.1" in values and asker.source == "10.0.0.1")
    return {
        "StringEquals": have in values,
        "Bool": have in values,
        "StringNotEquals": have not in values,
        "IpAddress": near,
        "NotIpAddress": not near,
        "DateLessThan": have < values[0],
        "DateLessThanEquals": have <= values[0],
        "DateGreaterThan": have > values[0],
        "DateGreaterThanEquals": have >= values[0],
    }[operator]


# --- random policies -----------------------------------------------------------------------------


def some_statement(dice: random.Random, *, plain: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Effect": dice.choice(["Allow", "Allow", "Deny"]),
        "Action": dice.sample(PATTERNS, dice.randint(1, 3)),
    }
    if dice.random() < 0.3:
        found["Resource"] = dice.sample(RESOURCES, dice.randint(1, 2))
    if not plain and dice.random() < 0.4:
        found["Condition"] = dice.choice(CONDITIONS)
    return found


def some_held(dice: random.Random, *, plain: bool = False) -> Held:
    return [
        (
            {
                "Version": "1.1",
                "Statement": [some_statement(dice, plain=plain) for _ in range(dice.randint(1, 3))],
            },
            dice.choice(["", "", "p1"]),
        )
        for _ in range(dice.randint(0, 4))
    ]


def read(held: Held) -> tuple[PolicyGrant, ...]:
    return tuple(
        PolicyGrant(str(place), rules.parse(one), project) for place, (one, project) in enumerate(held)
    )


def some_row(dice: random.Random) -> Resource:
    return Resource(
        dice.choice(["cert", "csr"]),
        dice.choice(["scs1", "scs12", "x"]),
        "a1",
        dice.choice(["0", "p1"]),
        dice.choice(["u1", "u3"]),
    )


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
