"""What is really served: a TLS client of our own, which alone decides whether something counts as deployed.

Each address of the listener is asked with the name as SNI, through the egress gate; where the server holds
certificates of two key types, the expected one is asked for by itself. Nothing is sent after the handshake.
"""

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from certdesk.connectors.egress import Network, check_host, is_allowed, is_public, plain
from certdesk.connectors.http import Resolve
from certdesk.connectors.protocol import ConnectorError, EgressRefused
from certdesk.pki.x509.certificates import facts
from certdesk.pki.x509.errors import BadCertificate
from certdesk.pki.x509.names import match

SECONDS = 5.0
USUAL_PORTS = frozenset({443, 8443})
MOST_ADDRESSES = 8
WILDCARD_LABEL = "certdesk-check"
"""What stands for `*` when a wildcard name is looked at."""

_UNPRIVILEGED = 1024
_HEADER_BYTES = 64 * 1024
_MOST_CHAIN = 100


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
        name: a DNS name; for a wildcard one name below it is asked.
        allow_networks: networks beside public addresses, where any unprivileged port may be asked too.
        seconds: for one handshake, connecting included.
    """
    asked = name.replace("*", WILDCARD_LABEL, 1)
    try:
        found = await addresses(host, port, tuple(allow_networks), resolver)
    except ConnectorError as error:
        return (Seen(f"{host}:{port}", asked, Verdict.UNREACHABLE, error.message),)
    return tuple(
        await asyncio.gather(*(_look_at(address, port, asked, expected, seconds) for address in found))
    )


async def _look_at(address: str, port: int, name: str, expected: Expected, seconds: float) -> Seen:
    first = await _one(address, port, name, expected, seconds, "")
    if not expected.key or first.verdict not in (Verdict.PREVIOUS, Verdict.OURS, Verdict.UNKNOWN):
        return first
    second = await _one(address, port, name, expected, seconds, expected.key)
    return second if second.verdict is Verdict.NEW else first


async def _one(address: str, port: int, name: str, expected: Expected, seconds: float, key: str) -> Seen:
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        async with asyncio.timeout(seconds):
            served = await _handshake(address, port, name, key)
    except ssl.SSLError as error:
        told = error.reason or "it broke off"
        return Seen(where, name, Verdict.REFUSED, f"{where} refused the handshake for {name}: {told}.")
    except TimeoutError:
        told = f"{where} did not finish the handshake for {name} within {seconds:g} s."
        return Seen(where, name, Verdict.UNREACHABLE, told)
    except ConnectionResetError:
        return Seen(
            where, name, Verdict.REFUSED, f"{where} closed the connection in the handshake for {name}."
        )
    except OSError as error:
        return Seen(where, name, Verdict.UNREACHABLE, f"No connection to {where}: {error.strerror or error}.")
    verdict, sentence = judge(served, expected, name)
    return Seen(where, name, verdict, f"{where} for {name}: {sentence}", served.fingerprint)


async def _handshake(address: str, port: int, name: str, key: str) -> Served:
    _, writer = await asyncio.open_connection(
        address, port, limit=_HEADER_BYTES, ssl=context_of(key), server_hostname=name
    )
    try:
        found = writer.get_extra_info("ssl_object")
        leaf = found.getpeercert(binary_form=True)
        return Served(leaf or b"", sent_chain(found)[1:])
    finally:
        writer.transport.abort()


def context_of(key: str = "") -> ssl.SSLContext:
    """Any certificate is taken: what it is, is the question. A key type can be asked for up to TLS 1.2."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if key:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE+aRSA" if key == "RSA" else "ECDHE+aECDSA")
    return context


def sent_chain(found: Any) -> tuple[bytes, ...]:
    """Every certificate that the server sent; public in Python 3.13, `_sslobj` before."""
    reader = getattr(found, "get_unverified_chain", None)
    if reader is not None:
        return tuple(one for one in reader() if isinstance(one, bytes))[:_MOST_CHAIN]
    chain = found._sslobj.get_unverified_chain() or ()
    return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in chain)[:_MOST_CHAIN]


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
    if not any(match(pattern, name) for pattern in facts(served.leaf).names):
        return Verdict.NAME_MISMATCH, "the new certificate, which does not cover this name."
    return Verdict.NEW, "the new certificate."


def _other(served: Served, expected: Expected) -> tuple[Verdict, str]:
    if served.fingerprint == expected.previous:
        return Verdict.PREVIOUS, "still the previous certificate."
    told = _described(served.leaf)
    if served.fingerprint in expected.ours:
        return Verdict.OURS, f"another certificate of this account ({told})."
    return Verdict.UNKNOWN, f"a certificate that this account does not know ({told})."


def _described(leaf: bytes) -> str:
    try:
        return f"serial {facts(leaf).serial}"
    except BadCertificate:
        return "it cannot be read"


def _digest(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


async def addresses(
    host: str,
    port: int,
    networks: tuple[Network, ...],
    resolver: Resolve | None,
    usual: Collection[int] = USUAL_PORTS,
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
