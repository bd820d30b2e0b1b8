"""What a server shows in its handshake, over plain TLS and over protocols that change to it."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from certdesk.connectors import serving, starttls
from certdesk.connectors.probe import Verdict
from certdesk.connectors.protocol import EgressRefused
from certdesk.connectors.serving import Serving
from certdesk.connectors.starttls import Protocol
from tests.connectors.test_probe import LOOPBACK, listening
from tests.connectors.test_probe import serving as tls_server
from tests.support import tls

NAME = "www.example.test"
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def ask(port: int, protocol: Protocol = Protocol.TLS, name: str = NAME, seconds: float = 5) -> Serving:
    (one,) = asyncio.run(
        serving.ask("127.0.0.1", port, name, protocol, allow_networks=LOOPBACK, seconds=seconds)
    )
    return one


# What each kind of server says, line by line: (its words, what it must hear before the next).
TALKS: dict[Protocol, list[tuple[bytes, bytes]]] = {
    Protocol.SMTP: [
        (b"220-hello\r\n220 there\r\n", b"EHLO certdesk.invalid\r\n"),
        (b"250-SIZE\r\n250 STARTTLS\r\n", b"STARTTLS\r\n"),
        (b"220 go\r\n", b""),
    ],
    Protocol.IMAP: [(b"* OK ready\r\n", b"a STARTTLS\r\n"), (b"a OK go\r\n", b"")],
    Protocol.POP3: [(b"+OK ready\r\n", b"STLS\r\n"), (b"+OK go\r\n", b"")],
    Protocol.POSTGRESQL: [(b"", bytes.fromhex("0000000804d2162f")), (b"S", b"")],
    Protocol.LDAP: [
        (b"", bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"),
        (bytes.fromhex("300c02010178070a010004000400"), b""),
    ],
}


def talking(talk: list[tuple[bytes, bytes]], context: ssl.SSLContext) -> Handle:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for words, wanted in talk:
            writer.write(words)
            await writer.drain()
            if wanted and await reader.readexactly(len(wanted)) != wanted:
                break
        else:
            await writer.start_tls(context)
            await reader.read()
        writer.transport.abort()

    return _quiet(handle)


def _quiet(handle: Handle) -> Handle:
    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except OSError:
            pass  # the client hangs up when it has seen enough
        finally:
            writer.transport.abort()

    return run


def context_of(folder: Path, pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (folder / "whole.pem").write_text(pem, encoding="ascii")
    context.load_cert_chain(folder / "whole.pem")
    return context


@pytest.mark.parametrize("protocol", [one for one in Protocol if one is not Protocol.TLS])
def test_each_protocol_changes_to_tls(protocol: Protocol, tmp_path: Path) -> None:
    made = tls.make(NAME)
    with listening(None, talking(TALKS[protocol], context_of(tmp_path, made.bundle.whole))) as port:
        seen = ask(port, protocol)
    assert seen.failure is None
    assert (seen.chain[0], seen.version) == (made.leaf, "TLSv1.3")
    assert seen.chain[1:] == (made.intermediate,)


def test_the_whole_chain_is_shown_with_and_without_a_name(tmp_path: Path) -> None:
    made = tls.make(NAME)
    with tls_server(tmp_path, made.bundle.whole) as port:
        for name in (NAME, ""):
            assert ask(port, name=name).chain == (made.leaf, made.intermediate)


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (Protocol.SMTP, b"554 go away\r\n"),
        (Protocol.IMAP, b"* BYE\r\n"),
        (Protocol.POP3, b"x" * 20_000),
        (Protocol.SMTP, b"220-again\r\n" * 100),
        (Protocol.SMTP, b"220 x\r\n250-\x1b[31mred\r\n554 no\r\n"),
        (Protocol.POSTGRESQL, b"N"),
        (Protocol.POSTGRESQL, b""),
        (Protocol.IMAP, b""),
        (Protocol.LDAP, bytes.fromhex("300c02010178070a013504000400")),
        (Protocol.LDAP, bytes.fromhex("300502010165000000")),
        (Protocol.LDAP, bytes.fromhex("3083ffffff")),
        (Protocol.LDAP, b"220 mail"),
        (Protocol.LDAP, b""),
    ],
)
def test_who_does_not_change_is_refused_with_its_words(protocol: Protocol, words: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    with listening(None, _quiet(handle)) as port:
        seen = ask(port, protocol)
    assert seen.failure is Verdict.REFUSED
    assert "does not change to TLS" in seen.sentence
    assert "\x1b" not in seen.sentence


def test_each_failure_has_its_words(tmp_path: Path) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad\r\n\r\n")
        await writer.drain()

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    for handle in (plain, hang_up):
        with listening(None, _quiet(handle)) as port:
            assert ask(port).failure is Verdict.REFUSED
    with listening(None) as port:
        silent = ask(port, seconds=0.2)
    assert (silent.failure, "within 0.2 s" in silent.sentence) == (Verdict.UNREACHABLE, True)
    closed = ask(port)
    assert (closed.failure, "No connection" in closed.sentence) == (Verdict.UNREACHABLE, True)


def test_only_the_usual_ports_are_asked_at_public_addresses() -> None:
    async def nowhere(host: str) -> list[str]:
        return ["8.8.8.8"]

    for protocol, port in ((Protocol.TLS, 22), (Protocol.SMTP, 443), (Protocol.IMAP, 993)):
        with pytest.raises(EgressRefused) as fault:
            asyncio.run(serving.ask("a.example", port, NAME, protocol, resolver=nowhere))
        assert str(starttls.PORTS[protocol][0]) in str(fault.value)
    for protocol in Protocol:
        assert starttls.USUAL[protocol] in starttls.PORTS[protocol]
