"""Cross-certificates (RFC 5280 §3.2): an authority's name and key, certified by another root. No database.

Clients that trust the other root alone then build a path over it; for all others nothing changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import CertificatePoliciesOID, NameOID

from certdesk.pki.x509 import certificates, keys
from certdesk.pki.x509.keys import PrivateKey

from . import constraints, hierarchy, issuers, reach
from .errors import CrossRefused
from .issuers import Holder

MOST = 6  # certificates of one file: the cross-certificate, what is between, the root
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Brought:
    """What an outside root gave, DER.

    Attributes:
        between: the certificates between it and the root.
        root: the root's name, for people.
        root_key: SHA-256 of the root's public key, hex.
        ends: when the first of all these expires; no client builds the path after it.
    """

    der: bytes
    between: tuple[bytes, ...]
    root: str
    root_key: str
    ends: datetime


def certify(subject: x509.Certificate, by: Holder, begin: datetime, base: str) -> bytes:
    """The subject's name and key under another root of ours, DER; with the subject's own name constraints.

    It ends with the earlier of both, and after an authority's usual life at the latest.

    Args:
        begin: its notBefore; some time ago.
        base: the http base of the pointers to the other root's certificate, CRL and OCSP.
    """
    begin = begin.replace(microsecond=0)
    latest = begin + timedelta(days=hierarchy.ISSUING_DAYS) - _SECOND
    is_root = certificates.is_self_issued(subject)
    own = subject.extensions
    key_id = own.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject.subject)
        .issuer_name(by.certificate.subject)
        .public_key(subject.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(min(latest, subject.not_valid_after_utc, by.certificate.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1 if is_root else 0), critical=True)
        .add_extension(own.get_extension_for_class(x509.KeyUsage).value, critical=True)
        .add_extension(key_id, critical=False)
        .add_extension(by.key_identifier, critical=False)
        .add_extension(_policies(subject, is_root), critical=False)
        .add_extension(issuers.SERVER_AUTH, critical=False)
        .add_extension(issuers.access(by.slug, base), critical=False)
        .add_extension(issuers.crl_pointer(by.slug, base), critical=False)
    )
    bounds = constraints.of(subject)
    if bounds:
        builder = builder.add_extension(constraints.extension(bounds), critical=True)
    return issuers.certificate_der(builder.sign(by.key, issuers.hash_of(by.algorithm)))


def _policies(subject: x509.Certificate, is_root: bool) -> x509.CertificatePolicies:
    """A root's own certificate has none, and stands above every level."""
    if is_root:
        anything = x509.PolicyInformation(CertificatePoliciesOID.ANY_POLICY, None)
        return x509.CertificatePolicies([anything])
    return subject.extensions.get_extension_for_class(x509.CertificatePolicies).value


def request(subject: x509.Certificate, key: PrivateKey) -> str:
    """A CSR for a root outside, PEM: it asks for the name, the key id and all that binds the authority."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject.subject)
    binding = (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.NameConstraints)
    wanted = (x509.SubjectKeyIdentifier, *binding)
    for extension in subject.extensions:
        if isinstance(extension.value, wanted):
            builder = builder.add_extension(extension.value, critical=extension.critical)
    algorithm = keys.algorithm_of(key.public_key())
    signed = builder.sign(key, issuers.hash_of(algorithm))  # type: ignore[arg-type]
    return signed.public_bytes(Encoding.PEM).decode("ascii")


def brought(subject: x509.Certificate, ders: Sequence[bytes], now: datetime) -> Brought:
    """What was brought from outside, if clients can build a path over it.

    Args:
        ders: the cross-certificate, then its issuer, and so on up to the root.

    Raises:
        CrossRefused: another name or key, no authority, out of time, the chain does not hold, or the
            authority could do more over it than by its own certificate.
    """
    chain = [_read(der) for der in ders]
    if not 2 <= len(chain) <= MOST or not certificates.is_self_issued(chain[-1]):
        raise _refused("the file holds the certificate, then its issuers up to the root, six at most")
    _refuse_other(subject, chain[0])
    for depth, lower in enumerate(chain):
        _refuse_unfit(lower, depth, certificates.is_self_issued(subject), now)
        try:
            lower.verify_directly_issued_by(chain[min(depth + 1, len(chain) - 1)])
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            raise _refused(f"certificate {depth + 1} was not signed by the next one") from None
    wider = reach.wider(subject, chain[0])
    if wider:
        raise _refused(wider)
    root_key = keys.spki_sha256(chain[-1].public_key()).hex()
    ends = min(one.not_valid_after_utc for one in chain)
    return Brought(ders[0], tuple(ders[1:-1]), name_of(chain[-1]), root_key, ends)


def _read(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        list(certificate.extensions)
    except ValueError:
        raise _refused("a certificate in the file cannot be read") from None
    return certificate


def _refuse_other(subject: x509.Certificate, cross: x509.Certificate) -> None:
    other_issuer = cross.issuer not in (cross.subject, subject.issuer)
    if cross.subject != subject.subject or not other_issuer:
        raise _refused("the first certificate does not name this authority under another issuer")
    if keys.spki_der(cross.public_key()) != keys.spki_der(subject.public_key()):
        raise _refused("the first certificate is for another key")
    own, given = _key_id(subject), _key_id(cross)
    if given not in (None, own):
        raise _refused("the first certificate has another subject key identifier than the authority's own")


def _key_id(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _refuse_unfit(certificate: x509.Certificate, depth: int, of_root: bool, now: datetime) -> None:
    """`depth`: certificates of the file below it. Under a root's there is one authority more."""
    try:
        constraint = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        able = constraint.ca and usage.key_cert_sign
    except x509.ExtensionNotFound:
        able = False
    if not able:
        raise _refused(f"certificate {depth + 1} is not one of an authority")
    if constraint.path_length is not None and constraint.path_length < depth + of_root:
        raise _refused(f"certificate {depth + 1} allows no such chain below it")
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise _refused(f"certificate {depth + 1} is not valid now")


def name_of(certificate: x509.Certificate) -> str:
    """For people: the common name, else the whole subject."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else certificate.subject.rfc4514_string()


def _refused(why: str) -> CrossRefused:
    return CrossRefused(
        f"The cross-certificate is not taken: {why}.",
        next_step="Ask the other CA again with the CSR of certdesk ca cross-request, see docs/pki.md.",
    )
