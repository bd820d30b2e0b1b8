"""What a web server's configuration says of certificates: their files, names and listeners. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from certdesk.connectors.targets.protocol import Bundle, without_blanks

PLAIN = "http:"
"""Begins the id of a site without HTTPS: there is no certificate to replace."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Paths; `key` is `certificate` where one file holds both, `chain` only where it is a file of its own."""

    certificate: str
    key: str
    chain: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Each file once, the key first."""
        return tuple(dict.fromkeys(one for one in (self.key, self.certificate, self.chain) if one))

    def contents(self, bundle: Bundle) -> tuple[str, ...]:
        """What these files hold for a certificate, in the order of `paths`."""
        leaf, chain, key = (without_blanks(one) for one in (bundle.leaf, bundle.chain, bundle.key))
        above = "" if self.chain else chain
        together = self.key == self.certificate
        own = (f"{leaf}{above}{key}",) if together else (key, f"{leaf}{above}")
        return (*own, chain) if self.chain else own


@dataclass(frozen=True, slots=True)
class Site:
    """One server block: names as the configuration has them, `host:port` of its TLS listeners."""

    names: tuple[str, ...]
    listeners: tuple[str, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class PlaceOfPair:
    """A pair with everything that uses it."""

    pair: Pair
    names: tuple[str, ...]
    listeners: tuple[str, ...]


def places(sites: Iterable[Site], wanted: Sequence[str] = ()) -> tuple[PlaceOfPair, ...]:
    """Each pair once. `wanted`: listeners that stand for those of the configuration, see `heard_at`."""
    found: dict[Pair, tuple[dict[str, None], dict[str, None]]] = {}
    sites = tuple(sites)
    ports = {port_of(one) for site in sites for one in site.listeners}
    for site in sites:
        for pair in site.pairs:
            names, listeners = found.setdefault(pair, ({}, {}))
            names.update(dict.fromkeys(site.names))
            listeners.update(dict.fromkeys(heard_at(site, wanted, ports)))
    return tuple(PlaceOfPair(pair, tuple(names), tuple(where)) for pair, (names, where) in found.items())


def heard_at(site: Site, wanted: Sequence[str], ports: set[str]) -> tuple[str, ...]:
    """A wanted listener at a port of the configuration is for the sites of that port, any other for all."""
    if not wanted:
        return site.listeners
    own = {port_of(one) for one in site.listeners}
    return tuple(one for one in wanted if port_of(one) in own or port_of(one) not in ports)


def without_https(sites: Iterable[Site]) -> tuple[str, ...]:
    """Names of sites that have no certificate anywhere."""
    sites = tuple(sites)
    served = {name for site in sites if site.pairs for name in site.names}
    return tuple(
        dict.fromkeys(name for site in sites if not site.pairs for name in site.names if name not in served)
    )


def shared_keys(found: Iterable[PlaceOfPair]) -> frozenset[str]:
    """Key files that belong to more than one certificate file."""
    keys = [one.pair.key for one in found]
    return frozenset(key for key in keys if keys.count(key) > 1)


def port_of(listener: str) -> str:
    return listener.rpartition(":")[2]


def reached_at(address: str, port: str) -> str:
    """Where a client on this machine meets a listening address, e.g. `*` at loopback."""
    host = address.strip("[]")
    if host in ("", "*", "0.0.0.0", "_default_"):  # noqa: S104 what a configuration says, nothing is bound
        return f"127.0.0.1:{port}"
    if host == "::":
        return f"[::1]:{port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
