"""Protocols that begin in plain and change to TLS: what is said until then. Fixed words alone are sent."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

from certdesk.connectors.protocol import ConnectorError

_MOST_LINES = 64
_GREETING = "EHLO certdesk.invalid\r\n"


class Protocol(StrEnum):
    """What the server speaks; `TLS` begins with the handshake."""

    TLS = "TLS"
    SMTP = "SMTP"
    IMAP = "IMAP"
    POP3 = "POP3"
    POSTGRESQL = "POSTGRESQL"
    LDAP = "LDAP"


PORTS: dict[Protocol, tuple[int, ...]] = {
    Protocol.TLS: (443, 465, 636, 853, 993, 995, 8443),
    Protocol.SMTP: (25, 587),
    Protocol.IMAP: (143,),
    Protocol.POP3: (110,),
    Protocol.POSTGRESQL: (5432,),
    Protocol.LDAP: (389,),
}
"""Ports that may be asked at public addresses, the usual one of each protocol's among them."""
USUAL = {
    Protocol.TLS: 443,
    Protocol.SMTP: 587,
    Protocol.IMAP: 143,
    Protocol.POP3: 110,
    Protocol.POSTGRESQL: 5432,
    Protocol.LDAP: 389,
}

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # PostgreSQL: length 8, code 80877103
# LDAP (RFC 4511 §4.14): message 1, an extended request with the name of StartTLS.
_LDAP_REQUEST = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
_LDAP_ANSWER = 0x78
_LDAP_MOST = 2048


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


async def _ldap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_LDAP_REQUEST)
    await writer.drain()
    body = await _ldap_message(reader)
    # message id (02 01 01), extended response, its length, then the result (0a 01 00 is success)
    at = body.find(bytes([_LDAP_ANSWER]))
    if at < 0 or b"\x0a\x01\x00" not in body[at : at + 8]:
        raise NoStartTls(body.hex()[:80] or "nothing")


async def _ldap_message(reader: asyncio.StreamReader) -> bytes:
    """The content of one BER sequence."""
    head = await reader.read(2)
    if len(head) < 2 or head[0] != 0x30:
        raise NoStartTls(head.hex() or "nothing")
    length = head[1]
    if length & 0x80:
        length = int.from_bytes(await reader.readexactly(length & 0x7F))
    if length > _LDAP_MOST:
        raise NoStartTls("a message without an end")
    return await reader.readexactly(length)


def split(host: str) -> tuple[Protocol, str]:
    """`smtp://mail.example.test` is SMTP at that host; a host alone speaks TLS at once.

    Raises:
        ConnectorError: another word before `://`.
    """
    word, mark, rest = host.rpartition("://")
    if not mark:
        return Protocol.TLS, host
    if word.upper() not in set(Protocol):
        known = ", ".join(one.lower() for one in Protocol)
        raise ConnectorError(f"{word!r:.40} is no protocol; known are {known}.", permanent=True)
    return Protocol(word.upper()), rest.strip("[]")


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
    Protocol.LDAP: _ldap,
}
