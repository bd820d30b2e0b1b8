"""What a role of a PKI engine says, and the end of validity that marks an order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certdesk.connectors.issuers.vault import chains, rules
from certdesk.connectors.issuers.vault.rules import Role
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support import tls

NOW = datetime(2026, 11, 26, 12, 0, 0, 500_000, tzinfo=UTC)
OPEN = Role(longest=timedelta(days=90), names_end=True)
ROW: dict[str, Any] = {
    "max_ttl": 0,
    "allow_any_name": False,
    "allow_subdomains": True,
    "allow_ip_sans": False,
    "allowed_domains": ["example.test"],
    "key_type": "any",
    "key_bits": 0,
}


def test_the_end_bears_the_mark_and_lies_less_than_an_hour_before_what_may_be() -> None:
    for reference in map(str, range(50)):
        for wanted in (NOW + timedelta(days=30), NOW + timedelta(days=400)):
            end, marked = rules.end_of(wanted, OPEN, reference, NOW)
            assert marked
            assert rules.bears(end, reference)
            most = min(wanted, NOW + timedelta(days=90) - timedelta(minutes=5))
            assert timedelta(0) <= most - end <= timedelta(hours=1)
    assert len({rules.mark(str(number)) for number in range(50)}) > 40


@pytest.mark.parametrize(
    ("role", "days"),
    [(Role(), 30), (Role(longest=timedelta(days=90)), 30), (OPEN, 2), (Role(names_end=True), 30)],
)
def test_without_the_right_to_name_the_end_or_for_a_short_one_there_is_no_mark(role: Role, days: int) -> None:
    wanted = NOW + timedelta(days=days)
    assert rules.end_of(wanted, role, "x", NOW) == (wanted.replace(microsecond=0), False)
    assert rules.end_of(NOW + timedelta(days=2, seconds=1), OPEN, "x", NOW)[1]


@pytest.mark.parametrize(
    ("more", "mount", "longest", "named"),
    [
        ({}, 0, None, True),
        ({}, 86400, timedelta(days=1), True),
        ({"max_ttl": 3600}, 86400, timedelta(hours=1), True),
        ({"not_after_bound": "ttl-limited"}, 0, None, True),
        ({"not_after_bound": "forbid"}, 0, None, False),
        ({"not_after": "2030-01-01T00:00:00Z"}, 0, None, False),
    ],
)
def test_a_role_says_how_long(
    more: dict[str, Any], mount: int, longest: timedelta | None, named: bool
) -> None:
    role = rules.role_of({**ROW, **more}, mount)
    assert (role.longest, role.names_end) == (longest, named)
    assert role.capabilities.longest_days == (200 if longest is None else longest.days)
    assert (role.stores, role.issuer) == (True, "default")
    kept_nowhere = rules.role_of({**ROW, "no_store": True, "issuer_ref": "new"}, 0)
    assert (kept_nowhere.stores, kept_nowhere.issuer) == (False, "new")


@pytest.mark.parametrize(
    ("more", "domains", "wildcard"),
    [
        ({}, ("example.test",), True),
        ({"allow_subdomains": False}, ("example.test",), False),
        ({"allow_wildcard_certificates": False}, ("example.test",), False),
        ({"allowed_domains_template": True}, (), True),
        ({"allow_any_name": True}, (), True),
        ({"allowed_domains": None}, (), True),
    ],
)
def test_a_role_says_which_names(more: dict[str, Any], domains: tuple[str, ...], wildcard: bool) -> None:
    found = rules.role_of({**ROW, **more}, 0).capabilities
    assert (found.domains, found.wildcard, found.ip) == (domains, wildcard, False)


@pytest.mark.parametrize(
    ("kind", "bits", "algorithms"),
    [
        ("any", 0, set(KeyAlgorithm)),
        ("rsa", 3072, {"RSA_3072", "RSA_4096"}),
        ("ec", 0, {"EC_P256", "EC_P384"}),
        ("ec", 384, {"EC_P384"}),
        ("ed25519", 0, set()),
    ],
)
def test_a_role_says_which_keys(kind: str, bits: int, algorithms: set[str]) -> None:
    found = rules.role_of({**ROW, "key_type": kind, "key_bits": bits}, 0)
    assert found.capabilities.key_algorithms == algorithms


def test_a_chain_loses_its_root_and_knows_who_signed() -> None:
    made, other = tls.make("a.example.test"), tls.make("b.example.test")
    assert chains.load(None) == ()
    both = chains.load([made.bundle.leaf, made.bundle.chain])
    assert both == (made.leaf, made.intermediate)
    assert chains.without_root(both) == both
    assert chains.issued(made.intermediate, made.leaf)
    assert not chains.issued(made.leaf, made.leaf)
    assert not chains.issued(other.intermediate, made.leaf)
