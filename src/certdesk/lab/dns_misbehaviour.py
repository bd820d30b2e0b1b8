"""What the lab DNS server can do wrong on purpose."""

from dataclasses import dataclass
from enum import StrEnum

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset


class Fault(StrEnum):
    """A way to misbehave for one owner (or `*`, every question)."""

    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    NOTIMP = "NOTIMP"
    FORMERR = "FORMERR"  # as a server that does not know EDNS: plain questions are answered well
    TIMEOUT = "TIMEOUT"  # no answer at all
    SLOW = "SLOW"  # the right answer after some seconds
    DROP_FIRST = "DROP_FIRST"  # the first datagram is lost, the next one answered
    TRUNCATE = "TRUNCATE"  # cut over UDP, whole over TCP
    TRUNCATE_ALWAYS = "TRUNCATE_ALWAYS"  # cut over UDP, TCP closed without an answer
    FORGED_FIRST = "FORGED_FIRST"  # a datagram with a wrong id comes before the true one
    GARBAGE = "GARBAGE"  # bytes that are no DNS message
    LAME = "LAME"  # a referral upwards: the server does not hold the zone


@dataclass(slots=True)
class Misbehaviour:
    """A fault with its length in seconds (for SLOW) and how often it has struck."""

    fault: Fault
    seconds: float = 1.0
    struck: int = 0


_RCODES = {
    Fault.SERVFAIL: dns.rcode.SERVFAIL,
    Fault.REFUSED: dns.rcode.REFUSED,
    Fault.NOTIMP: dns.rcode.NOTIMP,
}


def spoil(
    query: dns.message.Message, right: dns.message.Message, bad: Misbehaviour, *, udp: bool
) -> list[bytes]:
    """The datagrams (or TCP messages) to send in place of the right answer; none = silence."""
    bad.struck += 1
    fault = bad.fault
    silent_now = fault is Fault.DROP_FIRST and udp and bad.struck == 1
    if fault is Fault.TIMEOUT or silent_now or (fault is Fault.TRUNCATE_ALWAYS and not udp):
        return []
    if fault is Fault.GARBAGE:
        return [b"\x00not a DNS message"]
    if fault is Fault.FORGED_FIRST:
        return [_forged(right), right.to_wire(max_size=65535)]
    if fault in (Fault.TRUNCATE, Fault.TRUNCATE_ALWAYS) and udp:
        return [_empty(query, dns.rcode.NOERROR, dns.flags.TC).to_wire()]
    if fault is Fault.LAME:
        return [_lame(query).to_wire()]
    if fault in _RCODES or (fault is Fault.FORMERR and query.edns >= 0):
        return [_empty(query, _RCODES.get(fault, dns.rcode.FORMERR)).to_wire()]
    return [right.to_wire(max_size=65535)]


def _empty(query: dns.message.Message, rcode: dns.rcode.Rcode, flags: int = 0) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.flags |= flags
    response.set_rcode(rcode)
    return response


def _forged(right: dns.message.Message) -> bytes:
    wire = bytearray(right.to_wire(max_size=65535))
    wire[0] ^= 0xFF
    return bytes(wire)


def _lame(query: dns.message.Message) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.authority.append(dns.rrset.from_text(dns.name.root, 60, "IN", "NS", "a.root-servers.net."))
    return response
