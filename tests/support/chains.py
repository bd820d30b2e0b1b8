"""Small certificates for tests of pure code; nothing here is trusted by anybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

NOT_BEFORE = datetime(2026, 11, 1, tzinfo=UTC)
NOT_AFTER = datetime(2027, 1, 30, 23, 59, 59, tzinfo=UTC)

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Chain:
    """A leaf, the chain above it (issuing CA, root) and the leaf's key."""

    leaf: bytes
    above: tuple[bytes, ...]
    key: Key


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def chain(key: Key | None = None, names: Sequence[str] = ("www.example.com",)) -> Chain:
    """A chain of three for the key (EC P-256 unless given)."""
    key = key or ec_key()
    root, issuing = _authority_key(1), _authority_key(2)
    return Chain(
        leaf=certificate("", "Test CA", key.public_key(), issuing, names, serial=0x0ABC),
        above=(
            certificate("Test CA", "Test Root", issuing.public_key(), root, serial=2),
            certificate("Test Root", "Test Root", root.public_key(), root, serial=1),
        ),
        key=key,
    )


@cache
def _authority_key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(0xCA00 + number, ec.SECP256R1())


def certificate(
    subject: str,
    issuer: str,
    public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    names: Sequence[str] = (),
    *,
    serial: int,
) -> bytes:
    """DER of one certificate; a CA when it has no names."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(_common_name(subject))
        .issuer_name(_common_name(issuer))
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER + timedelta(days=0 if names else 1000))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=not subject
        )
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])
