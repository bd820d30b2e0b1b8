"""Protocols that begin in plain and change to TLS: what is said until then. Fixed words alone are sent."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

_MOST_LINES = 64
_GREETING = "EHLO certdesk.invalid\r\n"


class Protocol(StrEnum):
    """What the server speaks; `TLS` begins with the handshake."""

    TLS = "TLS"
    SMTP = "SMTP"
    IMAP = "IMAP"
    POP3 = "POP3"
    POSTGRESQL = "POSTGRESQL"


PORTS: dict[Protocol, tuple[int, ...]] = {
    Protocol.TLS: (443, 465, 636, 853, 993, 995, 8443),
    Protocol.SMTP: (25, 587),
    Protocol.IMAP: (143,),
    Protocol.POP3: (110,),
    Protocol.POSTGRESQL: (5432,),
}
"""Ports that may be asked at public addresses, the usual one of each protocol's among them."""
USUAL = {
    Protocol.TLS: 443,
    Protocol.SMTP: 587,
    Protocol.IMAP: 143,
    Protocol.POP3: 110,
    Protocol.POSTGRESQL: 5432,
}

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # PostgreSQL: length 8, code 80877103


class NoStartTls(Exception):
    """The server does not change to TLS; the text is what it answered, foreign."""


async def begin(protocol: Protocol, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks until the next byte is the handshake's.

    Raises:
        NoStartTls: the server says no, or something else. OSError: the connection ended.
    """
    await _STARTS[protocol](reader, writer)


async def _tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def _smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _answer(reader, "220")
    await _say(writer, _GREETING)
    await _answer(reader, "250")
    await _say(writer, "STARTTLS\r\n")
    await _answer(reader, "220")


async def _imap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _answer(reader, "* OK")
    await _say(writer, "a STARTTLS\r\n")
    await _answer(reader, "a OK")


async def _pop3(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _answer(reader, "+OK")
    await _say(writer, "STLS\r\n")
    await _answer(reader, "+OK")


async def _postgresql(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_SSL_REQUEST)
    await writer.drain()
    told = await reader.read(1)
    if told != b"S":
        raise NoStartTls(told.decode("ascii", "replace") or "nothing")


async def _answer(reader: asyncio.StreamReader, wanted: str) -> None:
    """The last line of an answer; `250-` goes on, `250 ` ends it."""
    for _ in range(_MOST_LINES):
        try:
            line = (await reader.readline()).decode("ascii", "replace").strip()
        except ValueError as error:  # longer than the limit of the stream
            raise NoStartTls("a line without an end") from error
        if not line.startswith(wanted):
            raise NoStartTls(line[:80] or "nothing")
        if line[len(wanted) : len(wanted) + 1] != "-":
            return
    raise NoStartTls("lines without an end")


async def _say(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(text.encode("ascii"))
    await writer.drain()


_STARTS: dict[Protocol, Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]] = {
    Protocol.TLS: _tls,
    Protocol.SMTP: _smtp,
    Protocol.IMAP: _imap,
    Protocol.POP3: _pop3,
    Protocol.POSTGRESQL: _postgresql,
}
