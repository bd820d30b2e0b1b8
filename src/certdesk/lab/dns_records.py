"""The lab DNS server's records: thread-safe, with zones made up where none are declared."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
from publicsuffixlist import PublicSuffixList

IN = dns.rdataclass.IN
NEGATIVE_TTL = 5
"""Seconds for which absence may be remembered; short, since a lab is for trying again."""


@cache
def _suffixes() -> Any:
    return PublicSuffixList()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One record set, as a reader outside sees it."""

    owner: str
    type: str
    ttl: int
    values: tuple[str, ...]


class Records:
    """Owner → type → record set.

    Args:
        zones: the zones to be authoritative for; none = everything, each name's zone being made up
            (registrable domain by the public suffix list).
        address: the address that the made-up name server `ns1.<zone>` has.
    """

    def __init__(self, zones: Iterable[str] = (), address: str = "127.0.0.1") -> None:
        self.zones = frozenset(to_name(zone) for zone in zones)
        self._address = address
        self._sets: dict[dns.name.Name, dict[dns.rdatatype.RdataType, dns.rdataset.Rdataset]] = {}
        self._nodes: set[dns.name.Name] = set()  # owners and the names above them; empty = to be made anew
        self._lock = threading.RLock()
        self.serial = 1

    def add_zone(self, zone: str) -> None:
        self.zones |= {to_name(zone)}

    def set(self, owner: str, rdtype: str, values: Sequence[str], ttl: int = 300) -> None:
        """Replace the record set. A TXT value without quotation marks is taken as it stands.

        Raises:
            dns.exception.DNSException: a name, type or value cannot be read.
        """
        kind = dns.rdatatype.from_text(rdtype)
        records = [_rdata(kind, value) for value in values]
        self.put(to_name(owner), dns.rdataset.from_rdata_list(ttl, records))

    def put(self, name: dns.name.Name, rdataset: dns.rdataset.Rdataset) -> None:
        with self._lock:
            self._sets.setdefault(name, {})[rdataset.rdtype] = rdataset
            self.serial += 1
            if self._nodes:
                self._add_node(name)

    def remove(self, owner: str, rdtype: str | None = None) -> bool:
        """Delete a record set, or all of the owner's; true when something was there."""
        return self.delete(to_name(owner), None if rdtype is None else dns.rdatatype.from_text(rdtype))

    def delete(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType | None = None) -> bool:
        with self._lock:
            node = self._sets.get(name, {})
            gone = list(node) if rdtype is None else [rdtype] if rdtype in node else []
            for one in gone:
                del node[one]
            if not node:
                self._sets.pop(name, None)
            self.serial += 1
            self._nodes.clear()
            return bool(gone)

    def change(self, work: Callable[[], None]) -> None:
        """Several changes that no question sees by halves."""
        with self._lock:
            work()

    def _add_node(self, name: dns.name.Name) -> None:
        while name not in self._nodes:
            self._nodes.add(name)
            if name != dns.name.root:
                name = name.parent()

    def get(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> dns.rdataset.Rdataset | None:
        """The record set of a name or of the wildcard that covers it."""
        return self.node(name).get(rdtype)

    def node(self, name: dns.name.Name) -> dict[dns.rdatatype.RdataType, dns.rdataset.Rdataset]:
        """All record sets at a name; those of `*.<closest encloser>` when the name does not exist."""
        with self._lock:
            if name in self._sets or self.exists(name):
                return dict(self._sets.get(name, {}))
            while name != dns.name.root:
                name = name.parent()
                if self.exists(name):
                    return dict(self._sets.get(dns.name.Name((b"*", *name.labels)), {}))
            return {}

    def exists(self, name: dns.name.Name) -> bool:
        """True for an owner and for a name above one (an empty non-terminal, RFC 8020)."""
        with self._lock:
            if not self._nodes:
                for owner in self._sets:
                    self._add_node(owner)
            return name in self._nodes

    def zone_of(self, name: dns.name.Name) -> dns.name.Name | None:
        """The apex of the zone that holds `name`; none when the server is not authoritative for it."""
        if self.zones:
            return max((zone for zone in self.zones if name.is_subdomain(zone)), key=len, default=None)
        text = name.to_text(omit_final_dot=True).lower()
        private = None if name == dns.name.root else _suffixes().privatesuffix(text)
        if private:
            return to_name(private)
        return dns.name.root if len(name) <= 2 else dns.name.Name(name.labels[-3:])

    def cut_of(self, name: dns.name.Name, zone: dns.name.Name) -> dns.name.Name | None:
        """The highest delegation (NS records below the apex) at or above `name`."""
        cut = None
        with self._lock:
            while len(name) > len(zone):
                if dns.rdatatype.NS in self._sets.get(name, {}):
                    cut = name
                name = name.parent()
        return cut

    def soa(self, zone: dns.name.Name) -> dns.rdataset.Rdataset:
        """The zone's SOA record set, made up unless one was set."""
        text = f"{_below('ns1', zone)} {_below('hostmaster', zone)} {self.serial} 60 60 86400 {NEGATIVE_TTL}"
        made = dns.rdata.from_text(IN, dns.rdatatype.SOA, text)
        return self.get(zone, dns.rdatatype.SOA) or dns.rdataset.from_rdata(NEGATIVE_TTL, made)

    def made_up(
        self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, zone: dns.name.Name
    ) -> dns.rdataset.Rdataset | None:
        """SOA and NS of an apex and the address of its `ns1`, where nobody set them."""
        if name == zone and rdtype == dns.rdatatype.SOA:
            return self.soa(zone)
        if name == zone and rdtype == dns.rdatatype.NS:
            return dns.rdataset.from_text(IN, rdtype, 300, _below("ns1", zone))
        if name.to_text() == _below("ns1", zone) and rdtype == dns.rdatatype.A:
            return dns.rdataset.from_text(IN, rdtype, 300, self._address)
        return None

    def snapshot(self) -> list[Snapshot]:
        """Every record set, sorted."""
        with self._lock:
            found = [
                Snapshot(
                    owner.to_text(),
                    dns.rdatatype.to_text(rdtype),
                    rdataset.ttl,
                    tuple(record.to_text() for record in rdataset),
                )
                for owner, node in self._sets.items()
                for rdtype, rdataset in node.items()
            ]
        return sorted(found, key=lambda one: (one.owner, one.type))


def to_name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def _below(label: str, zone: dns.name.Name) -> str:
    return dns.name.Name((label.encode(), *zone.labels)).to_text()


def _rdata(rdtype: dns.rdatatype.RdataType, value: str) -> dns.rdata.Rdata:
    if rdtype == dns.rdatatype.TXT and not value.startswith('"'):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        value = " ".join(f'"{escaped[start : start + 200]}"' for start in range(0, len(escaped) or 1, 200))
    return dns.rdata.from_text(IN, rdtype, value, origin=dns.name.root, relativize=False)
