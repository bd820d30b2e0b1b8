"""Every fetcher against the same hostile places: whatever the spelling, the redirect or the DNS's answer,
nothing reaches the canary listener.

The first server is at 127.0.0.2, which is allowed; the canary listens on the same port at 127.0.0.1, which
is not.
"""

import asyncio
import contextlib
import ipaddress
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest

from certdesk.agents import perspective as agent
from certdesk.connectors.egress import is_allowed
from certdesk.connectors.http import fetch
from certdesk.connectors.protocol import ConnectorError
from certdesk.connectors.website import FileAnswer, check_file
from certdesk.lab.dns_server import LabDns
from tests.connectors.test_egress import PUBLIC, SPECIAL
from tests.connectors.test_http_gate import Server, listening, ok, redirect

pytestmark = pytest.mark.allow_hosts(["127.0.0.0/8", "::1"])

PATH, VALUE = "/.well-known/pki-validation/fileauth.txt", "0123456789abcdef" * 4
ALLOWED = (ipaddress.ip_network("127.0.0.2/32"),)
FIRST = "public.example.com"

HOSTS = [
    "127.0.0.1",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "0.0.0.0",
    "0x7f.1",
    "0x7f000001",
    "0X7F.0.0.1",
    "2130706433",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0177.1",
    "127.0.0.1.",
    "127.0.0.01",
    "017700000001",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "a@127.0.0.1",
    "public.example.com@127.0.0.1",
    "a:b@127.0.0.1",
    "inside.example.com",
    "INSIDE.example.com.",
    "mixed.example.com",
    "six.example.com",
    "alias.example.com",
    "１２７.0.0.1",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "169.254.169.254",
    "10.0.0.1",
    "[fd00::1]",
    "100.64.0.1",
    "[fe80::1%25lo]",
    "[fe80::1]",
    "256.256.256.256",
]
TAILS = ["/x", "/x?y=1", "/x#z"]
URLS = [f"http://{host}:{{port}}{tail}" for host, tail in itertools.product(HOSTS, TAILS)]
URLS += ["http://127.0.0.1:{port}\\@public.example.com/", "http:///x", "//127.0.0.1:{port}/x"]
URLS += ["///127.0.0.1:{port}/x", "file:///etc/passwd", "gopher://127.0.0.1:{port}/x"]
URLS += ["ftp://127.0.0.1:{port}/x", "dict://127.0.0.1:{port}/", "http://public.example.com:1/x"]
URLS += ["https://127.0.0.1:{port}/x", "http://127.0.0.1:{port}/\tx"]
assert len(URLS) >= 120


class Plain(Server):
    """Speaks no TLS and says so at once; a fetcher that tries https first loses no time here."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1)
        if first == b"G":
            reader._buffer[:0] = first  # type: ignore[attr-defined]
            await super().serve(reader, writer)


@contextlib.contextmanager
def names():  # type: ignore[no-untyped-def]
    """A real DNS server: names that lead inside, by A, AAAA and CNAME."""
    with LabDns() as dns:
        dns.set(FIRST, "A", ["127.0.0.2"])
        dns.set("inside.example.com", "A", ["127.0.0.1"])
        dns.set("mixed.example.com", "A", ["10.0.0.1", "127.0.0.1"])
        dns.set("six.example.com", "AAAA", ["::1", "::ffff:127.0.0.1"])
        dns.set("alias.example.com", "CNAME", ["inside.example.com."])
        yield dns


Fetcher = Callable[[str, int, LabDns], Awaitable[str]]
"""Host and port -> what came of it; the host is asked for `PATH`."""


async def by_gate(host: str, port: int, dns: LabDns) -> str:
    try:
        got = await fetch(
            f"http://{host}:{port}{PATH}",
            ports=[port],
            allow_networks=ALLOWED,
            max_bytes=4096,
            total_timeout=1.0,
            max_redirects=5,
            resolver=resolver(dns),
            verify_tls=False,
        )
    except ConnectorError as error:
        return error.message
    return f"MATCH {got.body!r}" if got.status == 200 else str(got.status)


async def by_file_look(host: str, port: int, dns: LabDns) -> str:
    seen = await check_file(
        name=host,
        path=PATH,
        expected=VALUE,
        ports=[port],
        allow_networks=ALLOWED,
        resolver=resolver(dns),
        seconds=1.0,
    )
    return f"{seen.answer} {seen.sentence}"


async def by_agent(host: str, port: int, dns: LabDns) -> str:
    address, _, dns_port = dns.server.rpartition(":")
    config = agent.Config(b"k" * 32, (address, int(dns_port)), (port,), ALLOWED)
    return " ".join(await asyncio.to_thread(agent.look_at_file, config, host, PATH, VALUE))


def resolver(dns: LabDns) -> Callable[[str], Awaitable[Sequence[str]]]:
    from certdesk.connectors.dns.addresses import address_resolver

    return address_resolver((dns.server,), ())


FETCHERS = {"gate": by_gate, "file look": by_file_look, "perspective": by_agent}


@pytest.mark.parametrize("fetcher", FETCHERS)
def test_no_redirect_reaches_the_canary(fetcher: str) -> None:
    """One server redirects to each place in turn, with each of the four statuses."""
    reached: list[str] = []

    async def scene(dns: LabDns) -> None:
        canary = Server(lambda _: ok(VALUE.encode()))
        target = [""]
        first = Plain(lambda _: redirect(target[0], status))
        async with listening(canary.serve) as port, listening(first.serve, None, "127.0.0.2", port):
            for index, url in enumerate(URLS):
                status = (301, 302, 307, 308)[index % 4]
                target[0] = url.format(port=port).encode("utf-8").decode("latin-1", "ignore")
                told = await FETCHERS[fetcher](FIRST, port, dns)
                if canary.hits or "MATCH" in told:
                    reached.append(f"{url}: {told}")
                    canary.hits = 0
            assert first.hits >= len(URLS)

    with names() as dns:
        asyncio.run(scene(dns))
    assert reached == []


@pytest.mark.parametrize("fetcher", FETCHERS)
@pytest.mark.parametrize(
    "host", ["inside.example.com", "mixed.example.com", "six.example.com", "alias.example.com", "localhost"]
)
def test_a_name_that_leads_inside_is_not_asked(fetcher: str, host: str) -> None:
    async def scene(dns: LabDns) -> None:
        canary = Server(lambda _: ok(VALUE.encode()))
        async with listening(canary.serve) as port:
            told = await FETCHERS[fetcher](host, port, dns)
            assert (canary.hits, "MATCH" in told) == (0, False), told

    with names() as dns:
        asyncio.run(scene(dns))


BAD = {
    "endless": b"HTTP/1.1 200 OK\r\n\r\n" + VALUE.encode() + b"x" * 200_000,
    "huge header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "silent": None,
    "long, the value in front": ok(VALUE.encode() + b" " * 5000),
}


@pytest.mark.parametrize("fetcher", FETCHERS)
@pytest.mark.parametrize("name", BAD)
def test_slow_huge_and_broken_answers_end_and_prove_nothing(
    fetcher: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "LOOK_SECONDS", 1.0)

    async def scene(dns: LabDns) -> None:
        async with listening(Plain(lambda _: BAD[name]).serve, None, "127.0.0.2") as port:
            began = time.monotonic()
            told = await FETCHERS[fetcher](FIRST, port, dns)
            assert "MATCH" not in told
            assert time.monotonic() - began < 5

    with names() as dns:
        asyncio.run(scene(dns))


@pytest.mark.parametrize("fetcher", FETCHERS)
def test_a_body_that_drips_ends_at_the_deadline(fetcher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "LOOK_SECONDS", 1.0)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1) != b"G":
            return
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.05)

    async def scene(dns: LabDns) -> None:
        async with listening(drip, None, "127.0.0.2") as port:
            began = time.monotonic()
            assert "MATCH" not in await FETCHERS[fetcher](FIRST, port, dns)
            assert time.monotonic() - began < 5

    with names() as dns:
        asyncio.run(scene(dns))


def test_good_places_are_reached_by_each() -> None:
    async def scene(dns: LabDns) -> None:
        good = Plain(lambda path: ok(VALUE.encode()) if path == PATH else redirect(PATH))
        async with listening(good.serve, None, "127.0.0.2") as port:
            for fetcher in FETCHERS.values():
                assert "MATCH" in await fetcher(FIRST, port, dns)

    with names() as dns:
        asyncio.run(scene(dns))


@pytest.mark.parametrize("address", [*SPECIAL, *PUBLIC, "fe80::1%eth0", "0x7f.1", "127.1", ""])
def test_the_agent_has_the_same_list_as_the_gate(address: str) -> None:
    assert agent.is_allowed(address, ()) is is_allowed(address, ())
    everywhere = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    assert agent.is_allowed(address, everywhere) is is_allowed(address, everywhere)


def test_no_port_is_no_answer() -> None:
    async def nothing(_: str) -> Sequence[str]:
        return []

    seen = asyncio.run(
        check_file(name="a.example", path=PATH, expected=VALUE, ports=(), allow_networks=(), resolver=nothing)
    )
    assert seen.answer is FileAnswer.NO_ANSWER
