"""One DNS question to one server address: UDP, then TCP where the answer was cut; bounded in time."""

import asyncio
import time
from dataclasses import dataclass, field
from enum import StrEnum

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from certdesk.connectors.dns.dnssec import Trust

QUESTION_TIMEOUT = 3.0
"""Seconds for one question to one server, TCP after a cut answer included."""

_RESEND_AFTER = 1.0  # one lost datagram must not cost the whole question
_EDNS_PAYLOAD = 1232  # DNS flag day 2020: fits without fragments
_MOST_TCP_BYTES = 65535


class Status(StrEnum):
    """How a server answered."""

    OK = "OK"
    NXDOMAIN = "NXDOMAIN"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    TIMEOUT = "TIMEOUT"


class BudgetSpent(Exception):
    """The total deadline has passed or too many questions were needed."""


@dataclass(slots=True)
class Budget:
    """What one check may cost: seconds in all and questions in all (a zone can be built to multiply them)."""

    seconds: float
    questions: int = 150
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end - time.monotonic())

    def take(self) -> float:
        """Books one question; answers the seconds it may take.

        Raises:
            BudgetSpent: nothing is left.
        """
        self.questions -= 1
        left = self.left()
        if self.questions < 0 or left <= 0:
            raise BudgetSpent
        return min(QUESTION_TIMEOUT, left)


@dataclass(frozen=True, slots=True)
class Server:
    """A DNS server's address; `name` is its NS name where it is known."""

    address: str
    port: int = 53
    name: str = ""

    def __str__(self) -> str:
        shown = self.address
        if self.port != 53:
            shown = f"[{shown}]:{self.port}" if ":" in shown else f"{shown}:{self.port}"
        return f"{self.name} ({shown})" if self.name else shown


@dataclass(frozen=True, slots=True)
class Reply:
    """One server's reply; `message` is there when a readable one came, `detail` says more of a failure."""

    server: Server
    status: Status
    message: dns.message.Message | None = None
    detail: str = ""
    trust: Trust = Trust.UNCHECKED


_STATUS = {
    dns.rcode.NOERROR: Status.OK,
    dns.rcode.NXDOMAIN: Status.NXDOMAIN,
    dns.rcode.REFUSED: Status.REFUSED,
}


async def ask(
    name: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    server: Server,
    budget: Budget,
    *,
    recurse: bool,
    signed: bool = False,
) -> Reply:
    """Ask one server; failures are replies with a status, never exceptions.

    Args:
        signed: ask for signatures too, whatever the server itself thinks of them (DO, CD).

    Raises:
        BudgetSpent: the budget had nothing left before the question was sent.
    """
    seconds = budget.take()
    try:
        async with asyncio.timeout(seconds):
            message = await _question(name, rdtype, server, recurse, signed)
    except TimeoutError:
        return Reply(server, Status.TIMEOUT, detail="no answer in time")
    except OSError as error:
        return Reply(server, Status.TIMEOUT, detail=f"cannot be reached: {error.strerror or error}")
    except (dns.exception.DNSException, EOFError, ValueError):
        return Reply(server, Status.SERVFAIL, detail="the answer cannot be read")
    status = _STATUS.get(message.rcode(), Status.SERVFAIL)
    return Reply(server, status, message, "" if status is Status.OK else dns.rcode.to_text(message.rcode()))


async def _question(
    name: dns.name.Name, rdtype: dns.rdatatype.RdataType, server: Server, recurse: bool, signed: bool
) -> dns.message.Message:
    query = _query(name, rdtype, recurse, edns=True, signed=signed)
    answer = await _exchange(query, server)
    if answer.rcode() == dns.rcode.FORMERR:  # an old server that does not know EDNS (RFC 6891 §7)
        answer = await _exchange(_query(name, rdtype, recurse, edns=False), server)
    return answer


def _query(
    name: dns.name.Name, rdtype: dns.rdatatype.RdataType, recurse: bool, *, edns: bool, signed: bool = False
) -> dns.message.QueryMessage:
    query = dns.message.make_query(
        name,
        rdtype,
        use_edns=0 if edns else None,
        payload=_EDNS_PAYLOAD if edns else None,
        want_dnssec=signed,
    )
    if signed:
        query.flags |= dns.flags.CD
    if recurse:
        query.flags |= dns.flags.AD  # a resolver that validates then says so (RFC 6840 §5.7)
    else:
        query.flags &= ~dns.flags.RD
    return query


async def _exchange(query: dns.message.QueryMessage, server: Server) -> dns.message.Message:
    answer = await _over_udp(query, server)
    return await _over_tcp(query, server) if answer.flags & dns.flags.TC else answer


class _Datagrams(asyncio.DatagramProtocol):
    """Waits for the datagram that answers `query`; others (stray, forged, unreadable) are passed over."""

    def __init__(self, query: dns.message.QueryMessage) -> None:
        self.query = query
        self.answer: asyncio.Future[dns.message.Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        try:
            message = dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False)
        except Exception:  # noqa: BLE001 - whatever a stranger sends, the true answer may still come
            return
        if not self.answer.done() and self.query.is_response(message):
            self.answer.set_result(message)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _over_udp(query: dns.message.QueryMessage, server: Server) -> dns.message.Message:
    # A socket of its own, connected: a fresh source port per question and the kernel drops other senders.
    loop = asyncio.get_running_loop()
    transport, waiting = await loop.create_datagram_endpoint(
        lambda: _Datagrams(query), remote_addr=(server.address, server.port)
    )
    try:
        wire = query.to_wire()
        transport.sendto(wire)
        resend = loop.call_later(_RESEND_AFTER, transport.sendto, wire)
        try:
            return await waiting.answer
        finally:
            resend.cancel()
    finally:
        transport.abort()


async def _over_tcp(query: dns.message.QueryMessage, server: Server) -> dns.message.Message:
    reader, writer = await asyncio.open_connection(server.address, server.port, limit=_MOST_TCP_BYTES)
    try:
        writer.write(query.to_wire(prepend_length=True))
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(2))
        answer = dns.message.from_wire(await reader.readexactly(length), ignore_trailing=True)
    finally:
        writer.transport.abort()
    if not query.is_response(answer):
        raise ValueError("the answer belongs to another question")
    return answer
