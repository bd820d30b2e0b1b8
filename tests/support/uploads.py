"""Certificates from elsewhere, as people upload them: a root, an issuing CA, a leaf, and what is wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Builder = x509.CertificateBuilder
Change = Callable[[Builder], Builder]
SECOND = timedelta(seconds=1)


def cn(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


def key_of(seed: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(0xFEED0000 + seed, ec.SECP256R1())


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem(key: Any, password: bytes = b"", form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, lock).decode()


@dataclass
class World:
    """A CA elsewhere. `now` is the moment of the upload; everything is in force around it."""

    now: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)
    lasts: timedelta = timedelta(days=90)
    leaf_key: Any = field(default_factory=lambda: key_of(1))

    def __post_init__(self) -> None:
        self.now = self.now.replace(microsecond=0)
        self.root_key, self.issuing_key = key_of(2), key_of(3)
        self.root = self.authority("Elsewhere Root", "Elsewhere Root", self.root_key, self.root_key)
        self.issuing = self.authority("Elsewhere CA", "Elsewhere Root", self.issuing_key, self.root_key)
        self.usual = self.leaf()

    def authority(
        self,
        name: str,
        issuer: str,
        key: Any,
        signer: Any,
        *changes: Change,
        ca: bool = True,
        path: int | None = None,
        ski: bool = True,
        aki: bool = True,
        usage: bool = True,
        until: timedelta = timedelta(days=2000),
        digest: Any = None,
    ) -> x509.Certificate:
        builder = self._builder(name, issuer, key, self.now - timedelta(days=400), self.now + until)
        builder = builder.add_extension(x509.BasicConstraints(ca, path if ca else None), critical=True)
        if ski:
            builder = builder.add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
            )
        if aki:
            issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
            builder = builder.add_extension(issued_by, False)
        builder = builder.add_extension(_ca_usage(usage), critical=True)
        for change in changes:
            builder = change(builder)
        return builder.sign(signer, digest or hashes.SHA256())

    def leaf(
        self,
        names: Sequence[str] = ("www.example.com",),
        *changes: Change,
        subject: str = "",
        since: timedelta = timedelta(days=1),
        until: timedelta | None = None,
        eku: Sequence[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.SERVER_AUTH,),
        eku_critical: bool = False,
        aki: bool = True,
        san_critical: bool | None = None,
        serial: int = 0x1234567890,
        issuer: str = "Elsewhere CA",
        signer: Any = None,
        key: Any = None,
        digest: Any = None,
    ) -> x509.Certificate:
        signer = signer or self.issuing_key
        key = key or self.leaf_key
        end = self.now + (self.lasts if until is None else until)
        builder = self._builder(subject, issuer, key, self.now - since, end, serial)
        if names:
            critical = not subject if san_critical is None else san_critical
            builder = builder.add_extension(x509.SubjectAlternativeName(map(_general, names)), critical)
        if eku is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(eku), eku_critical)
        if aki:
            issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
            builder = builder.add_extension(issued_by, False)
        for change in changes:
            builder = change(builder)
        return builder.sign(signer, digest or hashes.SHA256())

    def body(self, leaf: x509.Certificate | None = None, **changes: object) -> dict[str, object]:
        """The body of an import that is taken."""
        return {
            "name": "from-elsewhere",
            "certificate": pem(leaf or self.usual),
            "certificate_chain": pem(self.issuing) + pem(self.root),
            "private_key": key_pem(self.leaf_key),
            **changes,
        }

    def _builder(
        self, name: str, issuer: str, key: Any, start: datetime, end: datetime, serial: int = 0x77
    ) -> Builder:
        return (
            Builder()
            .subject_name(cn(name))
            .issuer_name(cn(issuer))
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(start)
            .not_valid_after(end)
        )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _ca_usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(False, False, False, False, False, signs, True, False, False)
