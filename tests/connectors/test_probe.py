"""The TLS client that says what is really served: each verdict, each limit, the egress gate."""

import asyncio
import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from certdesk.connectors import handshake, probe, starttls
from certdesk.connectors.probe import Expected, Seen, Served, Verdict
from certdesk.connectors.protocol import ConnectorError
from certdesk.lab.background import LoopThread
from tests.support import tls

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
NAME = "www.example.test"
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.read()
    finally:
        writer.transport.abort()


@contextmanager
def listening(context: ssl.SSLContext | None, handle: Handle = _idle) -> Iterator[int]:
    loop = LoopThread("probed").start()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)

    server = loop.call(start())
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.loop.call_soon_threadsafe(server.close)
        loop.stop()


@contextmanager
def serving(folder: Path, *pems: str) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for number, pem in enumerate(pems):
        file = folder / f"{number}.pem"
        file.write_text(pem, encoding="ascii")
        context.load_cert_chain(file)
    with listening(context) as port:
        yield port


def look(port: int, expected: Expected, name: str = NAME, **more: object) -> tuple[Seen, ...]:
    found = probe.look("127.0.0.1", port, name, expected, **{"allow_networks": LOOPBACK, **more})  # type: ignore[arg-type]
    return asyncio.run(found)


def one(port: int, expected: Expected, name: str = NAME, **more: object) -> Seen:
    (seen,) = look(port, expected, name, **more)
    return seen


def test_each_certificate_has_its_verdict(tmp_path: Path) -> None:
    made = tls.make(NAME, "*.shop.example.test")
    with serving(tmp_path, made.bundle.whole) as port:
        seen = one(port, Expected(made.sha256, chain=made.chain))
        assert (seen.verdict, seen.fingerprint) == (Verdict.NEW, made.sha256)
        assert seen.address == f"127.0.0.1:{port}"
        below = one(port, Expected(made.sha256), "*.shop.example.test")
        assert (below.verdict, below.name) == (Verdict.NEW, "certdesk-check.shop.example.test")
        assert one(port, Expected("0", made.sha256)).verdict is Verdict.PREVIOUS
        assert one(port, Expected("0", ours=frozenset({made.sha256}))).verdict is Verdict.OURS
        unknown = one(port, Expected("0"))
        assert unknown.verdict is Verdict.UNKNOWN
        assert "does not know (serial" in unknown.sentence
        assert one(port, Expected(made.sha256), "other.example.test").verdict is Verdict.NAME_MISMATCH


def test_the_chain_must_be_sent(tmp_path: Path) -> None:
    made = tls.make(NAME)
    with serving(tmp_path, made.bundle.leaf + made.bundle.key) as port:
        seen = one(port, Expected(made.sha256, chain=made.chain))
        assert seen.verdict is Verdict.WRONG_CHAIN
        assert one(port, Expected(made.sha256)).verdict is Verdict.NEW


def test_of_two_key_types_the_expected_one_counts(tmp_path: Path) -> None:
    rsa, ec = tls.make(NAME, key="RSA"), tls.make(NAME)
    with serving(tmp_path, rsa.bundle.whole, ec.bundle.whole) as port:
        for made, key in ((rsa, "RSA"), (ec, "EC")):
            assert one(port, Expected(made.sha256, key=key)).verdict is Verdict.NEW
        assert one(port, Expected("0", rsa.sha256, frozenset({ec.sha256}), key="RSA")).verdict in (
            Verdict.PREVIOUS,
            Verdict.OURS,
        )


def test_who_does_not_speak_tls_refuses() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await writer.drain()
        writer.close()

    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    for handle in (plain, reset):
        with listening(None, handle) as port:
            assert one(port, Expected("0")).verdict is Verdict.REFUSED


def test_silence_and_closed_ports_are_unreachable() -> None:
    with listening(None) as port:
        seen = one(port, Expected("0"), seconds=0.2)
        assert seen.verdict is Verdict.UNREACHABLE
        assert "within 0.2 s" in seen.sentence
    closed = one(port, Expected("0"))
    assert closed.verdict is Verdict.UNREACHABLE
    assert "No connection" in closed.sentence


def test_the_gate_decides_where_it_may_look() -> None:
    async def private(_: str) -> Sequence[str]:
        return ["10.1.2.3"]

    async def nothing(_: str) -> Sequence[str]:
        return []

    async def broken(_: str) -> Sequence[str]:
        raise OSError("no such name")

    def ask(host: str, port: int, **more: object) -> Seen:
        (seen,) = asyncio.run(probe.look(host, port, NAME, Expected("0"), **more))  # type: ignore[arg-type]
        return seen

    assert "CERTDESK_ALLOW_NETWORKS" in ask("127.0.0.1", 8443).sentence
    assert "CERTDESK_ALLOW_NETWORKS" in ask("127.0.0.1", 22, allow_networks=LOOPBACK).sentence
    assert "CERTDESK_ALLOW_NETWORKS" in ask("8.8.8.8", 4000).sentence
    assert "10.1.2.3" in ask("lb.example.test", 443, resolver=private).sentence
    assert "has no address" in ask("lb.example.test", 443, resolver=nothing).sentence
    assert "no such name" in ask("lb.example.test", 443, resolver=broken).sentence
    assert "127.1" in ask("127.1", 443).sentence


def test_every_address_is_looked_at(tmp_path: Path) -> None:
    async def two(_: str) -> Sequence[str]:
        return ["127.0.0.1", "::1", "8.8.8.8"]

    made = tls.make(NAME)
    with serving(tmp_path, made.bundle.whole) as port:
        found = asyncio.run(
            probe.look(
                "lb.example.test", port, NAME, Expected(made.sha256), allow_networks=LOOPBACK, resolver=two
            )
        )
    assert [seen.verdict for seen in found] == [Verdict.NEW, Verdict.UNREACHABLE]


def test_the_systems_own_resolver_is_the_default(tmp_path: Path) -> None:
    made = tls.make(NAME)
    with serving(tmp_path, made.bundle.whole) as port:
        found = asyncio.run(
            probe.look("localhost", port, NAME, Expected(made.sha256), allow_networks=LOOPBACK)
        )
    assert Verdict.NEW in [seen.verdict for seen in found]


def test_a_public_address_is_asked_at_every_port_that_speaks_tls_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def meet(*_: object, **__: object) -> handshake.Met:
        return handshake.Met(why=handshake.Why.CLOSED)

    monkeypatch.setattr(handshake, "meet", meet)
    for port in starttls.PORTS[starttls.Protocol.TLS]:
        (seen,) = asyncio.run(probe.look("8.8.8.8", port, NAME, Expected("0")))
        assert seen.verdict is Verdict.REFUSED, port


def test_unreadable_bytes_are_told_as_such() -> None:
    verdict, sentence = probe.judge(Served(b"\x30\x00"), Expected("0"), NAME)
    assert verdict is Verdict.UNKNOWN
    assert "cannot be read" in sentence


def test_unreadable_bytes_above_the_new_certificate_are_no_chain() -> None:
    made = tls.make(NAME)
    served = Served(made.leaf, (b"\x30\x00", made.intermediate))
    verdict, sentence = probe.judge(served, Expected(made.sha256, chain=made.chain), NAME)
    assert (verdict, "wrong order" in sentence) == (Verdict.WRONG_CHAIN, True)


def test_a_port_that_does_not_exist_is_a_look_too() -> None:
    seen = one(65536, Expected("0"))
    assert (seen.verdict, "there is no port 65536" in seen.sentence) == (Verdict.UNREACHABLE, True)


def test_a_connector_error_of_the_resolver_is_a_look_too() -> None:
    async def refused(_: str) -> Sequence[str]:
        raise ConnectorError("The resolver is away.", permanent=False)

    (seen,) = asyncio.run(probe.look("lb.example.test", 443, NAME, Expected("0"), resolver=refused))
    assert (seen.verdict, seen.sentence) == (Verdict.UNREACHABLE, "The resolver is away.")
