"""A real BIND, its secondary a PowerDNS that is behind: has a value arrived, and where does it belong?"""

import asyncio
import ipaddress
import time
from collections.abc import Iterator
from dataclasses import dataclass

import dns.message
import dns.query
import dns.update
import pytest

from certdesk.connectors.dns.providers.delegation import Place, find_place
from certdesk.connectors.dns.providers.protocol import DnsError, ProofType, Reason, Zone
from certdesk.connectors.dns.roots import Hints
from certdesk.connectors.dns.visible import Visibility, Waiting, wait_until_visible
from tests.support import powerdns
from tests.support.bind import NAMED, REASON, Bind, bind
from tests.support.needs import need

pytestmark = [pytest.mark.server, pytest.mark.allow_hosts(["127.0.0.0/8"])]

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
VALUE = "0123456789abcdef" * 4
ZONES = {
    "example.test": """
@ NS ns2
ns2 A 127.0.0.2
_dnsauth.late 120 TXT "the old value"
_dnsauth.here 60 TXT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
_dnsauth.alias CNAME x.acme.test.
_dnsauth.twice CNAME one
one CNAME x.acme.test.
_dnsauth.turn CNAME turn2
turn2 CNAME _dnsauth.turn
_dnsauth.away CNAME x.elsewhere.test.
deep NS ns.deep
ns.deep A 127.0.0.1
""",
    "acme.test": "",
    "deep.example.test": "ns A 127.0.0.1",
}
CONNECTED = (Zone("example.test"), Zone("acme.test"))


@dataclass(frozen=True)
class Pair:
    primary: Bind
    copy: powerdns.PowerDnsServer

    @property
    def hints(self) -> Hints:
        return Hints(("127.0.0.1",), self.primary.port)


@pytest.fixture(scope="module")
def primary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    need(NAMED is not None, REASON)
    with bind(tmp_path_factory.mktemp("primary"), ZONES) as server:
        yield server


@pytest.fixture
def pair(primary: Bind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    need(powerdns.is_installed(), powerdns.REASON)
    with powerdns.powerdns_copy(tmp_path_factory.mktemp("copy"), primary.port, ["example.test"]) as copy:
        wait_for_copy(Pair(primary, copy), "_dnsauth.here.example.test", VALUE)
        yield Pair(primary, copy)


def change(primary: Bind, owner: str, *values: str, ttl: int = 300) -> None:
    """Replaces the TXT values at the primary; the secondary hears nothing of it."""
    update = dns.update.UpdateMessage("example.test")
    update.delete(owner, "TXT")
    for value in values:
        update.add(owner, ttl, "TXT", f'"{value}"')
    assert dns.query.tcp(update, "127.0.0.1", port=primary.port, timeout=5).rcode() == 0


def fetch_copy(copy: powerdns.PowerDnsServer) -> None:
    powerdns.fetch_copy(copy, "example.test")


class Rounds:
    """Time that passes only between rounds; `at` runs before the given round."""

    def __init__(self, pair: Pair, fetch_before: int = 0) -> None:
        self.pair, self.fetch_before, self.rounds, self.time = pair, fetch_before, 1, 0.0

    def now(self) -> float:
        return self.time

    async def pause(self, seconds: float) -> None:
        self.rounds += 1
        self.time += seconds
        if 0 < self.fetch_before <= self.rounds:
            fetch_copy(self.pair.copy)
        await asyncio.sleep(0.02)


def wait(pair: Pair, owner: str, rounds: Rounds, *, seconds: float = 40, gone: bool = False) -> Visibility:
    return asyncio.run(
        wait_until_visible(
            owner=owner,
            record_type="TXT",
            value=VALUE,
            allow_networks=LOOPBACK,
            hints=pair.hints,
            gone=gone,
            waiting=Waiting(seconds, 1.0, rounds.now, rounds.pause),
        )
    )


def test_a_value_that_all_servers_have(pair: Pair) -> None:
    seen = wait(pair, "_dnsauth.here.example.test", Rounds(pair))
    assert (seen.done, seen.rounds, len(seen.servers), seen.old_ttl) == (True, 1, 2, 0)
    assert seen.sentence.endswith("is visible at all 2 servers.")


def test_a_secondary_that_is_behind_is_waited_for(pair: Pair) -> None:
    change(pair.primary, "_dnsauth.slow", VALUE)
    seen = wait(pair, "_dnsauth.slow.example.test", Rounds(pair, fetch_before=3))
    assert seen.done, seen
    assert seen.rounds >= 3
    assert 0 < seen.old_ttl <= 5  # the zone's negative TTL, counted from when it was seen last


def test_a_secondary_that_stays_behind_is_named_with_what_is_remembered(pair: Pair) -> None:
    change(pair.primary, "_dnsauth.late", VALUE, ttl=120)
    rounds = Rounds(pair)
    seen = wait(pair, "_dnsauth.late.example.test", rounds, seconds=4)
    assert not seen.done
    assert seen.rounds == 5
    assert seen.lacking == (f"ns2.example.test ({pair.copy.server})",)
    assert seen.silent == ()
    assert [(one.has, one.values) for one in seen.servers if not one.has] == [(False, ("the old value",))]
    assert seen.old_ttl == 120
    assert "missing at ns2.example.test" in seen.sentence
    assert "up to 120 s" in seen.sentence


def wait_for_copy(pair: Pair, owner: str, value: str) -> None:
    """It may drop a request that comes while it is at the last one: after a while it is asked again."""
    query = dns.message.make_query(owner, "TXT")
    for _ in range(5):
        end = time.monotonic() + 4
        while time.monotonic() < end:
            answer = dns.query.tcp(query, pair.copy.address, port=pair.copy.port, timeout=5)
            if any(f'"{value}"' in rrset.to_text() for rrset in answer.answer):
                return
        fetch_copy(pair.copy)
    raise AssertionError(f"the secondary never got {value}")


def test_a_server_that_is_dead_is_silent_and_not_called_behind(primary: Bind) -> None:
    pair = Pair(primary, powerdns.PowerDnsServer(primary.port, 0, "127.0.0.2"))
    seen = wait(pair, "_dnsauth.here.example.test", Rounds(pair), seconds=0)
    assert not seen.done
    assert seen.lacking == ()
    assert seen.silent == (f"ns2.example.test ({pair.copy.server})",)
    assert "no answer from ns2.example.test" in seen.sentence


def test_waiting_for_a_value_to_go(pair: Pair) -> None:
    change(pair.primary, "_dnsauth.going", VALUE, ttl=60)
    fetch_copy(pair.copy)
    wait_for_copy(pair, "_dnsauth.going.example.test", VALUE)
    change(pair.primary, "_dnsauth.going")
    still = wait(pair, "_dnsauth.going.example.test", Rounds(pair), seconds=0, gone=True)
    assert (still.done, still.lacking) == (False, (f"ns2.example.test ({pair.copy.server})",))
    assert "still at ns2.example.test" in still.sentence
    seen = wait(pair, "_dnsauth.going.example.test", Rounds(pair, fetch_before=2), gone=True)
    assert seen.done
    assert "is gone from all 2 servers" in seen.sentence
    assert 0 < seen.old_ttl <= 60


def place(way: Hints | str, owner: str, record_type: ProofType = "TXT") -> Place:
    """By the walk from hints, or by asking a resolver's address."""
    resolvers = (way,) if isinstance(way, str) else ()
    hints = way if isinstance(way, Hints) else Hints(())
    return asyncio.run(
        find_place(owner, record_type, CONNECTED, resolvers=resolvers, allow_networks=LOOPBACK, hints=hints)
    )


@pytest.fixture(params=["walk", "resolver"])
def way(request: pytest.FixtureRequest, primary: Bind) -> Hints | str:
    return primary.server if request.param == "resolver" else Hints(("127.0.0.1",), primary.port)


@pytest.mark.parametrize(
    ("owner", "record_type", "zone", "name", "aliases"),
    [
        ("_dnsauth.example.test", "TXT", "example.test", "_dnsauth.example.test", ()),
        ("_DNSauth.Example.test.", "TXT", "example.test", "_dnsauth.example.test", ()),
        ("_dnsauth.alias.example.test", "TXT", "acme.test", "x.acme.test", ("_dnsauth.alias.example.test",)),
        (
            "_dnsauth.twice.example.test",
            "TXT",
            "acme.test",
            "x.acme.test",
            ("_dnsauth.twice.example.test", "one.example.test"),
        ),
        ("_dnsauth.alias.example.test", "CNAME", "example.test", "_dnsauth.alias.example.test", ()),
    ],
)
def test_the_proof_is_written_where_the_cname_leads(
    way: Hints | str, owner: str, record_type: ProofType, zone: str, name: str, aliases: tuple[str, ...]
) -> None:
    assert place(way, owner, record_type) == Place(Zone(zone), name, aliases)


@pytest.mark.parametrize(
    ("owner", "reason", "words"),
    [
        ("_dnsauth.turn.example.test", Reason.CONFLICT, "do not end"),
        ("_dnsauth.away.example.test", Reason.NO_ZONE, "reached from _dnsauth.away.example.test"),
        ("_dnsauth.unknown.test", Reason.NO_ZONE, "No connected zone"),
        ("_dnsauth.deep.example.test", Reason.DELEGATED, "deep.example.test, which example.test delegates"),
    ],
)
def test_no_place_to_write_to(way: Hints | str, owner: str, reason: Reason, words: str) -> None:
    with pytest.raises(DnsError, match=words) as caught:
        place(way, owner)
    assert caught.value.reason is reason
    assert caught.value.permanent
    assert caught.value.next_step
