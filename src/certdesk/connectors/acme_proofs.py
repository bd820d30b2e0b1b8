"""Has the client set what its ACME challenge asks for? http-01 and tls-alpn-01, through the egress gate.

RFC 8555 §8.3, RFC 8737, RFC 8738; dns-01 is a TXT record like any other (`dns.proof`).
"""

import asyncio
import hashlib
import ipaddress
import ssl
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from certdesk.connectors.dns.lookup import printable
from certdesk.connectors.egress import Network
from certdesk.connectors.http import Resolve, fetch, unverified
from certdesk.connectors.probe import addresses
from certdesk.connectors.protocol import ConnectorError, EgressRefused

CHECK_SECONDS = 10.0
MOST_BYTES = 4096
MOST_REDIRECTS = 10
PROTOCOL = "acme-tls/1"
IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTETS = b"\x04\x20"  # DER of an OCTET STRING of 32 bytes
_TLS, _PLAIN = 443, 80
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class ProofAnswer(StrEnum):
    """What a look saw."""

    MATCH = "MATCH"
    WRONG_VALUE = "WRONG_VALUE"
    NO_FILE = "NO_FILE"
    REFUSED = "REFUSED"  # our own gate refused the place, first or after a redirect
    NO_ANSWER = "NO_ANSWER"


_WEIGHT = (ProofAnswer.WRONG_VALUE, ProofAnswer.NO_FILE, ProofAnswer.REFUSED, ProofAnswer.NO_ANSWER)


@dataclass(frozen=True, slots=True)
class ProofSeen:
    """The result of one look: `sentence` says what was seen."""

    answer: ProofAnswer
    sentence: str


@dataclass(frozen=True, slots=True)
class Way:
    """How the outside world is reached.

    Attributes:
        ports: of the settings; 80 and 443 unless a laboratory has others.
    """

    ports: Collection[int]
    allow_networks: Collection[Network]
    resolver: Resolve


async def check_http(name: str, path: str, expected: str, way: Way) -> ProofSeen:
    """http-01: plain http first; redirects may lead to https on the allowed ports."""
    host = f"[{name}]" if ":" in name else name
    places = [
        f"http://{host}{'' if port == _PLAIN else f':{port}'}{path}" for port in way.ports if port != _TLS
    ]
    return _best([await _fetched(url, expected, way) for url in places], name)


async def _fetched(url: str, expected: str, way: Way) -> ProofSeen:
    try:
        got = await fetch(
            url,
            ports=way.ports,
            allow_networks=way.allow_networks,
            max_bytes=MOST_BYTES,
            total_timeout=CHECK_SECONDS,
            max_redirects=MOST_REDIRECTS,
            resolver=way.resolver,
            verify_tls=False,
        )
    except EgressRefused as error:
        return ProofSeen(ProofAnswer.REFUSED, error.message)
    except (ConnectorError, ssl.SSLError) as error:
        return ProofSeen(ProofAnswer.NO_ANSWER, str(error))
    if got.status != 200:
        return ProofSeen(ProofAnswer.NO_FILE, f"{got.url:.200} answered status {got.status}.")
    if got.body.rstrip() == expected.encode():
        return ProofSeen(ProofAnswer.MATCH, f"{got.url:.200} has the key authorization.")
    return ProofSeen(
        ProofAnswer.WRONG_VALUE,
        f'{got.url:.200} answered with other text, beginning "{printable(got.body, 60)}".',
    )


def _best(seen: Sequence[ProofSeen], name: str) -> ProofSeen:
    for wanted in (ProofAnswer.MATCH, *_WEIGHT):
        for one in seen:
            if one.answer is wanted:
                return one
    return ProofSeen(ProofAnswer.NO_ANSWER, f"There is no port on which {name} may be asked.")


async def check_alpn(name: str, expected: str, way: Way) -> ProofSeen:
    """tls-alpn-01: every address, on the ports that are not plain http's; one that shows it is enough."""
    digest = hashlib.sha256(expected.encode()).digest()
    found: list[ProofSeen] = []
    for port in (one for one in way.ports if one != _PLAIN):
        try:
            places = await addresses(name, port, tuple(way.allow_networks), way.resolver, (port,))
        except EgressRefused as error:
            found.append(ProofSeen(ProofAnswer.REFUSED, error.message))
            continue
        except ConnectorError as error:
            found.append(ProofSeen(ProofAnswer.NO_ANSWER, error.message))
            continue
        found += [await _shaken(place, port, name, digest) for place in places[:2]]
    return _best(found, name)


async def _shaken(place: str, port: int, name: str, digest: bytes) -> ProofSeen:
    where = f"[{place}]:{port}" if ":" in place else f"{place}:{port}"
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            chosen, leaf = await _handshake(place, port, server_name(name))
    except TimeoutError:
        return ProofSeen(ProofAnswer.NO_ANSWER, f"{where} did not answer within {CHECK_SECONDS:g} s.")
    except (OSError, ssl.SSLError) as error:
        return ProofSeen(
            ProofAnswer.NO_ANSWER, f"No TLS connection to {where}: {printable(str(error).encode(), 100)}."
        )
    if chosen != PROTOCOL:
        return ProofSeen(ProofAnswer.NO_FILE, f"{where} does not speak {PROTOCOL}.")
    fault = fault_of(leaf, name, digest)
    if fault:
        return ProofSeen(ProofAnswer.WRONG_VALUE, f"The certificate of {where} {fault}.")
    return ProofSeen(ProofAnswer.MATCH, f"{where} shows the certificate of the challenge.")


def server_name(name: str) -> str:
    """SNI: the name itself, of an address its name in the reverse zone (RFC 8738 §6)."""
    try:
        return ipaddress.ip_address(name).reverse_pointer
    except ValueError:
        return name


async def _handshake(place: str, port: int, name: str) -> tuple[str, bytes]:
    context = unverified()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([PROTOCOL])
    _, writer = await asyncio.open_connection(place, port, ssl=context, server_hostname=name)
    try:
        found = writer.get_extra_info("ssl_object")
        return found.selected_alpn_protocol() or "", found.getpeercert(binary_form=True) or b""
    finally:
        writer.transport.abort()


def fault_of(leaf: bytes, name: str, digest: bytes) -> str:
    """What is wrong with the certificate of a challenge (RFC 8737 §3); empty when it proves the name."""
    try:
        certificate = x509.load_der_x509_certificate(leaf)
        names = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        held = certificate.extensions.get_extension_for_oid(IDENTIFIER)
    except _UNREADABLE:
        return "cannot be read"
    except x509.ExtensionNotFound as missing:
        return f"lacks the extension {missing.oid.dotted_string}"
    if not held.critical or not isinstance(held.value, x509.UnrecognizedExtension):
        return "does not mark the extension of the challenge critical"
    if len(names) != 1 or _plain(names[0]) != name.lower():
        return "is not for this name alone"
    return "" if held.value.value == _OCTETS + digest else "holds another key authorization"


def _plain(one: x509.GeneralName) -> str:
    if isinstance(one, x509.DNSName):
        return one.value.lower()
    return str(one.value) if isinstance(one, x509.IPAddress) else ""
