"""What is really served: a TLS client of our own, which alone decides whether something counts as deployed.

Each address of the listener is asked with the name as SNI, through the egress gate; where the server holds
certificates of two key types, the expected one is asked for by itself. Nothing is sent after the handshake.
"""

import asyncio
import hashlib
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from certdesk.connectors import handshake, starttls
from certdesk.connectors.egress import Network, check_host, is_allowed, is_public, plain
from certdesk.connectors.handshake import End, Met, Why
from certdesk.connectors.http import Resolve
from certdesk.connectors.protocol import ConnectorError, EgressRefused
from certdesk.connectors.starttls import Protocol
from certdesk.pki.x509.certificates import facts
from certdesk.pki.x509.errors import BadCertificate
from certdesk.pki.x509.names import match

SECONDS = 5.0
MOST_ADDRESSES = 8
WILDCARD_LABEL = "certdesk-check"
"""What stands for `*` when a wildcard name is looked at."""

_UNPRIVILEGED = 1024


class Verdict(StrEnum):
    """What one look saw."""

    NEW = "NEW"
    PREVIOUS = "PREVIOUS"
    OURS = "OURS"  # another certificate of the account
    UNKNOWN = "UNKNOWN"
    WRONG_CHAIN = "WRONG_CHAIN"  # the new one, without the certificates that lead to its root
    NAME_MISMATCH = "NAME_MISMATCH"  # the new one, for a name that it does not cover
    REFUSED = "REFUSED"  # a server answered and ended the handshake
    UNREACHABLE = "UNREACHABLE"


@dataclass(frozen=True, slots=True)
class Expected:
    """What should be served.

    Attributes:
        new: SHA-256 of the leaf, lower-case hex, as everywhere here.
        previous: that of the certificate before, empty when not known.
        ours: fingerprints of other certificates of the account.
        chain: fingerprints of the certificates that must be sent with the leaf; a root need not be.
        key: `RSA` or `EC`: the key type of the new one, empty when it does not matter.
    """

    new: str
    previous: str = ""
    ours: frozenset[str] = frozenset()
    chain: frozenset[str] = frozenset()
    key: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """What a handshake showed: DER of the leaf first. Foreign bytes, not checked."""

    leaf: bytes
    others: tuple[bytes, ...] = ()

    @property
    def fingerprint(self) -> str:
        return _digest(self.leaf)


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: `address` as host:port, `fingerprint` of what was served (empty for none)."""

    address: str
    name: str
    verdict: Verdict
    sentence: str
    fingerprint: str = ""


async def look(
    host: str,
    port: int,
    name: str,
    expected: Expected,
    *,
    allow_networks: Collection[Network] = (),
    resolver: Resolve | None = None,
    seconds: float = SECONDS,
) -> tuple[Seen, ...]:
    """What every address of `host` serves at `port` for `name`; never raises for what the other side does.

    Args:
        host: a name or address; `smtp://mail.example.test` begins in plain, as in `starttls.Protocol`.
        name: a DNS name; for a wildcard one name below it is asked.
        allow_networks: networks beside public addresses, where any unprivileged port may be asked too.
        seconds: for one handshake, connecting included.
    """
    asked = name.replace("*", WILDCARD_LABEL, 1)
    try:
        protocol, host = starttls.split(host)
        found = await addresses(host, port, tuple(allow_networks), resolver, starttls.PORTS[protocol])
    except ConnectorError as error:
        return (Seen(f"{host}:{port}", asked, Verdict.UNREACHABLE, error.message),)
    places = [_Place(address, port, asked, protocol, seconds) for address in found]
    return tuple(await asyncio.gather(*(_look_at(place, expected) for place in places)))


@dataclass(frozen=True, slots=True)
class _Place:
    address: str
    port: int
    name: str
    protocol: Protocol
    seconds: float

    @property
    def where(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    async def meet(self, key: str = "") -> Met:
        return await handshake.meet(self.address, self.port, self.name, self.protocol, self.seconds, key=key)


async def _look_at(place: _Place, expected: Expected) -> Seen:
    met = await place.meet()
    first = _judged(place, expected, met)
    if first.verdict is Verdict.NEW:
        return await _other_key(place, expected, first)
    if expected.key and first.verdict in (Verdict.PREVIOUS, Verdict.OURS, Verdict.UNKNOWN):
        return await _own_key(place, expected, first)
    if met.why is Why.HANDSHAKE:
        return await _old_only(place, first)
    return first


async def _own_key(place: _Place, expected: Expected, first: Seen) -> Seen:
    """Another certificate answered: the server may hold the expected one beside it, for its own key type.

    What clients get that take either must not be the certificate that was to go.
    """
    second = _judged(place, expected, await place.meet(expected.key))
    if second.verdict is not Verdict.NEW:
        return first
    if first.verdict is Verdict.PREVIOUS:
        told = "still the previous certificate, but for clients that take the new one's kind of key alone."
        return _seen(place, Verdict.PREVIOUS, told, first.fingerprint)
    return second


async def _other_key(place: _Place, expected: Expected, first: Seen) -> Seen:
    """The new one was seen; clients of the other key type must not get the one that it replaced."""
    if not expected.key or not expected.previous or expected.previous == expected.new:
        return first
    other = "RSA" if expected.key != "RSA" else "EC"
    second = _judged(place, expected, await place.meet(other))
    if second.verdict is not Verdict.PREVIOUS:
        return first  # none of that type, or one that this deployment does not touch
    told = "the new certificate, but clients that take another kind of key still get the previous one."
    return _seen(place, Verdict.PREVIOUS, told, second.fingerprint)


async def _old_only(place: _Place, first: Seen) -> Seen:
    """A refusal in better words, where only clients of former times are served."""
    met = await handshake.meet(place.address, place.port, place.name, place.protocol, place.seconds, old=True)
    if met.why is not None or met.version not in handshake.OLD:
        return first
    told = f"it speaks {met.version} at best, which clients refuse"
    refused = f"{place.where} refused the handshake for {place.name}: {told}."
    return Seen(place.where, place.name, Verdict.REFUSED, refused)


def _judged(place: _Place, expected: Expected, met: Met) -> Seen:
    if met.why is not None:
        verdict = Verdict.UNREACHABLE if met.end is End.UNREACHABLE else Verdict.REFUSED
        return Seen(place.where, place.name, verdict, _failure(place, met))
    served = Served(met.chain[0] if met.chain else b"", met.chain[1:])
    verdict, sentence = judge(served, expected, place.name)
    return _seen(place, verdict, sentence, served.fingerprint)


def _seen(place: _Place, verdict: Verdict, sentence: str, fingerprint: str) -> Seen:
    return Seen(place.where, place.name, verdict, f"{place.where} for {place.name}: {sentence}", fingerprint)


def _failure(place: _Place, met: Met) -> str:
    where, name = place.where, place.name
    if met.why is Why.NO_STARTTLS:
        return f"{where} does not change to TLS: it answered '{met.told}'."
    if met.why is Why.SILENT:
        return f"{where} did not finish the handshake for {name} within {place.seconds:g} s."
    if met.why is Why.CLOSED:
        return f"{where} closed the connection in the handshake for {name}."
    if met.why in (Why.NO_CONNECTION, Why.NO_ANSWER):
        return f"No connection to {where}: {met.told}."
    return f"{where} refused the handshake for {name}: {handshake.words(met.told)}."


def judge(served: Served, expected: Expected, name: str) -> tuple[Verdict, str]:
    """The verdict on one handshake, and its words."""
    found = served.fingerprint
    if found != expected.new:
        return _other(served, expected)
    missing = expected.chain - {_digest(one) for one in served.others}
    if missing:
        return Verdict.WRONG_CHAIN, (
            f"the new certificate, but {len(missing)} of the certificates above it are not sent."
        )
    if not _in_order(served, expected.chain):
        return Verdict.WRONG_CHAIN, "the new certificate, but those above it are sent in the wrong order."
    if not any(match(pattern, name) for pattern in facts(served.leaf).names):
        return Verdict.NAME_MISMATCH, "the new certificate, which does not cover this name."
    return Verdict.NEW, "the new certificate."


def _in_order(served: Served, wanted: frozenset[str]) -> bool:
    """Each is followed by its issuer, until all that are wanted were met: strict clients go no other way."""
    lower, left = served.leaf, set(wanted)
    for upper in served.others:
        if not left:
            break
        if not _follows(lower, upper):
            return False
        left.discard(_digest(upper))
        lower = upper
    return True


def _follows(lower: bytes, upper: bytes) -> bool:
    try:
        return facts(lower).issuer == facts(upper).subject
    except BadCertificate:  # what stands between is foreign, and no client gets past it
        return False


def _other(served: Served, expected: Expected) -> tuple[Verdict, str]:
    if served.fingerprint == expected.previous:
        return Verdict.PREVIOUS, "still the previous certificate."
    told = _described(served.leaf)
    if served.fingerprint in expected.ours:
        return Verdict.OURS, f"another certificate of this account ({told})."
    return Verdict.UNKNOWN, f"a certificate that this account does not know ({told})."


def _described(leaf: bytes) -> str:
    try:
        found = facts(leaf)
    except BadCertificate:
        return "it cannot be read"
    until = f"{found.not_after:%Y-%m-%d %H:%M:%S}"
    if found.subject == found.issuer:
        return f"serial {found.serial}, valid until {until} UTC, signed by itself"
    return f"serial {found.serial}, valid until {until} UTC"


def _digest(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


async def addresses(
    host: str,
    port: int,
    networks: tuple[Network, ...],
    resolver: Resolve | None,
    usual: Collection[int],
) -> list[str]:
    """Resolved once; only what the gate lets through.

    Args:
        usual: ports that may be asked at public addresses.

    Raises:
        EgressRefused: nothing of it. ConnectorError: the name has no address.
    """
    target = check_host(host)
    found = [str(target)] if not isinstance(target, str) else await _resolved(target, resolver)
    allowed = [str(plain(one)) for one in found if is_allowed(one, networks) and _port_open(one, port, usual)]
    if not allowed:
        shown = ", ".join(found[:MOST_ADDRESSES])
        raise EgressRefused(
            f"{host}:{port} leads to {shown}: not public at a port of {_listed(usual)}, and not in "
            "CERTDESK_ALLOW_NETWORKS."
        )
    return allowed[:MOST_ADDRESSES]


def _listed(ports: Collection[int]) -> str:
    return ", ".join(map(str, sorted(ports)))


def _port_open(address: str, port: int, usual: Collection[int]) -> bool:
    return port in usual or (port >= _UNPRIVILEGED and not is_public(plain(address)))


async def _resolved(host: str, resolver: Resolve | None) -> Sequence[str]:
    try:
        if resolver is not None:
            found = list(await resolver(host))
        else:
            rows = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(row[4][0]) for row in rows))
    except OSError as error:
        raise ConnectorError(f"The name {host} has no address: {error}.", permanent=False) from None
    if not found:
        raise ConnectorError(f"The name {host} has no address.", permanent=False)
    return found
