"""A CA that is none of ours, to certify an authority of the built-in CA by a cross-certificate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.support.authority import NOW


@dataclass
class Outside:
    """A root and one authority under it."""

    key: ec.EllipticCurvePrivateKey
    root: x509.Certificate
    between_key: ec.EllipticCurvePrivateKey
    between: x509.Certificate


def made_ca(
    subject: x509.Name,
    public_key: object,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    path_length: int | None = None,
    ca: bool = True,
    key_id: x509.SubjectKeyIdentifier | None = None,
    days: int = 100,
    more: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> x509.Certificate:
    """`more`: extensions, each with its critical flag."""
    usage = x509.KeyUsage(False, False, False, False, False, ca, ca, False, False)
    own = key_id or x509.SubjectKeyIdentifier.from_public_key(public_key)  # type: ignore[arg-type]
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=200))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(own, critical=False)
        .add_extension(above, critical=False)
    )
    for value, critical in more:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(key, hashes.SHA256())


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def outside_root() -> Outside:
    key, between_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = made_ca(name("Old Root"), key.public_key(), name("Old Root"), key)
    between = made_ca(name("Old Issuing"), between_key.public_key(), name("Old Root"), key)
    return Outside(key, root, between_key, between)


def pem(*chain: x509.Certificate) -> str:
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)
