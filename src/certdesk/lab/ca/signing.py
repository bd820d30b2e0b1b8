"""The simulated CA's keys: root and issuing CA, made once, kept in its folder where it has one."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certdesk.lab.ca.products import POLICIES

_PARTS = ("root.key", "root.pem", "issuing.key", "issuing.pem")
_YEARS = timedelta(days=3650)
_BACK = timedelta(hours=1)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Certdesk Lab"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _authority(
    name: str, key: ec.EllipticCurvePrivateKey, above: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None
) -> x509.Certificate:
    issuer, signer = above or (_name(name), key)
    now = datetime.now().astimezone()
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))  # laboratories also look at the past
        .not_valid_after(now + _YEARS)
        .add_extension(x509.BasicConstraints(True, None if above is None else 0), True)
        .add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
        .sign(signer, hashes.SHA256())
    )


class Signer:
    """Signs leaves and the CRL.

    Args:
        folder: where keys and certificates are kept between two runs; None = they end with the process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None and all((folder / part).exists() for part in _PARTS):
            self._load(folder)
            return
        self._key, root_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.root = _authority("Certdesk Lab Commercial Root", root_key, None)
        self.issuing = _authority("Certdesk Lab Commercial CA 1", self._key, (self.root.subject, root_key))
        if folder is not None:
            self._keep(folder, root_key)

    def _load(self, folder: Path) -> None:
        self.root, self.issuing = (
            x509.load_pem_x509_certificate((folder / name).read_bytes())
            for name in ("root.pem", "issuing.pem")
        )
        key = serialization.load_pem_private_key((folder / "issuing.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{folder}/issuing.key is no key of this CA; give an empty folder.")
        self._key = key

    def _keep(self, folder: Path, root_key: ec.EllipticCurvePrivateKey) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        for name, key in (("root.key", root_key), ("issuing.key", self._key)):
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
        for name, one in (("root.pem", self.root), ("issuing.pem", self.issuing)):
            (folder / name).write_bytes(one.public_bytes(pem))

    def sign(
        self,
        csr: x509.CertificateSigningRequest,
        names: Sequence[str],
        level: str,
        organization: dict[str, str],
        *,
        now: datetime,
        until: datetime,
        other_key: bool = False,
    ) -> x509.Certificate:
        """A leaf; of the request only its key is used. `other_key`: not even that (a fault)."""
        key = ec.generate_private_key(ec.SECP256R1()).public_key() if other_key else csr.public_key()
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        policy = x509.PolicyInformation(x509.ObjectIdentifier(POLICIES[level]), None)
        return (
            x509.CertificateBuilder()
            .subject_name(_subject(names[0], organization))
            .issuer_name(self.issuing.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACK)
            .not_valid_after(until)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(usage, True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.CertificatePolicies([policy]), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)
            .sign(self._key, hashes.SHA256())
        )

    def crl(self, revoked: Sequence[tuple[int, datetime]], now: datetime) -> bytes:
        """DER, good for a day."""
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.issuing.subject)
            .last_update(now)
            .next_update(now + timedelta(days=1))
        )
        for serial, at in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
            made = made.add_revoked_certificate(entry)
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    @property
    def root_pem(self) -> str:
        return self.root.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def chain_pem(self, leaf: x509.Certificate, *, root: bool) -> str:
        """The leaf, the issuing CA and, if asked, the root."""
        chain = (leaf, self.issuing, self.root) if root else (leaf, self.issuing)
        return "".join(one.public_bytes(serialization.Encoding.PEM).decode("ascii") for one in chain)


def _subject(common_name: str, organization: dict[str, str]) -> x509.Name:
    parts = (
        (NameOID.COUNTRY_NAME, organization.get("country", "")),
        (NameOID.STATE_OR_PROVINCE_NAME, organization.get("state", "")),
        (NameOID.LOCALITY_NAME, organization.get("city", "")),
        (NameOID.ORGANIZATION_NAME, organization.get("name", "")),
        (NameOID.COMMON_NAME, common_name if len(common_name) <= 64 else ""),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])
