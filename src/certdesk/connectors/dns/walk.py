"""Finds the servers of a name and asks every one of them.

Two routes of one shape: the operator's resolvers (`CERTDESK_DNS_RESOLVERS`), where every question goes, or a
walk from the root to the authoritative servers of the name's zone. CNAMEs are never believed from one
server's answer section: each target is asked anew, because its zone has other servers (an authoritative BIND
does not chase into another zone anyway).
"""

import asyncio
import ipaddress
import random
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from certdesk.connectors.dns.ask import Budget, BudgetSpent, Reply, Server, Status, ask
from certdesk.connectors.dns.dnssec import (
    Bogus,
    Keys,
    Trust,
    ds_records,
    judge,
    keys_by_ds,
    verify,
    without_keys,
)
from certdesk.connectors.dns.roots import ROOT, Hints
from certdesk.connectors.egress import Network, is_allowed
from certdesk.connectors.protocol import ConnectorError

MOST_SERVERS = 8
_MOST_TRIES = 4  # servers tried at each level of the walk before it gives up
_DEEPEST = 4  # NS names whose address needs a walk whose NS names need a walk …
_LEVELS = 20
_SERVER = re.compile(
    r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:\[\]]*|[^\[\]]*:[^\[\]]*:[^\[\]]*))(?::(?P<port>[0-9]{1,5}))?"
)
_USABLE = (Status.OK, Status.NXDOMAIN)
_CACHE_SECONDS = 3600
_KEYS_SECONDS = 600  # of the root and of top-level domains
_CACHE_ENTRIES = 4096


class Route(Protocol):
    """A way to ask; failures to find servers come back as one reply with a status and a detail."""

    async def ask_all(
        self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, budget: Budget
    ) -> tuple[Reply, ...]: ...

    async def ask_parent(
        self, apex: dns.name.Name, rdtype: dns.rdatatype.RdataType, budget: Budget
    ) -> tuple[Reply, ...]:
        """As `ask_all`, but of the zone above: its DS records stand there (RFC 4035 §3.1.4.1)."""

    async def trust(self, apex: dns.name.Name, budget: Budget) -> tuple[Trust, str]:
        """What signatures say of a zone, and what is wrong with a bogus one."""


def route(resolvers: Sequence[str], allow_networks: Collection[Network], hints: Hints = ROOT) -> Route:
    """The operator's resolvers where there are any, else a walk."""
    return Resolvers(tuple(map(parse_server, resolvers))) if resolvers else Walk(tuple(allow_networks), hints)


def parse_server(text: str) -> Server:
    """`ip`, `ip:port` or `[ipv6]:port`.

    Raises:
        ConnectorError: for anything else.
    """
    match = _SERVER.fullmatch(text)
    address = match["six"] or match["host"] if match else ""
    number = int(match["port"] or 53) if match else 0
    try:
        ipaddress.ip_address(address)
    except ValueError:
        number = 0
    if not 0 < number < 65536:
        raise ConnectorError(f"{text!r:.80} is no DNS server address (ip:port).", permanent=True)
    return Server(address, number)


@dataclass(frozen=True, slots=True)
class Resolvers:
    """Every question goes to these servers; the operator set them, so any address is right (law 11)."""

    servers: tuple[Server, ...]

    async def ask_all(
        self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, budget: Budget
    ) -> tuple[Reply, ...]:
        """One reply from each of the (at most 8) resolvers."""
        return await _ask_each(name, rdtype, self.servers[:MOST_SERVERS], budget, recurse=True)

    async def ask_parent(
        self, apex: dns.name.Name, rdtype: dns.rdatatype.RdataType, budget: Budget
    ) -> tuple[Reply, ...]:
        return await self.ask_all(apex, rdtype, budget)

    async def trust(self, apex: dns.name.Name, budget: Budget) -> tuple[Trust, str]:
        """As resolvers that validate see it: AD, or a failure that is gone when they need not check."""
        plain = await self.ask_all(apex, dns.rdatatype.SOA, budget)
        if any(one.message is not None and one.message.flags & dns.flags.AD for one in plain):
            return Trust.SECURE, ""
        for one in plain:
            if one.status is Status.SERVFAIL:
                again = await ask(apex, dns.rdatatype.SOA, one.server, budget, recurse=True, signed=True)
                if again.status is Status.OK:
                    return Trust.BOGUS, f"{one.server} refuses the signatures"
        return Trust.UNCHECKED, ""


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone cut and its servers; `problem` and `status` say why there are none to ask."""

    apex: dns.name.Name
    servers: tuple[Server, ...]
    problem: str = ""
    status: Status = Status.SERVFAIL


class Walk:
    """Asks all authoritative servers of a name's zone, found from the root. One object serves one check.

    Only what the root says about top-level domains is kept between checks (at most an hour): everything below
    is asked anew, since a check is about what has just been changed.
    """

    _top_level: ClassVar[dict[tuple[Hints, dns.name.Name], tuple[float, Zone]]] = {}
    _top_keys: ClassVar[dict[tuple[Hints, dns.name.Name], tuple[float, Keys]]] = {}

    def __init__(self, allow_networks: Collection[Network], hints: Hints = ROOT) -> None:
        self._networks = tuple(allow_networks)
        self._hints = hints
        self._zones: dict[dns.name.Name, Zone] = {}
        self._keys: dict[dns.name.Name, Keys] = {}

    async def ask_all(
        self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, budget: Budget
    ) -> tuple[Reply, ...]:
        """One reply from each of the zone's (at most 8) server addresses."""
        return await self._ask_zone_of(name, name, rdtype, budget)

    async def ask_parent(
        self, apex: dns.name.Name, rdtype: dns.rdatatype.RdataType, budget: Budget
    ) -> tuple[Reply, ...]:
        return await self._ask_zone_of(apex.parent(), apex, rdtype, budget)

    async def _ask_zone_of(
        self, held: dns.name.Name, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, budget: Budget
    ) -> tuple[Reply, ...]:
        try:
            zone = await self.find_zone(held, budget)
        except BudgetSpent:
            return (Reply(Server("the way to its servers"), Status.TIMEOUT, detail="it ran out of time"),)
        if not zone.servers:
            return (Reply(Server(f"zone {_text(zone.apex)}"), zone.status, detail=zone.problem),)
        signed = bool(self._hints.anchors)
        replies = await _ask_each(name, rdtype, zone.servers, budget, recurse=False, signed=signed)
        if not signed or not any(reply.message for reply in replies):
            return replies
        try:
            keys = await self._keys_of(zone, budget)
        except BudgetSpent:
            return (Reply(zone.servers[0], Status.TIMEOUT, detail="its signatures took too long to check"),)
        return tuple(_judged(reply, name, rdtype, keys) for reply in replies)

    async def trust(self, apex: dns.name.Name, budget: Budget) -> tuple[Trust, str]:
        if not self._hints.anchors:
            return Trust.UNCHECKED, ""
        try:
            found = await self._keys_of(await self.find_zone(apex, budget), budget)
        except BudgetSpent:
            return Trust.UNCHECKED, ""
        return found.trust, found.problem

    async def _keys_of(self, zone: Zone, budget: Budget) -> Keys:
        """The zone's keys, by the chain of DS records from the root's anchors down."""
        known = self._keys.get(zone.apex)
        if known is None:
            until, kept = self._top_keys.get((self._hints, zone.apex), (0.0, None))
            if kept is not None and until > time.monotonic():
                known = kept
            else:
                known = await self._chained(zone, budget)
                if len(zone.apex) <= 2 and known.trust is not Trust.BOGUS:
                    self._top_keys[self._hints, zone.apex] = (time.monotonic() + _KEYS_SECONDS, known)
            self._keys[zone.apex] = known
        return known

    async def _chained(self, zone: Zone, budget: Budget) -> Keys:
        if zone.apex == dns.name.root:
            anchors = [dns.rdata.from_text("IN", "DS", one) for one in self._hints.anchors]
            return await self._own_keys(zone, anchors, budget)
        above = await self.find_zone(zone.apex.parent(), budget)
        parent = await self._keys_of(above, budget)
        if parent.trust is not Trust.SECURE:
            return Keys(zone.apex, parent.trust, problem=parent.problem)
        message = await self._signed_answer(zone.apex, dns.rdatatype.DS, above, budget)
        if message is None:
            return Keys(zone.apex, Trust.BOGUS, problem=f"nobody says whether {_text(zone.apex)} is signed")
        try:
            found = ds_records(message, zone.apex)
            if found is None:
                without_keys(message, zone.apex, parent)
                return Keys(zone.apex, Trust.INSECURE)
            verify(found, message.answer, parent)
        except Bogus as bogus:
            return Keys(zone.apex, Trust.BOGUS, problem=str(bogus))
        return await self._own_keys(zone, list(found), budget)

    async def _own_keys(self, zone: Zone, ds: Sequence[dns.rdata.Rdata], budget: Budget) -> Keys:
        message = await self._signed_answer(zone.apex, dns.rdatatype.DNSKEY, zone, budget)
        if message is None:
            return Keys(zone.apex, Trust.BOGUS, problem=f"the keys of {_text(zone.apex)} cannot be read")
        return keys_by_ds(zone.apex, ds, message)

    async def _signed_answer(
        self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, zone: Zone, budget: Budget
    ) -> dns.message.Message | None:
        """The first answer of the zone's servers, signatures and all."""
        for server in _spread(zone.servers)[:_MOST_TRIES]:
            reply = await ask(name, rdtype, server, budget, recurse=False, signed=True)
            if reply.status in _USABLE and reply.message is not None:
                return reply.message
        return None

    async def find_zone(self, name: dns.name.Name, budget: Budget, depth: int = 0) -> Zone:
        """The zone that holds `name`: referrals are followed by asking for SOA, whose owner is the apex."""
        known = self._zones.get(name)
        if known is None:
            known = self._zones[name] = await self._descend(name, budget, depth)
        return known

    async def _descend(self, name: dns.name.Name, budget: Budget, depth: int) -> Zone:
        zone = self._start(name)
        for _ in range(_LEVELS):
            message = await self._first_usable(name, zone, budget)
            if isinstance(message, Zone):
                return message
            cut = _referral(message, name, zone.apex)
            if cut is not None:
                zone = await self._enter(cut, message, zone, budget, depth)
                if not zone.servers:
                    return zone
                continue
            if _cname(message, name) is not None and name != dns.name.root:
                return await self.find_zone(name.parent(), budget, depth)  # no zone begins at an alias
            return await self._at_apex(message, name, zone, budget, depth)
        return Zone(zone.apex, (), f"the delegations of {_text(name)} do not end")

    def _start(self, name: dns.name.Name) -> Zone:
        if len(name) >= 2:
            until, zone = self._top_level.get((self._hints, _top(name)), (0.0, None))
            if zone is not None and until > time.monotonic():
                return zone
        servers = tuple(Server(address, self._hints.port) for address in self._hints.addresses)
        return Zone(dns.name.root, servers)

    async def _first_usable(
        self, name: dns.name.Name, zone: Zone, budget: Budget
    ) -> dns.message.Message | Zone:
        """The first answer or referral that a server of the zone gives, or the zone with its problem."""
        failed: list[Reply] = []
        for server in _spread(zone.servers)[:_MOST_TRIES]:
            reply = await ask(name, dns.rdatatype.SOA, server, budget, recurse=False)
            if reply.message is not None and _is_usable(reply.status, reply.message, name, zone.apex):
                return reply.message
            failed.append(reply)
        told = "; ".join(
            f"{reply.server}: {reply.detail or 'does not hold the zone (lame)'}" for reply in failed
        )
        kinds = {Status.SERVFAIL if reply.status in _USABLE else reply.status for reply in failed}
        problem = f"no server of the zone {_text(zone.apex)} answers ({told})"
        return Zone(zone.apex, (), problem, kinds.pop() if len(kinds) == 1 else Status.SERVFAIL)

    async def _enter(
        self, cut: dns.rrset.RRset, message: dns.message.Message, zone: Zone, budget: Budget, depth: int
    ) -> Zone:
        """The zone behind a referral, its servers' addresses from glue or a walk of their own."""
        child = await self._zone_of(cut, message, zone.apex, budget, depth)
        if zone.apex == dns.name.root and len(cut.name) == 2 and child.servers:
            if len(self._top_level) >= _CACHE_ENTRIES:
                self._top_level.clear()
            until = time.monotonic() + min(cut.ttl, _CACHE_SECONDS)
            self._top_level[self._hints, cut.name] = (until, child)
        return child

    async def _at_apex(
        self, message: dns.message.Message, name: dns.name.Name, zone: Zone, budget: Budget, depth: int
    ) -> Zone:
        """The authoritative answer may be of a deeper zone that the same server holds too."""
        apex = _soa_owner(message, name)
        if apex is None or apex == zone.apex or not apex.is_subdomain(zone.apex):
            return zone
        for server in _spread(zone.servers)[:_MOST_TRIES]:
            reply = await ask(apex, dns.rdatatype.NS, server, budget, recurse=False)
            if reply.message is None:
                continue
            for section in (reply.message.answer, reply.message.authority):
                found = _find(section, apex, dns.rdatatype.NS)
                if found is not None:
                    return await self._zone_of(found, reply.message, zone.apex, budget, depth)
        return zone

    async def _zone_of(
        self,
        servers: dns.rrset.RRset,
        message: dns.message.Message,
        bailiwick: dns.name.Name,
        budget: Budget,
        depth: int,
    ) -> Zone:
        names = sorted(record.target for record in servers)[: 2 * MOST_SERVERS]
        found: list[Server] = []
        refused: list[str] = []
        for name in names:
            for address in await self._addresses(name, message, bailiwick, budget, depth):
                if is_allowed(address, self._networks):
                    found.append(Server(address, self._hints.port, _text(name)))
                else:
                    refused.append(f"{_text(name)} ({address})")
        distinct = {server.address: server for server in sorted(found, key=lambda one: ":" in one.address)}
        problem = (
            f"none of the servers of {_text(servers.name)} has an address: {', '.join(map(_text, names))}"
        )
        if refused:
            problem = f"{', '.join(refused[:3])}: no public address and not in CERTDESK_ALLOW_NETWORKS"
        return Zone(servers.name, tuple(distinct.values())[:MOST_SERVERS], "" if distinct else problem)

    async def _addresses(
        self,
        name: dns.name.Name,
        message: dns.message.Message,
        bailiwick: dns.name.Name,
        budget: Budget,
        depth: int,
    ) -> list[str]:
        """Glue, where the answering zone may speak for the name at all; else asked for."""
        if name.is_subdomain(bailiwick):
            glue = [
                record.address
                for rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
                for record in _find(message.additional, name, rdtype) or ()
            ]
            if glue:
                return glue
        if depth >= _DEEPEST:
            return []
        return await self._look_up(name, budget, depth + 1)

    async def _look_up(self, name: dns.name.Name, budget: Budget, depth: int) -> list[str]:
        zone = await self.find_zone(name, budget, depth)
        found: list[str] = []
        for rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            for server in _spread(zone.servers)[:2]:
                reply = await ask(name, rdtype, server, budget, recurse=False)
                if reply.message is not None and reply.status is Status.OK:
                    found += [record.address for record in _find(reply.message.answer, name, rdtype) or ()]
                    break
        return found


async def _ask_each(
    name: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    servers: Sequence[Server],
    budget: Budget,
    *,
    recurse: bool,
    signed: bool = False,
) -> tuple[Reply, ...]:
    async def one(server: Server) -> Reply:
        try:
            return await ask(name, rdtype, server, budget, recurse=recurse, signed=signed)
        except BudgetSpent:
            return Reply(server, Status.TIMEOUT, detail="the check ran out of time")

    if len(servers) == 1:  # no task of its own: this is where a busy checker spends its time
        return (await one(servers[0]),)
    return tuple(await asyncio.gather(*map(one, servers)))


def _judged(reply: Reply, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, keys: Keys) -> Reply:
    """The reply with its trust; a bogus one is a failure, as validating resolvers have it (SERVFAIL)."""
    if reply.message is None or reply.status not in _USABLE:
        return reply
    problem = keys.problem
    if keys.trust is Trust.SECURE:
        try:
            judge(reply.message, name, rdtype, keys)
        except Bogus as bogus:
            problem = str(bogus)
    if problem:
        return Reply(reply.server, Status.SERVFAIL, detail=f"DNSSEC: {problem}", trust=Trust.BOGUS)
    return replace(reply, trust=keys.trust)


def _is_usable(
    status: Status, message: dns.message.Message, name: dns.name.Name, zone: dns.name.Name
) -> bool:
    """An authoritative answer, or a referral downwards; a lame server must not end the walk too early."""
    if _cname(message, name) is not None:  # BIND says SERVFAIL to a CNAME loop, with the CNAME in the answer
        return True
    authoritative = bool(message.flags & dns.flags.AA) or _referral(message, name, zone) is not None
    return status in _USABLE and authoritative


def _referral(
    message: dns.message.Message, name: dns.name.Name, zone: dns.name.Name
) -> dns.rrset.RRset | None:
    """The NS records of a zone between `zone` and `name`, when the answer is nothing but a referral."""
    if message.answer:
        return None
    for rrset in message.authority:
        below = rrset.name != zone and rrset.name.is_subdomain(zone) and name.is_subdomain(rrset.name)
        if rrset.rdtype == dns.rdatatype.NS and below:
            return rrset
    return None


def _soa_owner(message: dns.message.Message, name: dns.name.Name) -> dns.name.Name | None:
    for rrset in (*message.answer, *message.authority):
        if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
            return rrset.name
    return None


def _cname(message: dns.message.Message, name: dns.name.Name) -> dns.rrset.RRset | None:
    return _find(message.answer, name, dns.rdatatype.CNAME)


def _find(
    section: list[dns.rrset.RRset], name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    for rrset in section:
        if rrset.rdtype == rdtype and rrset.name == name and rrset.rdclass == dns.rdataclass.IN:
            return rrset
    return None


def _spread(servers: Sequence[Server]) -> list[Server]:
    """Another server first each time, so that no root or registry server carries all; IPv4 stays ahead."""
    drawn = random.sample(servers, len(servers))
    return sorted(drawn, key=lambda server: ":" in server.address)


def _top(name: dns.name.Name) -> dns.name.Name:
    return dns.name.Name(name.labels[-2:])


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)
