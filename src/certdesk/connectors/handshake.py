"""One TLS handshake with whatever answers: what it showed is kept, also where it broke off after that.

The bytes go by our own hands: a server may show its certificate and end the handshake all the same (it wants
one of the client), and what is no TLS is told by its first bytes. Nothing is sent after the handshake.
"""

import asyncio
import ssl
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from certdesk.connectors import starttls
from certdesk.connectors.starttls import NoStartTls, Protocol

OLD = frozenset({"SSLv3", "TLSv1", "TLSv1.1"})
_ASN1 = "ASN1"  # all that OpenSSL says about bytes that are no certificate
_PIECE = 16 * 1024
_LINE_BYTES = 8 * 1024
_MOST_BYTES = 512 * 1024
_MOST_CHAIN = 100


class End(StrEnum):
    """How a look without a certificate ended."""

    REFUSED = "REFUSED"  # a server answered and ended the handshake
    UNREACHABLE = "UNREACHABLE"


class Why(StrEnum):
    """What ended it, where more than OpenSSL's own word can be said."""

    NO_STARTTLS = "NO_STARTTLS"
    CLOSED = "CLOSED"
    SILENT = "SILENT"  # it took the connection and did not finish the handshake in time
    NO_ANSWER = "NO_ANSWER"  # it did not even take the connection in time
    NO_CONNECTION = "NO_CONNECTION"
    HANDSHAKE = "HANDSHAKE"


@dataclass(frozen=True, slots=True)
class Met:
    """One handshake.

    Attributes:
        chain: DER as sent, the server's own first; empty where nothing was shown. Foreign, not checked.
        version, cipher: as `TLSv1.3`, `TLS_AES_256_GCM_SHA384`.
        asks_client: it wanted a certificate of the client, and ended the handshake without one.
        why: None where a certificate was shown by who holds its key; `told` is its words.
        old: only an old version of TLS or a weak key or cipher was to be had, which clients refuse.
    """

    chain: tuple[bytes, ...] = ()
    version: str = ""
    cipher: str = ""
    asks_client: bool = False
    why: Why | None = None
    told: str = ""
    old: bool = False

    @property
    def end(self) -> End | None:
        if self.why is None:
            return None
        away = (Why.SILENT, Why.NO_ANSWER, Why.NO_CONNECTION)
        return End.UNREACHABLE if self.why in away else End.REFUSED


@lru_cache(maxsize=8)
def context_of(key: str = "", *, old: bool = False) -> ssl.SSLContext:
    """Any certificate is taken: what it is, is the question. A key type can be asked for up to TLS 1.2.

    Made once; no roots are read, nothing is checked against them.

    Args:
        old: also TLS 1.0, short keys and weak ciphers, to see what nobody else would take.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if key:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE+aRSA" if key == "RSA" else "ECDHE+aECDSA")
    if old:
        _allow_old(context)
    return context


def _allow_old(context: ssl.SSLContext) -> None:
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")


async def meet(
    address: str,
    port: int,
    name: str,
    protocol: Protocol,
    seconds: float,
    *,
    key: str = "",
    old: bool = False,
) -> Met:
    """One handshake with one address; never raises for what the other side does.

    Args:
        name: SNI; empty = none is sent.
        seconds: for all of it, connecting included.
        key: `RSA` or `EC` asks for a certificate of that kind alone.
    """
    made: list[asyncio.StreamWriter] = []
    try:
        async with asyncio.timeout(seconds):
            return await _connected(address, port, name, protocol, context_of(key, old=old), old, made)
    except NoStartTls as answer:
        return Met(why=Why.NO_STARTTLS, told=str(answer))
    except ssl.SSLError as error:
        return Met(why=Why.HANDSHAKE, told=error.reason or (_ASN1 if _ASN1 in str(error) else ""))
    except TimeoutError:
        if made:
            return Met(why=Why.SILENT)
        return Met(why=Why.NO_ANSWER, told=f"no answer within {seconds:g} s")
    except (ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError):
        return Met(why=Why.CLOSED)
    except OSError as error:
        return Met(why=Why.NO_CONNECTION, told=str(error.strerror or error))
    except OverflowError:
        return Met(why=Why.NO_CONNECTION, told=f"there is no port {port}")
    except ValueError:  # no server can be asked for such a name
        return Met(why=Why.HANDSHAKE, told="INVALID_NAME")


async def whatever(address: str, port: int, name: str, protocol: Protocol, seconds: float) -> Met:
    """As `meet`; where a server refuses what clients of today speak, what it shows to older ones."""
    first = await meet(address, port, name, protocol, seconds)
    if first.why is not Why.HANDSHAKE:
        return first
    again = await meet(address, port, name, protocol, seconds, old=True)
    return again if again.why is None else first


async def _connected(
    address: str,
    port: int,
    name: str,
    protocol: Protocol,
    context: ssl.SSLContext,
    old: bool,
    made: list[asyncio.StreamWriter],
) -> Met:
    """`made` gets the connection, so that who was too slow for the rest is told from who is not there."""
    reader, writer = await asyncio.open_connection(address, port, limit=_LINE_BYTES)
    made.append(writer)
    try:
        await starttls.begin(protocol, reader, writer)
        return await _shake(reader, writer, context, name, old)
    finally:
        writer.transport.abort()


async def _shake(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext, name: str, old: bool
) -> Met:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    spoken = context.wrap_bio(incoming, outgoing, server_hostname=name or None)
    sent, taken, answered = 0, 0, False
    while True:
        try:
            spoken.do_handshake()
            await _flush(outgoing, writer)
            return _met(spoken, old=old)
        except ssl.SSLWantReadError:
            answered = answered or bool(sent and outgoing.pending)
            sent += await _flush(outgoing, writer)
        except ssl.SSLError as error:
            shown = sent_chain(spoken)
            # The second word of ours goes out only after the server's proof that it holds the key was good.
            if shown and answered and spoken.version() != "TLSv1.3" and "ALERT" in (error.reason or ""):
                return _met(spoken, asks=True, old=old)
            raise
        piece = await reader.read(_PIECE)
        taken += len(piece)
        if not piece:
            raise ConnectionResetError
        if taken > _MOST_BYTES:
            raise ssl.SSLError(0, "EXCESSIVE_MESSAGE_SIZE")
        incoming.write(piece)


async def _flush(outgoing: ssl.MemoryBIO, writer: asyncio.StreamWriter) -> int:
    if not outgoing.pending:
        return 0
    writer.write(outgoing.read())
    await writer.drain()
    return 1


def _met(spoken: ssl.SSLObject, *, asks: bool = False, old: bool = False) -> Met:
    cipher = spoken.cipher()
    return Met(sent_chain(spoken), spoken.version() or "", cipher[0] if cipher else "", asks, old=old)


def sent_chain(found: Any) -> tuple[bytes, ...]:
    """Every certificate that the server sent, its own first; public in Python 3.13, `_sslobj` before."""
    reader = getattr(found, "get_unverified_chain", None)
    if reader is not None:
        return tuple(one for one in reader() if isinstance(one, bytes))[:_MOST_CHAIN]
    chain = found._sslobj.get_unverified_chain() or ()
    return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in chain)[:_MOST_CHAIN]


_WORDS = {
    "UNSUPPORTED_PROTOCOL": "it speaks an old version of TLS alone, which clients refuse",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks another version of TLS alone, which clients refuse",
    "TLSV1_UNRECOGNIZED_NAME": "it does not know this name",
    "WRONG_VERSION_NUMBER": "it does not speak TLS here",
    "HTTP_REQUEST": "it does not speak TLS here",
    "RECORD_LAYER_FAILURE": "it does not speak TLS here",
    "EXCESSIVE_MESSAGE_SIZE": "it sends more certificates than clients take",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it has no certificate or cipher for such a client",
    "BAD_SIGNATURE": "it does not hold the key of the certificate that it shows",
    _ASN1: "what it shows as a certificate cannot be read",
    "INVALID_NAME": "no server can be asked for this name",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of the client",
}


def words(reason: str) -> str:
    """Why a handshake broke, for people; OpenSSL's own word where there is no better one."""
    return _WORDS.get(reason, reason) or "it broke off"
