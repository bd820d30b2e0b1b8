"""What a scan may cover, its places by number, and what is to be said of an endpoint. Pure."""

import ipaddress
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate

from certdesk.connectors import egress, starttls
from certdesk.connectors.egress import Address, Network
from certdesk.connectors.probe import WILDCARD_LABEL
from certdesk.connectors.protocol import ConnectorError, EgressRefused
from certdesk.connectors.starttls import Protocol
from certdesk.foundation.common.errors import BadParameter

MOST_RANGES = 200
MOST_NAMES = 100
MOST_PLACES = 200_000
MOST_PUBLIC = 1_024
"""Addresses of the internet in one scan: those of others are no place to search through."""
MOST_PER_SECOND = 1_000
SOON = timedelta(days=30)
"""What ends within this time is expiring (LST-3)."""
_FIRST_FREE_PORT, _LAST_PORT = 1_024, 65_535
_EVERY = {"DAILY": timedelta(days=1), "WEEKLY": timedelta(days=7)}


class Verdict(StrEnum):
    """What is wrong with an endpoint, the gravest first."""

    REVOKED = "REVOKED"  # by us, and still served
    EXPIRED = "EXPIRED"
    MISMATCHED = "MISMATCHED"
    EXPIRING = "EXPIRING"
    SELF_SIGNED = "SELF_SIGNED"
    CHAIN = "CHAIN"
    OLD = "OLD"  # a version of ours that is not the newest
    UNKNOWN = "UNKNOWN"  # none of the account's
    GOOD = "GOOD"
    GONE = "GONE"  # nothing is served there any more


TOLD = (Verdict.REVOKED, Verdict.EXPIRED, Verdict.MISMATCHED, Verdict.EXPIRING, Verdict.UNKNOWN)
"""What people get a mail about."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the verdict of an endpoint depends on; `known` where it is one of the account's."""

    not_after: datetime
    known: bool
    current: bool
    revoked: bool
    mismatched: bool
    self_signed: bool
    chain_problem: bool
    gone: bool


def verdicts(facts: Facts, now: datetime) -> tuple[Verdict, ...]:
    """All that is to be said of an endpoint, the gravest first; never empty."""
    if facts.gone:
        return (Verdict.GONE,)
    left = facts.not_after - now
    said = {
        Verdict.REVOKED: facts.revoked,
        Verdict.EXPIRED: left < timedelta(0),
        Verdict.MISMATCHED: facts.mismatched,
        Verdict.EXPIRING: timedelta(0) <= left < SOON,
        Verdict.SELF_SIGNED: facts.self_signed,
        Verdict.CHAIN: facts.chain_problem,
        Verdict.OLD: facts.known and not facts.current and not facts.revoked,
        Verdict.UNKNOWN: not facts.known,
    }
    return tuple(one for one, true in said.items() if true) or (Verdict.GOOD,)


def next_run(repeat: str, now: datetime) -> datetime | None:
    """When a scan that begins now begins again by itself; None for one that does not."""
    every = _EVERY.get(repeat)
    return now + every if every else None


@dataclass(frozen=True, slots=True)
class Place:
    """One place to look at. `name` is the SNI, empty for none."""

    host: str
    port: int
    name: str
    protocol: Protocol


def place_of(listener: str, name: str) -> Place | None:
    """Where a target's listener is met; None for what is no `host:port`."""
    whole, _, port = listener.rpartition(":")
    if not (port.isascii() and port.isdigit()):
        return None
    try:
        protocol, host = starttls.split(whole)
        shown = str(egress.check_host(host.strip("[]")))
    except ConnectorError:
        return None
    return Place(shown, int(port), name.replace("*", WILDCARD_LABEL, 1), protocol)


@dataclass(frozen=True, slots=True)
class Block:
    """Hosts that stand together: `count` addresses from `first` on, or one name."""

    text: str
    first: Address | None = None
    count: int = 1

    def host(self, number: int) -> str:
        return self.text if self.first is None else str(self.first + number)


@dataclass(frozen=True, slots=True)
class Plan:
    """All places of a scan by their numbers: none is written out before its turn.

    Neighbours in it are different hosts, so that no host gets all of its connections at once.
    """

    blocks: tuple[Block, ...]
    spans: tuple[tuple[int, int], ...]
    names: tuple[str, ...]
    protocol: Protocol

    @property
    def hosts(self) -> int:
        return sum(one.count for one in self.blocks)

    @property
    def ports(self) -> int:
        return sum(last - first + 1 for first, last in self.spans)

    @property
    def total(self) -> int:
        return self.hosts * self.ports * max(1, len(self.names))

    def place(self, number: int) -> Place:
        rest, at = divmod(number, self.hosts)
        of_name, of_port = divmod(rest, self.ports)
        host, is_name = self._host(at)
        own = host if is_name else ""
        return Place(host, self._port(of_port), self.names[of_name] if self.names else own, self.protocol)

    def _host(self, number: int) -> tuple[str, bool]:
        at, within = _found([one.count for one in self.blocks], number)
        return self.blocks[at].host(within), self.blocks[at].first is None

    def _port(self, number: int) -> int:
        at, within = _found([last - first + 1 for first, last in self.spans], number)
        return self.spans[at][0] + within

    def places(self, start: int, most: int) -> Iterator[Place]:
        return (self.place(number) for number in range(start, min(self.total, start + most)))


def _found(lengths: Sequence[int], number: int) -> tuple[int, int]:
    """In which of several rows that stand one behind the other a number is, and at which place of it."""
    ends = list(accumulate(lengths))
    at = bisect_right(ends, number)
    return at, number - (ends[at] - lengths[at])


def plan(
    ranges: Sequence[str],
    ports: Sequence[str],
    names: Sequence[str],
    protocol: str,
    networks: Collection[Network],
) -> Plan:
    """The places of a scan.

    Args:
        networks: what the operator opened beside public addresses.

    Raises:
        BadParameter: what is no range, port, name or protocol, may not be asked, or is too much.
    """
    spoken = _protocol(protocol)
    if len(ranges) > MOST_RANGES:
        raise BadParameter(
            f"A scan has at most {MOST_RANGES} ranges.", next_step="Make several scans.", field="ranges"
        )
    spans = tuple(_span(one) for one in ports) or ((starttls.USUAL[spoken], starttls.USUAL[spoken]),)
    blocks = tuple(_block(one, networks) for one in dict.fromkeys(ranges))
    _check_ports(spans, blocks, spoken)
    made = Plan(blocks, spans, tuple(_name(one) for one in _few(names)), spoken)
    _check_size(made)
    return made


def _protocol(text: str) -> Protocol:
    if text not in set(Protocol):
        raise BadParameter(
            f"{text[:20]!r} is no protocol.", next_step=f"Use {', '.join(Protocol)}.", field="protocol"
        )
    return Protocol(text)


def _few(names: Sequence[str]) -> Sequence[str]:
    if len(names) > MOST_NAMES:
        raise BadParameter(
            f"A scan asks for at most {MOST_NAMES} names.", next_step="Make several scans.", field="sni"
        )
    return list(dict.fromkeys(names))


def _name(text: str) -> str:
    try:
        found = egress.check_host(text)
    except EgressRefused:
        found = ""
    if not isinstance(found, str) or not found or any(len(one) > 63 for one in found.split(".")):
        raise BadParameter(f"{text[:80]!r} is no host name.", next_step="Use a DNS name.", field="sni")
    return found


def _span(text: str) -> tuple[int, int]:
    first, mark, last = text.replace(" ", "").partition("-")
    both = (first, last if mark else first)
    if all(one.isascii() and one.isdigit() and len(one) <= 5 for one in both):
        low, high = map(int, both)
        if 0 < low <= high <= _LAST_PORT:
            return low, high
    raise BadParameter(
        f"{text[:40]!r} is no port.", next_step="Use a number, or a span as in 8000-8100.", field="ports"
    )


def _block(text: str, networks: Collection[Network]) -> Block:
    if "/" not in text:
        try:
            found = egress.check_host(text)
        except EgressRefused as refused:
            raise BadParameter(refused.message, next_step=_RANGES, field="ranges") from None
        if isinstance(found, str):
            return Block(found)
        network: Network = ipaddress.ip_network(found)
    else:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise BadParameter(f"{text[:80]!r} is no network.", next_step=_RANGES, field="ranges") from None
    _check_allowed(network, networks)
    return Block(str(network), network.network_address, network.num_addresses)


_RANGES = "Use host names, addresses, or networks as in 10.1.0.0/24."


def _check_allowed(network: Network, networks: Collection[Network]) -> None:
    if _within(network, networks) or (
        egress.is_public(network[0])
        and egress.is_public(network[-1])
        and network.num_addresses <= MOST_PUBLIC
    ):
        return
    raise BadParameter(
        f"{network} may not be looked through.",
        next_step=f"An operator opens networks by CERTDESK_ALLOW_NETWORKS; of public ones {MOST_PUBLIC} "
        "addresses at most are looked at.",
        field="ranges",
    )


def _within(network: Network, networks: Collection[Network]) -> bool:
    return any(
        network.version == one.version and network.subnet_of(one)  # type: ignore[arg-type]
        for one in networks
    )


def _check_ports(spans: Sequence[tuple[int, int]], blocks: Sequence[Block], protocol: Protocol) -> None:
    """The gate's own rule, told before anything begins; names are asked at the gate when their turn comes."""
    usual = starttls.PORTS[protocol]
    public = any(one.first is not None and egress.is_public(one.first) for one in blocks)
    for first, last in spans:
        if all(port in usual for port in range(first, min(last, first + len(usual)) + 1)):
            continue
        if first < _FIRST_FREE_PORT or public:
            listed = ", ".join(map(str, usual))
            raise BadParameter(
                f"Ports {first} to {last} may not be asked there.",
                next_step=f"At public addresses use {listed}; elsewhere those, or ports from 1024 on.",
                field="ports",
            )


def _check_size(made: Plan) -> None:
    if made.total > MOST_PLACES:
        raise BadParameter(
            f"The scan has {made.total} places; at most {MOST_PLACES} are looked at in one.",
            next_step="Take fewer addresses, ports or names, or make several scans.",
            field="ranges",
        )
