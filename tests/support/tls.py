"""Certificates of a throw-away CA for tests of what is served."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from certdesk.connectors.targets.protocol import Bundle
from certdesk.pki.x509.certificates import facts

PEM = serialization.Encoding.PEM


def _key(kind: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if kind == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Made:
    bundle: Bundle
    leaf: bytes
    intermediate: bytes

    @property
    def sha256(self) -> str:
        return facts(self.leaf).sha256

    @property
    def chain(self) -> frozenset[str]:
        return frozenset({facts(self.intermediate).sha256})


def _signed(
    subject: str, key: object, issuer: str, issuer_key: object, names: tuple[str, ...], ca: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        san = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(san, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())  # type: ignore[arg-type]


def make(*names: str, key: str = "EC") -> Made:
    """A leaf for the names below an intermediate that nobody trusts."""
    above, own = _key("EC"), _key(key)
    upper = _signed("Test Intermediate", above, "Test Root", above, (), True)
    leaf = _signed(names[0], own, "Test Intermediate", above, names, False)
    secret = own.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    der = leaf.public_bytes(serialization.Encoding.DER)
    bundle = Bundle(
        leaf.public_bytes(PEM).decode(),
        upper.public_bytes(PEM).decode(),
        names,
        facts(der).sha1,
        secret.decode(),
    )
    return Made(bundle, der, upper.public_bytes(serialization.Encoding.DER))
