"""Facts of certificates and their PEM forms. Reading only: trust is decided elsewhere."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from . import keys, pem
from .errors import BadCertificate

CHAIN_TEXT_LIMIT = 1_000_000  # characters of PEM
CHAIN_LIMIT = 20  # certificates in one chain
_LABEL = "CERTIFICATE"


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What the service shows of a certificate.

    Attributes:
        serial: lower-case hex, an even number of digits, no sign for the usual positive serial.
        names: DNS names and addresses of the SAN as they stand; foreign text, not checked.
        not_before, not_after: aware, UTC; both seconds count (RFC 5280 §4.1.2.5).
        sha1, sha256: fingerprints of the DER in lower-case hex.
        signature_algorithm: name as in `sha256WithRSAEncryption`, or the dotted OID.
        key: e.g. `RSA 2048`.
        spki_sha256: 32 bytes.
        subject, issuer: RFC 4514 text; foreign text, not checked.
    """

    serial: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    sha1: str
    sha256: str
    signature_algorithm: str
    key: str
    spki_sha256: bytes
    subject: str
    issuer: str


def facts(
    der: bytes,
    read: x509.Certificate | None = None,
    public_key: CertificatePublicKeyTypes | None = None,
) -> CertificateFacts:
    """Read one certificate.

    Args:
        read, public_key: the same and its key, where the caller has read them already.

    Raises:
        BadCertificate: whatever is wrong with the bytes; no other exception.
    """
    with _reading():
        certificate = read or x509.load_der_x509_certificate(der)
        public_key = public_key or certificate.public_key()
        return CertificateFacts(
            serial=serial_hex(certificate.serial_number),
            names=names_of(certificate),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            sha1=hashlib.sha1(der, usedforsecurity=False).hexdigest(),
            sha256=hashlib.sha256(der).hexdigest(),
            signature_algorithm=algorithm_name(certificate.signature_algorithm_oid),
            key=keys.describe(public_key),
            spki_sha256=keys.spki_sha256(public_key),
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
        )


def signature_algorithm(der: bytes) -> str:
    """The name of the algorithm that signed a certificate of our own, e.g. `ecdsa-with-SHA256`."""
    return algorithm_name(x509.load_der_x509_certificate(der).signature_algorithm_oid)


def organization_of(der: bytes) -> str:
    """The organization (O) in the subject of a certificate of our own; empty where there is none."""
    subject = x509.load_der_x509_certificate(der).subject
    found = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(found[0].value) if found else ""


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Whether a certificate names itself as its issuer, as roots do. Its signature is not looked at."""
    return certificate.subject == certificate.issuer


def serial_hex(serial: int) -> str:
    """Lower-case hex with an even number of digits."""
    digits = f"{abs(serial):x}"
    sign = "-" if serial < 0 else ""
    return sign + digits.zfill(len(digits) + len(digits) % 2)


def to_pem(der: bytes) -> str:
    """One certificate in PEM, ended by a line feed."""
    return pem.write_block(_LABEL, der)


def chain_to_pem(ders: Iterable[bytes]) -> str:
    """Certificates in PEM one after the other, in the given order; empty for none."""
    return "".join(to_pem(der) for der in ders)


def load_chain_pem(text: str) -> list[bytes]:
    """The DER of every certificate in the text, in its order, each of them readable.

    At most 1,000,000 characters and 20 certificates, counted before anything is parsed.

    Raises:
        BadCertificate: with what is wrong and what to do; no other exception.
    """
    if len(text) > CHAIN_TEXT_LIMIT:
        raise _bad(f"has {len(text)} characters; at most {CHAIN_TEXT_LIMIT} are read")
    try:
        blocks = pem.read_blocks(text)
    except pem.BadPem as fault:
        raise _bad(str(fault)) from fault
    if not blocks:
        raise _bad(
            "holds no PEM certificate", "Convert it: openssl x509 -inform der -in file.cer -out file.pem"
        )
    if len(blocks) > CHAIN_LIMIT:
        raise _bad(f"holds {len(blocks)} certificates; at most {CHAIN_LIMIT} are read")
    return [_checked(block) for block in blocks]


def _checked(block: pem.Block) -> bytes:
    if block.label != _LABEL:
        raise _bad(f"holds a {block.label} among the certificates", "Leave certificates alone in the text.")
    facts(block.der)
    return block.der


def _bad(
    what: str, next_step: str = "Paste whole PEM certificates, the server's own first."
) -> BadCertificate:
    return BadCertificate(f"The certificate text {what}.", next_step=next_step, field="certificate")


@contextmanager
def _reading() -> Iterator[None]:
    """Parsers raise many types for foreign bytes; here each becomes one refusal."""
    try:
        yield
    except Exception as fault:
        raise BadCertificate(
            "The certificate cannot be read: it is damaged, or has an unknown kind of key.",
            next_step="Check that it is an X.509 certificate in PEM form.",
            field="certificate",
        ) from fault


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """DNS names and addresses of the SAN as they stand; foreign text, not checked."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(
        str(name.value) for name in extension.value if isinstance(name, x509.DNSName | x509.IPAddress)
    )


def algorithm_name(oid: x509.ObjectIdentifier) -> str:
    """The name of a signature's algorithm as other tools print it, or its dotted number."""
    return _ALGORITHM_NAMES.get(oid.dotted_string, oid.dotted_string)


# RFC 8017, RFC 5758, RFC 8410: the names that other tools print.
_ALGORITHM_NAMES = {
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "rsassaPss",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.3.101.112": "Ed25519",
}
