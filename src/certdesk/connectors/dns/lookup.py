"""All servers' answers to one question, CNAMEs followed at each target's own servers."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from certdesk.connectors.dns.ask import Budget, Reply, Status
from certdesk.connectors.dns.dnssec import Trust
from certdesk.connectors.dns.walk import Route
from certdesk.connectors.protocol import ConnectorError

MOST_HOPS = 8
_MOST_TARGETS = 3  # servers may disagree about a CNAME while it changes; more is a game


class Found(StrEnum):
    """What one server has for the question."""

    RECORDS = "RECORDS"
    NO_RECORD = "NO_RECORD"
    NXDOMAIN = "NXDOMAIN"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    TIMEOUT = "TIMEOUT"
    CNAME_LOOP = "CNAME_LOOP"


DEFINITIVE = frozenset({Found.RECORDS, Found.NO_RECORD, Found.NXDOMAIN, Found.CNAME_LOOP})
"""Answers that say how the zone is; the others say only that a server is in trouble."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One server's answer.

    `owner` is the name at which the question ended after `aliases` (the names that were CNAMEs); `ttl` that
    of the records, or the seconds for which their absence may be remembered; `zone` the apex named by a
    negative answer; `cached` true where a resolver's cache spoke, no authoritative server.
    """

    server: str
    found: Found
    owner: dns.name.Name
    records: tuple[dns.rdata.Rdata, ...] = ()
    ttl: int | None = None
    aliases: tuple[dns.name.Name, ...] = ()
    zone: dns.name.Name | None = None
    cached: bool = False
    detail: str = ""
    trust: Trust = Trust.UNCHECKED


def parse_name(text: str) -> dns.name.Name:
    """A DNS name from its A-label text.

    Raises:
        ConnectorError: label over 63 or name over 255 octets, empty labels, no ASCII.
    """
    try:
        return dns.name.from_text(text.encode("ascii").decode("ascii"))
    except (dns.exception.DNSException, UnicodeEncodeError):
        raise ConnectorError(f"{text!r:.100} is not a DNS name.", permanent=True) from None


async def look_up(
    name: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    route: Route,
    budget: Budget,
    *,
    aliases: tuple[dns.name.Name, ...] = (),
) -> tuple[Answer, ...]:
    """Every server's answer; for servers that say CNAME, those of the target's servers.

    A CNAME question is not chased: the record itself is its answer.
    """
    answers: list[Answer] = []
    targets: dict[dns.name.Name, str] = {}
    for reply in await route.ask_all(name, rdtype, budget):
        target = _target(reply, name, rdtype)
        if target is None:
            answers.append(_answer(reply, name, rdtype, aliases))
        else:
            targets.setdefault(target, str(reply.server))
    chain = (*aliases, name)
    for target, server in list(targets.items())[:_MOST_TARGETS]:
        if target in chain or len(chain) > MOST_HOPS:
            answers.append(_loop(server, target, chain))
        else:
            answers += await look_up(target, rdtype, route, budget, aliases=chain)
    return tuple(answers)


def _target(reply: Reply, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> dns.name.Name | None:
    """Where the server's CNAME at `name` points; only the first hop is taken from one answer."""
    if reply.message is None or rdtype == dns.rdatatype.CNAME:
        return None
    found = _records(reply.message, name, dns.rdatatype.CNAME)
    return found[0][0].target if found else None  # type: ignore[attr-defined]


def _loop(server: str, target: dns.name.Name, chain: tuple[dns.name.Name, ...]) -> Answer:
    detail = (
        f"the CNAME records turn in a circle at {show(target)}"
        if target in chain
        else f"more than {MOST_HOPS} CNAME records stand in a row"
    )
    return Answer(server, Found.CNAME_LOOP, target, aliases=chain, detail=detail)


_FAILED = {
    Status.SERVFAIL: Found.SERVFAIL,
    Status.REFUSED: Found.REFUSED,
    Status.TIMEOUT: Found.TIMEOUT,
}


def _answer(
    reply: Reply, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, aliases: tuple[dns.name.Name, ...]
) -> Answer:
    server, message = str(reply.server), reply.message
    if reply.status in _FAILED or message is None:
        found = _FAILED.get(reply.status, Found.SERVFAIL)
        return Answer(server, found, name, aliases=aliases, detail=reply.detail, trust=reply.trust)
    cached = not message.flags & dns.flags.AA
    records = _records(message, name, rdtype)
    if records:
        return Answer(
            server, Found.RECORDS, name, *records, aliases=aliases, cached=cached, trust=reply.trust
        )
    if _is_lame(message):
        return Answer(
            server, Found.SERVFAIL, name, aliases=aliases, detail="the server does not hold the zone (lame)"
        )
    zone, ttl = _negative(message, name)
    absent = Found.NXDOMAIN if reply.status is Status.NXDOMAIN else Found.NO_RECORD
    return Answer(server, absent, name, ttl=ttl, aliases=aliases, zone=zone, cached=cached, trust=reply.trust)


def _records(
    message: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> tuple[tuple[dns.rdata.Rdata, ...], int] | None:
    for rrset in message.answer:
        if (
            rrset.name == name
            and rrset.rdtype == rdtype
            and rrset.rdclass == dns.rdataclass.IN
            and len(rrset)
        ):
            return tuple(rrset), rrset.ttl
    return None


def _is_lame(message: dns.message.Message) -> bool:
    """A referral where an answer was due: NS records, no SOA, no authority, no recursion."""
    types = {rrset.rdtype for rrset in message.authority}
    speaks = message.flags & (dns.flags.AA | dns.flags.RA)
    return not speaks and dns.rdatatype.NS in types and dns.rdatatype.SOA not in types


def _negative(message: dns.message.Message, name: dns.name.Name) -> tuple[dns.name.Name | None, int | None]:
    """Zone apex and negative TTL of the SOA record (RFC 2308 §5: the smaller of its TTL and minimum)."""
    for rrset in message.authority:
        if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
            return rrset.name, min(rrset.ttl, rrset[0].minimum)
    return None, None


def show(name: dns.name.Name) -> str:
    """A name as people write it, without the last dot."""
    return name.to_text(omit_final_dot=True)


def printable(data: bytes, limit: int = 255) -> str:
    """Bytes of a record as bounded printable ASCII; others as `\\ddd`, the backslash as `\\\\`."""
    if len(data) <= limit and data.isascii() and b"\\" not in data and data.decode("ascii").isprintable():
        return data.decode("ascii")  # nearly always, and much quicker than a character at a time
    return _escaped(data, limit)


def _escaped(data: bytes, limit: int) -> str:
    shown = "".join(
        "\\\\" if byte == 0x5C else chr(byte) if 0x20 <= byte <= 0x7E else f"\\{byte:03d}"
        for byte in data[: limit + 1]
    )
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def definitive(answers: Iterable[Answer]) -> tuple[Answer, ...]:
    return tuple(answer for answer in answers if answer.found in DEFINITIVE)
