"""What a certificate, CSR or key is, for people: names, dates, key, what is odd about it.

Nothing is trusted or refused here. Pure.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from . import certificates, chains, csr, findings, keys, pem, weak_keys
from .certificates import CertificateFacts
from .errors import BadCsr, WeakKey, shown
from .findings import Finding
from .reading import AnyKey

Blocked = Callable[[bytes], bool]
"""Says whether an SPKI's SHA-256 is on a list of compromised keys."""


class Force(StrEnum):
    IN_FORCE = "IN_FORCE"
    NOT_YET = "NOT_YET"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class CertificateTold:
    """One certificate.

    Attributes:
        facts: names, dates, fingerprints, key.
        self_signed: its own key signed it.
        findings: what is odd, the worst first; `place` counts from 1 within the chain.
    """

    der: bytes
    facts: CertificateFacts
    common_name: str
    force: Force
    is_ca: bool
    self_signed: bool
    usages: tuple[str, ...]
    ocsp: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class RequestTold:
    """One CSR. `findings`: why the service would refuse it, or what it would ignore."""

    der: bytes
    subject: str
    names: tuple[str, ...]
    key: str
    spki_sha256: bytes
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class KeyTold:
    """One private key: its public half's facts alone."""

    key: str
    spki_sha256: bytes
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ChainTold:
    """Whether the certificates lead from one to the next, in words.

    Attributes:
        linked: each is signed by the next.
        complete: linked, and the last one signed itself.
    """

    linked: bool
    complete: bool
    sentence: str


def certificate(
    chain: Sequence[x509.Certificate], place: int, now: datetime, blocked: Blocked
) -> CertificateTold:
    """The certificate at `place` (1 = the first) of a chain in order.

    Raises:
        BadCertificate: it cannot be read after all.
    """
    one = chain[place - 1]
    der = one.public_bytes(Encoding.DER)
    facts = certificates.facts(der)
    return CertificateTold(
        der=der,
        facts=facts,
        common_name=_common_name(one.subject),
        force=force_of(facts, now),
        is_ca=_is_ca(one),
        self_signed=signed_by(one, one),
        usages=_usages(one),
        ocsp=_ocsp(one),
        findings=tuple(_findings(chain, place, facts, now, blocked)),
    )


def force_of(facts: CertificateFacts, now: datetime) -> Force:
    now = now.replace(microsecond=0)
    if now > facts.not_after:
        return Force.EXPIRED
    return Force.NOT_YET if now < facts.not_before else Force.IN_FORCE


def request(one: x509.CertificateSigningRequest, blocked: Blocked) -> RequestTold:
    """A CSR, with what the gate of applications says about it."""
    der = one.public_bytes(Encoding.DER)
    public_key = one.public_key()
    return RequestTold(
        der=der,
        subject=one.subject.rfc4514_string(),
        names=_requested(one),
        key=keys.describe(public_key),
        spki_sha256=keys.spki_sha256(public_key),
        findings=tuple(_request_findings(one, blocked)),
    )


def key(one: AnyKey, blocked: Blocked) -> KeyTold:
    public_key = one.public_key()
    return KeyTold(
        keys.describe(public_key), keys.spki_sha256(public_key), tuple(_weak(public_key, 1, blocked))
    )


def chain(ordered: Sequence[x509.Certificate]) -> ChainTold:
    """The chain in words; `ordered` as `reading.in_order` puts it, at least one."""
    for place in range(1, len(ordered)):
        if not signed_by(ordered[place - 1], ordered[place]):
            told = f"Certificate {place + 1} did not sign certificate {place}: they are no chain."
            return ChainTold(False, False, told)
    if signed_by(ordered[-1], ordered[-1]):
        if len(ordered) == 1:
            return ChainTold(True, True, "It signed itself: there is no CA above it.")
        return ChainTold(True, True, f"{len(ordered)} certificates, each signed by the next, up to the root.")
    above = f"'{shown(ordered[-1].issuer.rfc4514_string())}'"
    if len(ordered) == 1:
        return ChainTold(True, False, f"Its issuer {above} is not among what was given.")
    told = f"{len(ordered)} certificates, each signed by the next; their root {above} is not among them."
    return ChainTold(True, False, told)


def signed_by(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    """Whether `upper` has the name of the issuer, and its key made the signature."""
    try:
        lower.verify_directly_issued_by(upper)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _findings(
    ordered: Sequence[x509.Certificate], place: int, facts: CertificateFacts, now: datetime, blocked: Blocked
) -> Iterator[Finding]:
    when = facts.not_after, facts.not_before
    if now > when[0]:
        yield Finding("expired", place, f"It expired on {when[0]:%Y-%m-%d %H:%M:%S} UTC.")
    if now < when[1]:
        yield Finding("not-yet-valid", place, f"It is not valid before {when[1]:%Y-%m-%d %H:%M:%S} UTC.")
    one = ordered[place - 1]
    if not _is_ca(one):
        yield from _weak(one.public_key(), place, blocked)
        if not facts.names:
            yield Finding("no-names", place, "It names no host: browsers read the subjectAltName alone.")
    yield from findings.alone(ordered, place)


def _weak(public_key: object, place: int, blocked: Blocked) -> Iterator[Finding]:
    try:
        weak_keys.refuse_weak(public_key, blocked=blocked)  # type: ignore[arg-type]
    except WeakKey as fault:
        yield Finding("weak-key", place, fault.message)


def _request_findings(one: x509.CertificateSigningRequest, blocked: Blocked) -> Iterator[Finding]:
    text = pem.write_block("CERTIFICATE REQUEST", one.public_bytes(Encoding.DER))
    try:
        parsed = csr.parse_csr(text, blocked=blocked)
    except BadCsr as fault:
        yield Finding("refused", 1, fault.message)
        return
    for phrase in parsed.ignored:
        yield Finding("ignored", 1, f"A certificate made here leaves out: {phrase}.")


def _requested(one: x509.CertificateSigningRequest) -> tuple[str, ...]:
    """Host names and addresses that it asks for, foreign text; none where its extensions are unreadable."""
    try:
        found = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # noqa: BLE001 - parsers raise many types for foreign bytes
        return ()
    return tuple(str(name.value) for name in found if isinstance(name, x509.DNSName | x509.IPAddress))


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return shown(str(found[0].value)) if found else ""


def _is_ca(one: x509.Certificate) -> bool:
    constraints = chains.extension(one, x509.BasicConstraints)
    return constraints is not None and constraints.value.ca


def _usages(one: x509.Certificate) -> tuple[str, ...]:
    found = chains.extension(one, x509.ExtendedKeyUsage)
    return tuple(USAGES.get(oid.dotted_string, oid.dotted_string) for oid in (found.value if found else ()))


def _ocsp(one: x509.Certificate) -> tuple[str, ...]:
    found = chains.extension(one, x509.AuthorityInformationAccess)
    return tuple(
        shown(str(each.access_location.value))
        for each in (found.value if found else ())
        if each.access_method == AuthorityInformationAccessOID.OCSP
    )


USAGES = {
    "2.5.29.37.0": "anyExtendedKeyUsage",
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
}
"""RFC 5280 §4.2.1.12: the names that the standard gives."""
