"""The DNS check against a real BIND 9, asked as a resolver and by the authoritative walk."""

import asyncio
import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dns.query
import dns.update
import pytest

from certdesk.connectors.dns.caa import check_caa
from certdesk.connectors.dns.proof import RecordType, Seen, SeenAnswer, check_record
from certdesk.connectors.dns.roots import Hints
from tests.support.bind import NAMED, REASON, Bind, bind
from tests.support.needs import need

pytestmark = [pytest.mark.server]

NOW = datetime(2026, 11, 23, tzinfo=UTC)
VALUE = "0123456789abcdef" * 4
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
ZONES = {
    "example.test": f"""
_dnsauth TXT "{VALUE}"
_dnsauth TXT "v=other"
_dnsauth.alias CNAME proof.hoster.test.
_dnsauth.turn CNAME turn2
turn2 CNAME _dnsauth.turn
_dnsauth.empty HINFO "a" "b"
@ CAA 0 issue "ca.example"
@ CAA 0 issuewild ";"
""",
    "hoster.test": f'proof TXT "{VALUE}"',
}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    need(NAMED is not None, REASON)
    folder: Path = tmp_path_factory.mktemp("bind")
    with bind(folder, ZONES) as server:
        yield server


@pytest.fixture(params=["resolver", "walk"])
def way(request: pytest.FixtureRequest, named: Bind) -> tuple[tuple[str, ...], Hints]:
    return (
        ((named.server,), Hints(()))
        if request.param == "resolver"
        else ((), Hints(("127.0.0.1",), named.port))
    )


def check(way: tuple[tuple[str, ...], Hints], owner: str, record_type: RecordType = "TXT") -> Seen:
    return asyncio.run(
        check_record(
            owner=owner,
            record_type=record_type,
            expected=VALUE if record_type == "TXT" else "proof.hoster.test",
            resolvers=way[0],
            allow_networks=LOOPBACK,
            now=NOW,
            hints=way[1],
        )
    )


@pytest.mark.parametrize(
    ("owner", "answer"),
    [
        ("_dnsauth.example.test", SeenAnswer.MATCH),
        ("_dnsauth.alias.example.test", SeenAnswer.MATCH),
        ("_dnsauth.turn.example.test", SeenAnswer.CNAME_LOOP),
        ("_dnsauth.empty.example.test", SeenAnswer.NO_RECORD),
        ("_dnsauth.none.example.test", SeenAnswer.NXDOMAIN),
    ],
)
def test_what_bind_answers(way: tuple[tuple[str, ...], Hints], owner: str, answer: SeenAnswer) -> None:
    assert check(way, owner).answer is answer


def test_a_zone_that_bind_does_not_hold(named: Bind) -> None:
    seen = check(((named.server,), Hints(())), "_dnsauth.elsewhere.test")
    assert seen.answer is SeenAnswer.REFUSED


def test_a_cname_of_bind_is_compared(way: tuple[tuple[str, ...], Hints]) -> None:
    assert check(way, "_dnsauth.alias.example.test", "CNAME").answer is SeenAnswer.MATCH


def test_a_record_added_by_dynamic_update_is_seen_at_once(named: Bind) -> None:
    way = ((named.server,), Hints(()))
    assert check(way, "_dnsauth.later.example.test").answer is SeenAnswer.NXDOMAIN
    update = dns.update.UpdateMessage("example.test")
    update.add("_dnsauth.later", 60, "TXT", VALUE)
    assert dns.query.tcp(update, "127.0.0.1", port=named.port, timeout=5).rcode() == 0
    assert check(way, "_dnsauth.later.example.test").answer is SeenAnswer.MATCH


@pytest.mark.parametrize(
    ("wildcard", "issuer", "permitted"),
    [(False, "ca.example", True), (False, "other.example", False), (True, "ca.example", False)],
)
def test_caa_of_bind(
    way: tuple[tuple[str, ...], Hints], wildcard: bool, issuer: str, permitted: bool
) -> None:
    result = asyncio.run(
        check_caa(
            "a.b.example.test",
            wildcard=wildcard,
            issuer_domains=[issuer],
            resolvers=way[0],
            allow_networks=LOOPBACK,
            hints=way[1],
        )
    )
    assert (result.permitted, result.retryable) == (permitted, False), result.sentence
    assert result.looked_at == ("a.b.example.test", "b.example.test", "example.test")
