"""Who gets an order and why; when an order may be followed by one elsewhere."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certdesk.connectors.issuers.protocol import Capabilities, IssuerError, Reason
from certdesk.lifecycle.issuers import rules
from certdesk.lifecycle.issuers.rules import Candidate, Need
from certdesk.lifecycle.issuers.states import State
from tests.support.inventory import NOW

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
ABLE = Capabilities(
    levels=frozenset({"DV", "OV"}),
    ip=True,
    most_names=3,
    key_algorithms=frozenset({"EC_P256", "RSA_2048"}),
    longest_days=90,
)
ONE = Candidate("one", "One CA", "public", ABLE)
TWO = Candidate("two", "Two CA", "public", ABLE)
NEED = Need(("www.example.com",), "DV", "EC_P256", "public")


def reason(candidate: Candidate, need: Need = NEED) -> str:
    (found,) = rules.choose([candidate], need, NOW)
    return "" if found.taken else found.reason


def able(**changes: object) -> Candidate:
    return replace(ONE, capabilities=replace(ABLE, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("candidate", "need", "said"),
    [
        (ONE, NEED, ""),
        (replace(ONE, configured=False), NEED, "It is not set up."),
        (replace(ONE, enabled=False), NEED, "It is switched off."),
        (
            replace(ONE, profile="private"),
            NEED,
            "Its certificates are private, and this product is trusted by the public.",
        ),
        (replace(ONE, profile="private"), replace(NEED, trust="private"), ""),
        (ONE, replace(NEED, trust="private"), ""),  # more trust than is wanted
        (ONE, replace(NEED, level="OV"), ""),
        (ONE, replace(NEED, level="EV"), "It issues no EV certificates."),
        (ONE, replace(NEED, names=("*.example.com",)), ""),
        (
            able(wildcard=False),
            replace(NEED, names=("example.com", "*.example.com")),
            "It issues nothing for wildcard names.",
        ),
        (able(wildcard=False), NEED, ""),
        (ONE, replace(NEED, names=("192.0.2.1", "2001:db8::1")), ""),
        (able(ip=False), replace(NEED, names=("192.0.2.1",)), "It issues nothing for IP addresses."),
        (able(ip=False), replace(NEED, names=("2001:db8::1",)), "It issues nothing for IP addresses."),
        (able(ip=False), replace(NEED, names=("1.2.3.example",)), ""),
        (
            able(domains=("inside.test", "lab.test")),
            replace(NEED, names=("*.inside.test", "www.outinside.test")),
            "It issues for names of inside.test, lab.test alone, and www.outinside.test is none of them.",
        ),
        (
            able(domains=("Inside.test",)),
            replace(NEED, names=("inside.test", "*.a.inside.test", "10.0.0.1")),
            "",
        ),
        (ONE, replace(NEED, names=("a.example", "b.example", "c.example")), ""),
        (
            ONE,
            replace(NEED, names=("a.example", "b.example", "c.example", "d.example")),
            "It takes at most 3 names, and 4 are wanted.",
        ),
        (ONE, replace(NEED, key_algorithm="EC_P384"), "It takes no keys of the kind EC_P384."),
        (able(key_algorithms=frozenset()), replace(NEED, key_algorithm="EC_P384"), ""),
        (replace(ONE, state=State.DEGRADED), NEED, ""),
        (replace(ONE, state=State.UNKNOWN), NEED, ""),
        (replace(ONE, state=State.DOWN), NEED, "It is down."),
        (
            replace(ONE, state=State.DOWN, since=NOW),
            NEED,
            f"It is down since {NOW:%Y-%m-%d %H:%M:%S}.0 UTC.",
        ),
        (replace(ONE, retry_at=NOW), NEED, ""),
        (
            replace(ONE, retry_at=NOW + SECOND),
            NEED,
            f"It takes no orders until {NOW + SECOND:%Y-%m-%d %H:%M:%S}.0 UTC.",
        ),
        (replace(ONE, weekly_limit=50, used=49), NEED, ""),
        (replace(ONE, used=49), NEED, ""),  # no limit is known
        (
            replace(ONE, weekly_limit=50, used=50, free_at=NOW + HOUR),
            NEED,
            f"Its 50 orders a week are used up until {NOW + HOUR:%Y-%m-%d %H:%M:%S}.0 UTC.",
        ),
    ],
)
def test_each_reason_for_and_against_a_candidate(candidate: Candidate, need: Need, said: str) -> None:
    assert reason(candidate, need) == said


def test_the_first_able_one_gets_the_order_and_all_are_told_of() -> None:
    found = rules.choose([ONE, TWO], NEED, NOW)
    assert [(one.slug, one.taken) for one in found] == [("one", True), ("two", True)]
    assert rules.taken(found) == "one"
    assert rules.because(found) == "One CA takes the order: it is the first of the issuers."
    assert rules.again_at(found) is None
    down = replace(ONE, state=State.DOWN)
    found = rules.choose([down, TWO], NEED, NOW)
    assert rules.taken(found) == "two"
    assert rules.because(found) == "Two CA takes the order. Passed over: One CA: It is down."


def test_a_public_product_never_falls_to_a_private_issuer() -> None:
    private = replace(TWO, profile="private")
    found = rules.choose([replace(ONE, state=State.DOWN), private], NEED, NOW)
    assert rules.taken(found) == ""
    assert rules.because(found).startswith("No issuer takes the order now. One CA: It is down.")
    assert rules.again_at(found) == NOW + rules.LOOK_AGAIN


def test_the_caller_rules_out_with_its_own_sentence() -> None:
    found = rules.choose([ONE, TWO], NEED, NOW, {"one": "CAA of example.com does not permit it."})
    assert rules.taken(found) == "two"
    assert "One CA: CAA of example.com does not permit it." in rules.because(found)
    nobody = rules.choose([ONE], NEED, NOW, {"one": "CAA of example.com does not permit it."})
    assert rules.again_at(nobody) is None  # time changes nothing


def test_nobody_is_there_at_all() -> None:
    assert rules.because(()) == "No issuer is configured for this product."
    assert rules.taken(()) == ""


def test_it_is_asked_again_when_the_first_of_them_is_free() -> None:
    soon = replace(ONE, retry_at=NOW + HOUR)
    later = replace(TWO, state=State.DOWN, retry_at=NOW + 2 * HOUR)
    assert rules.again_at(rules.choose([soon, later], NEED, NOW)) == NOW + HOUR
    spent = replace(ONE, weekly_limit=1, used=1)
    assert rules.again_at(rules.choose([spent], NEED, NOW)) == NOW + rules.LOOK_AGAIN


def test_a_reason_is_never_longer_than_its_column() -> None:
    many = [replace(ONE, slug=f"s{number}", title="x" * 60, enabled=False) for number in range(10)]
    assert len(rules.because(rules.choose(many, NEED, NOW))) == 500
    assert len(rules.because(rules.choose([*many, ONE], NEED, NOW))) == 500


# rule: ISS-4
@pytest.mark.parametrize(
    ("reason", "first", "again"),
    [
        (Reason.REFUSED, True, True),
        (Reason.NOT_THERE, True, True),
        (Reason.OPTIONS, True, False),  # the one that was lost may be there all the same
        (Reason.NOT_ALLOWED, True, False),
        (Reason.CREDENTIALS, True, False),
        (Reason.RATE_LIMITED, True, False),
        (Reason.TIMEOUT, False, False),
        (Reason.BUSY, False, False),
        (Reason.UNREACHABLE, False, False),
        (Reason.BAD_ANSWER, False, False),
    ],
)
def test_after_a_failed_call_another_may_have_it_only_when_nothing_can_be_there(
    reason: Reason, first: bool, again: bool
) -> None:
    error = IssuerError(reason, "No.")
    assert rules.surely_not_live(error, asked_before=False) is first
    assert rules.surely_not_live(error, asked_before=True) is again
    assert rules.surely_not_live(error, asked_before=True, harmless=True)


def test_what_was_never_sent_is_nowhere() -> None:
    error = IssuerError(Reason.UNREACHABLE, "No connection.", sent=False)
    assert rules.surely_not_live(error, asked_before=False)
    assert not rules.surely_not_live(error, asked_before=True)


def test_the_built_in_ca_is_known_under_its_other_profiles() -> None:
    assert rules.is_built_in("builtin")
    assert rules.is_built_in("builtin-public")
    assert not rules.is_built_in("builtins")
    assert not rules.is_built_in("acme")
