"""What is odd about an uploaded chain that holds: shown to its owner, never refused.

`cryptography` lets most of this pass, other clients do not. Each finding has a code, the place of the
certificate (1 = leaf) and one sentence; old private CAs have many, so they are told, not forbidden.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import reserved_names
from .certificates import is_self_issued
from .chains import HostName, extension, strict_refusal
from .errors import shown

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_SERIAL_BITS = 159  # RFC 5280 §4.1.2.2: 20 octets with the sign

Chain = Sequence[x509.Certificate]
Fault = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One oddity.

    Attributes:
        code: short and stable, e.g. `cn-not-in-san`.
        place: 1 = the leaf, then upwards.
        sentence: for people.
    """

    code: str
    place: int
    sentence: str


def findings(chain: Chain, names: Sequence[HostName], now: datetime) -> tuple[Finding, ...]:
    """Everything odd about a chain that `chains.check_chain` has passed.

    Args:
        names: the hosts and addresses of the leaf's SAN, at least one.
    """
    found = [
        Finding(code, place, sentence)
        for place, certificate in enumerate(chain, start=1)
        for code, sentence in (_above if place > 1 else _of_one)(certificate, place, _issuer(chain, place))
    ]
    found += [Finding(code, 1, sentence) for code, sentence in _of_leaf(chain[0], names)]
    said = strict_refusal(chain, names, now)
    if said:
        found.append(Finding("strict-clients-refuse", 1, f"Strict clients refuse the chain: {said}."))
    return tuple(found)


def alone(chain: Chain, place: int) -> Iterator[Finding]:
    """What is odd about one certificate of any chain, also of one that does not hold."""
    certificate = chain[place - 1]
    for code, sentence in _of_one(certificate, place, _issuer(chain, place)):
        yield Finding(code, place, sentence)
    constraints = extension(certificate, x509.BasicConstraints)
    if place > 1 or (constraints is not None and constraints.value.ca):
        return
    found = extension(certificate, x509.SubjectAlternativeName)
    names = [name for name in found.value if isinstance(name, x509.DNSName | x509.IPAddress)] if found else []
    for code, sentence in _of_leaf(certificate, names):
        yield Finding(code, place, sentence)


def _issuer(chain: Chain, place: int) -> x509.Certificate | None:
    return chain[place] if place < len(chain) else None


@lru_cache(maxsize=256)
def _above(certificate: x509.Certificate, place: int, issuer: x509.Certificate | None) -> tuple[Fault, ...]:
    """Of a CA's certificate, which comes again with each upload of what the CA issued."""
    return tuple(_of_one(certificate, place, issuer))


def _of_one(certificate: x509.Certificate, place: int, issuer: x509.Certificate | None) -> Iterator[Fault]:
    for check in _EACH:
        yield from check(certificate)
    yield from _issuer_key(certificate, issuer)
    if place > 1:
        for check in _AUTHORITIES:
            yield from check(certificate)


def _of_leaf(leaf: x509.Certificate, names: Sequence[HostName]) -> Iterator[Fault]:
    yield from _common_name(leaf, names)
    yield from _wide_wildcards(names)
    yield from _leaf_usage(leaf)
    critical = getattr(extension(leaf, x509.SubjectAlternativeName), "critical", None)
    if critical is bool(leaf.subject.rdns):
        yield "san-criticality", "The names are critical beside a subject, or not critical without one."
    constraints = extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        yield "leaf-is-ca", "The server's certificate is itself a CA certificate."


def _serial(certificate: x509.Certificate) -> Iterator[Fault]:
    if certificate.serial_number <= 0 or certificate.serial_number.bit_length() > _SERIAL_BITS:
        yield "serial", "Its serial number is zero, negative or longer than 20 octets."


def _signature(certificate: x509.Certificate) -> Iterator[Fault]:
    if isinstance(certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        yield "weak-signature", "It is signed with a hash that browsers no longer accept."


def _criticality(certificate: x509.Certificate) -> Iterator[Fault]:
    """Extensions that RFC 5280 wants critical, or never critical."""
    for kind, critical, word in _CRITICAL:
        found = extension(certificate, kind)
        if found is not None and found.critical is not critical:
            yield f"criticality-{word}", f"Its {word} is {'critical' if found.critical else 'not critical'}."


_CRITICAL: tuple[tuple[type[x509.ExtensionType], bool, str], ...] = (
    (x509.NameConstraints, True, "nameConstraints"),
    (x509.PolicyConstraints, True, "policyConstraints"),
    (x509.AuthorityKeyIdentifier, False, "authorityKeyIdentifier"),
    (x509.SubjectKeyIdentifier, False, "subjectKeyIdentifier"),
    (x509.ExtendedKeyUsage, False, "extendedKeyUsage"),
)
_EACH: tuple[Callable[[x509.Certificate], Iterator[Fault]], ...] = (_serial, _signature, _criticality)


def _issuer_key(certificate: x509.Certificate, issuer: x509.Certificate | None) -> Iterator[Fault]:
    """authorityKeyIdentifier: names the key of the issuer, and nothing but the key."""
    above = issuer or (certificate if is_self_issued(certificate) else None)
    found = extension(certificate, x509.AuthorityKeyIdentifier)
    if found is None:
        if above is not certificate:
            yield "aki-missing", "It does not name its issuer's key (authorityKeyIdentifier)."
        return
    aki = found.value
    own = extension(above, x509.SubjectKeyIdentifier) if above is not None else None
    wrong = own is not None and aki.key_identifier != own.value.digest
    if wrong or aki.key_identifier is None or aki.authority_cert_serial_number or aki.authority_cert_issuer:
        yield "aki-odd", "Its authorityKeyIdentifier does not name the issuer's key alone."


def _key_identifier(certificate: x509.Certificate) -> Iterator[Fault]:
    if extension(certificate, x509.SubjectKeyIdentifier) is None:
        yield "ski-missing", "This CA certificate does not name its own key (subjectKeyIdentifier)."


def _authority_key(certificate: x509.Certificate) -> Iterator[Fault]:
    key = certificate.public_key()
    good_rsa = isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048 and key.key_size % 8 == 0
    good_curve = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)
    if not (good_rsa or good_curve):
        yield "weak-ca-key", "This CA has a key that browsers do not accept."


def _root_usage(certificate: x509.Certificate) -> Iterator[Fault]:
    if is_self_issued(certificate) and extension(certificate, x509.ExtendedKeyUsage):
        yield "root-eku", "This root limits its key's use (extendedKeyUsage)."


_AUTHORITIES: tuple[Callable[[x509.Certificate], Iterator[Fault]], ...] = (
    _key_identifier,
    _authority_key,
    _root_usage,
)


def _leaf_usage(leaf: x509.Certificate) -> Iterator[Fault]:
    found = extension(leaf, x509.ExtendedKeyUsage)
    if found is None:
        yield "eku-missing", "It does not say that it is for servers (extendedKeyUsage)."
        return
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in found.value:
        yield "eku-any", "It is for any use, which browsers do not accept."
    elif ExtendedKeyUsageOID.SERVER_AUTH not in found.value:
        yield "eku-not-for-servers", "It is not for servers: browsers will refuse it."


def _common_name(leaf: x509.Certificate, names: Sequence[HostName]) -> Iterator[Fault]:
    """A common name must be one of the names, letter for letter."""
    texts = {str(name.value) for name in names}
    for attribute in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        if str(attribute.value) not in texts:
            yield (
                "cn-not-in-san",
                f"The common name '{shown(str(attribute.value))}' is not among its names: clients ignore it.",
            )


def _wide_wildcards(names: Sequence[HostName]) -> Iterator[Fault]:
    hosts = [name.value for name in names if isinstance(name, x509.DNSName)]
    wide = [one for one in hosts if reserved_names.is_public_suffix(one.removeprefix("*.").lower())]
    if wide:
        yield "public-suffix", f"'{shown(wide[0])}' covers a public suffix, where strangers own names."
