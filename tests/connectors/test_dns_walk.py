"""The walk from the root to all authoritative servers: lab servers on 127.0.0.x, one port."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from certdesk.connectors.dns.addresses import address_resolver
from certdesk.connectors.dns.proof import Seen, SeenAnswer, check_record
from certdesk.connectors.dns.roots import Hints
from certdesk.connectors.dns.walk import parse_server
from certdesk.connectors.protocol import ConnectorError
from certdesk.lab.dns_server import LabDns

pytestmark = pytest.mark.allow_hosts(["127.0.0.0/8", "::1"])

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OWNER = "_dnsauth.example.com"
VALUE = "0123456789abcdef" * 4
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


class Internet:
    """Root 127.0.0.1, com and net on .2, example.com on .3 and .4, hoster.net on .5."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.root = stack.enter_context(LabDns("127.0.0.1", zones=["."]))
        self.port = self.root.port

        def server(number: int, *zones: str) -> LabDns:
            return stack.enter_context(LabDns(f"127.0.0.{number}", self.port, zones=zones))

        self.top = server(2, "com", "net")
        self.one, self.two = server(3, "example.com"), server(4, "example.com")
        self.hoster = server(5, "hoster.net")
        for zone in ("com", "net"):
            self.delegate(self.root, zone, f"ns.{zone}", "127.0.0.2")
        self.delegate(self.top, "example.com", "ns1.example.com", "127.0.0.3")
        self.top.set("example.com", "NS", ["ns1.example.com.", "ns2.example.com."])
        self.top.set("ns2.example.com", "A", ["127.0.0.4"])
        self.delegate(self.top, "hoster.net", "ns.hoster.net", "127.0.0.5")
        self.hoster.set("ns.hoster.net", "A", ["127.0.0.5"])

    @staticmethod
    def delegate(parent: LabDns, zone: str, server: str, address: str) -> None:
        parent.set(zone, "NS", [server + "."])
        parent.set(server, "A", [address])

    def check(self, owner: str = OWNER, networks: tuple[ipaddress.IPv4Network, ...] = LOOPBACK) -> Seen:
        return asyncio.run(
            check_record(
                owner=owner,
                record_type="TXT",
                expected=VALUE,
                resolvers=(),
                allow_networks=networks,
                now=NOW,
                hints=Hints(("127.0.0.1",), self.port),
            )
        )


@pytest.fixture
def net() -> Iterator[Internet]:
    # The root takes a free port of 127.0.0.1; that number is nearly always free on the other addresses too.
    for attempt in range(5):
        with contextlib.ExitStack() as stack:
            try:
                made = Internet(stack)
            except OSError:
                if attempt == 4:
                    raise
                continue
            yield made
            return


def test_all_authoritative_servers_are_asked(net: Internet) -> None:
    # rule: DOM-4
    net.one.set(OWNER, "TXT", [VALUE])
    net.two.set(OWNER, "TXT", [VALUE])
    seen = net.check()
    assert seen.answer is SeenAnswer.MATCH
    assert sorted(server.server for server in seen.servers) == [
        f"ns1.example.com (127.0.0.3:{net.port})",
        f"ns2.example.com (127.0.0.4:{net.port})",
    ]


def test_a_server_that_has_it_not_yet_is_named(net: Internet) -> None:
    net.one.set(OWNER, "TXT", [VALUE])
    seen = net.check()
    assert seen.answer is SeenAnswer.NO_RECORD
    assert "Server ns2.example.com" in seen.cause
    assert seen.sentence.startswith("1 of 2 servers")


def test_a_dead_server_does_not_count_against_the_record(net: Internet) -> None:
    net.one.set(OWNER, "TXT", [VALUE])
    net.two.misbehave("*", "REFUSED")
    assert net.check().answer is SeenAnswer.MATCH


def test_a_cname_leads_to_another_zone_s_own_servers(net: Internet) -> None:
    for server in (net.one, net.two):
        server.set(OWNER, "CNAME", ["proof.hoster.net."])
    net.hoster.set("proof.hoster.net", "TXT", [VALUE])
    seen = net.check()
    assert seen.answer is SeenAnswer.MATCH
    assert [server.server for server in seen.servers] == [f"ns.hoster.net (127.0.0.5:{net.port})"]


def test_name_servers_in_another_zone_are_looked_up(net: Internet) -> None:
    net.top.set("other.com", "NS", ["ns.hoster.net."])
    net.hoster.add_zone("other.com")
    net.hoster.set("_dnsauth.other.com", "TXT", [VALUE])
    assert net.check("_dnsauth.other.com").answer is SeenAnswer.MATCH


def test_a_deeper_zone_on_the_same_server_is_found(net: Internet) -> None:
    """The parent's server also holds the child, so no referral is ever seen."""
    net.one.add_zone("sub.example.com")
    net.two.set("sub.example.com", "NS", ["ns1.example.com."])
    net.one.set("sub.example.com", "NS", ["ns1.example.com."])
    for server in (net.one, net.two):
        server.set("ns1.example.com", "A", ["127.0.0.3"])
    net.one.set("_dnsauth.sub.example.com", "TXT", [VALUE])
    seen = net.check("_dnsauth.sub.example.com")
    assert seen.answer is SeenAnswer.MATCH
    assert len(seen.servers) == 1


def test_authoritative_servers_at_private_addresses_are_refused(net: Internet) -> None:
    net.one.set(OWNER, "TXT", [VALUE])
    seen = net.check(networks=())
    assert seen.answer is SeenAnswer.SERVFAIL
    assert "CERTDESK_ALLOW_NETWORKS" in seen.sentence
    assert not net.one.questions
    assert not net.top.questions


def test_a_domain_that_its_parent_does_not_know(net: Internet) -> None:
    seen = net.check("_dnsauth.nobody.com")
    assert seen.answer is SeenAnswer.NXDOMAIN
    assert "not registered" in seen.cause


def test_a_lame_delegation_and_a_delegation_loop_end(net: Internet) -> None:
    net.top.set("lame.com", "NS", ["ns.hoster.net."])
    net.top.set("ns.hoster.net", "A", ["127.0.0.5"])
    seen = net.check("_dnsauth.lame.com")
    assert seen.answer in (SeenAnswer.SERVFAIL, SeenAnswer.REFUSED)
    net.top.set("a.com", "NS", ["ns.b.net."])
    net.top.set("b.net", "NS", ["ns.a.com."])
    assert net.check("_dnsauth.a.com").answer is SeenAnswer.SERVFAIL


def test_the_root_is_asked_once_for_many_checks(net: Internet) -> None:
    for _ in range(3):
        net.check()
    assert len([name for name, _, _ in net.root.questions if name == OWNER]) == 1


@pytest.mark.parametrize(
    ("fault", "answer"),
    [("REFUSED", SeenAnswer.REFUSED), ("SERVFAIL", SeenAnswer.SERVFAIL), ("LAME", SeenAnswer.SERVFAIL)],
)
def test_the_failure_of_all_servers_is_named(net: Internet, fault: str, answer: SeenAnswer) -> None:
    for server in (net.one, net.two):
        server.misbehave("*", fault)
    seen = net.check()
    assert seen.answer is answer
    assert "example.com" in seen.sentence
    assert seen.cause


def test_one_lame_server_of_a_parent_does_not_end_the_walk(net: Internet) -> None:
    net.one.set(OWNER, "TXT", [VALUE])
    net.two.set(OWNER, "TXT", [VALUE])
    net.root.set("com", "NS", ["ns.com.", "lame.com."])
    net.root.set("lame.com", "A", ["127.0.0.5"])
    net.hoster.misbehave("*", "LAME")
    assert {net.check().answer for _ in range(6)} == {SeenAnswer.MATCH}


def test_a_host_s_addresses_are_found_the_same_way(net: Internet) -> None:
    for server in (net.one, net.two):
        server.set("www.example.com", "CNAME", ["web.hoster.net."])
    net.hoster.set("web.hoster.net", "A", ["192.0.2.7"])
    net.hoster.set("web.hoster.net", "AAAA", ["2001:db8::7"])
    resolve = address_resolver((), LOOPBACK, Hints(("127.0.0.1",), net.port))

    async def ask(host: str) -> list[str]:
        return list(await resolve(host))

    assert asyncio.run(ask("www.example.com")) == ["192.0.2.7", "2001:db8::7"]
    with pytest.raises(ConnectorError, match="NXDOMAIN"):
        asyncio.run(ask("none.example.com"))


@pytest.mark.parametrize("text", ["localhost:53", "10.0.0.1:x", "", "1.2.3.4:99999", "[::1"])
def test_a_resolver_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConnectorError):
        parse_server(text)


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("10.0.0.1:5353", "10.0.0.1", 5353),
        ("10.0.0.1", "10.0.0.1", 53),
        ("[::1]:54", "::1", 54),
        ("::1", "::1", 53),
    ],
)
def test_resolver_addresses(text: str, address: str, port: int) -> None:
    server = parse_server(text)
    assert (server.address, server.port) == (address, port)
