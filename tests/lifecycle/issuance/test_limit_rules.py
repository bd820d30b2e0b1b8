"""What an order counts for, and when a limit is used up."""

from datetime import UTC, datetime, timedelta

import pytest

from certdesk.connectors.issuers.acme.presets import PRESETS, Limit
from certdesk.lifecycle.issuance import limit_rules as rules
from certdesk.lifecycle.issuance.limit_rules import Key

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
WEEK = 7 * 24 * 3600


def test_an_order_counts_for_each_registered_domain_its_names_and_the_account() -> None:
    found = rules.keys_of(
        ("www.example.co.uk", "*.example.co.uk", "shop.example.com", "192.0.2.1", "db.local")
    )
    assert [one.key for one in found if one.per == rules.DOMAIN] == [
        "domain:example.co.uk",
        "domain:example.com",
    ]
    assert [one.per for one in found][-2:] == [rules.NAMES, rules.ACCOUNT]
    assert rules.keys_of(("a.example", "b.example"))[-2] == rules.keys_of(("b.example", "a.example"))[-2]
    assert rules.keys_of(("a.example",))[-2] != rules.keys_of(("b.example",))[-2]


def test_failed_proofs_are_not_ours_to_count() -> None:
    limits = PRESETS["letsencrypt"].limits
    counted = rules.counting(limits, ("www.example.com",), known=False)
    assert {one.name for one in counted} == {"certificates", "duplicates", "orders"}
    again = rules.counting(limits, ("www.example.com",), known=True)
    assert {one.name for one in again} == {"duplicates"}  # a renewal, by its names


@pytest.mark.parametrize(
    ("key", "seconds", "sentence"),
    [
        (
            Key(rules.DOMAIN, "domain:example.com"),
            WEEK,
            "It issues 50 certificates in 7 days for example.com, and they are used up until"
            " 2027-01-09 03:04:05.0 UTC.",
        ),
        (
            Key(rules.NAMES, "names:x"),
            WEEK,
            "It issues 50 certificates in 7 days for exactly these names, and they are used up until"
            " 2027-01-09 03:04:05.0 UTC.",
        ),
        (
            Key(rules.ACCOUNT, "account"),
            3 * 3600,
            "It takes 50 orders in 3 hours from our account, and they are used up until"
            " 2027-01-02 06:04:05.0 UTC.",
        ),
    ],
)
def test_what_is_used_up_says_until_when(key: Key, seconds: int, sentence: str) -> None:
    limit = Limit("some", 50, seconds, key.per)  # type: ignore[arg-type]
    assert rules.used_up(limit, key, None) is None
    found = rules.used_up(limit, key, NOW)
    assert found is not None
    assert (found.reason, found.again_at) == (sentence, NOW + timedelta(seconds=seconds))
