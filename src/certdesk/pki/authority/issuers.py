"""The issuing authorities of this process: key, name and constant extensions, loaded and encoded once.

The only place of the project that asks the keystore for an authority's private key (law 4).
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, SignatureAlgorithmOID

from certdesk.foundation.common import settings
from certdesk.pki.keystore import use
from certdesk.pki.keystore.actions import HOUSE
from certdesk.pki.x509 import certificates
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

from . import constraints, der, profiles, queries
from .constraints import Bounds
from .errors import AuthorityMissing
from .types import LevelName

Sign = Callable[[bytes], bytes]

_HASHES: dict[KeyAlgorithm, hashes.SHA256 | hashes.SHA384] = {
    KeyAlgorithm.EC_P256: hashes.SHA256(),
    KeyAlgorithm.EC_P384: hashes.SHA384(),
    KeyAlgorithm.RSA_2048: hashes.SHA256(),
    KeyAlgorithm.RSA_4096: hashes.SHA384(),
}
SERVER_AUTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
KEY_USAGE = x509.KeyUsage(True, False, False, False, False, False, False, False, False)  # digitalSignature
_NULL = b"\x05\x00"
CRL_PARTITIONS = 16
"""CRLs of an issuing authority. More may be added at any time: each certificate names its own."""
_SIGNATURES = {
    KeyAlgorithm.EC_P256: der.sequence(der.object_identifier(SignatureAlgorithmOID.ECDSA_WITH_SHA256)),
    KeyAlgorithm.EC_P384: der.sequence(der.object_identifier(SignatureAlgorithmOID.ECDSA_WITH_SHA384)),
    KeyAlgorithm.RSA_2048: der.sequence(der.object_identifier(SignatureAlgorithmOID.RSA_WITH_SHA256), _NULL),
    KeyAlgorithm.RSA_4096: der.sequence(der.object_identifier(SignatureAlgorithmOID.RSA_WITH_SHA384), _NULL),
}


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuing authority, ready to sign.

    Attributes:
        signature: AlgorithmIdentifier of its signatures, DER.
        name: its subject, DER, the issuer of what it signs.
        extensions: every extension of a leaf but SAN and CRL pointer, DER.
        crl_pointers: the CRL pointer to each partition, DER; the serial chooses one.
        constant: SHA-256 of what a lint result can depend on of these: all, with the first pointer.
        chain_pem: its own certificate and those above it, without the root.
        bounds: the names that it may certify, from its certificate.
    """

    slug: str
    level: LevelName
    algorithm: KeyAlgorithm
    certificate: x509.Certificate
    not_before: datetime
    not_after: datetime
    signature: bytes
    name: bytes
    extensions: bytes
    crl_pointers: tuple[bytes, ...]
    constant: str
    chain_pem: bytes
    bounds: Bounds
    sign: Sign = field(repr=False)

    def assemble(self, tbs: bytes, signature: bytes) -> bytes:
        """Certificate, DER: exactly these TBS bytes with a signature."""
        return der.sequence(tbs, self.signature, der.bit_string(signature))

    def leaf_extensions(self, serial: int) -> bytes:
        """Every extension but the SAN of the leaf with this serial, DER."""
        return self.extensions + self.crl_pointers[serial % CRL_PARTITIONS]


REFRESH = 60.0  # seconds between looks at which authority signs at each place
_loaded: dict[tuple[str, str, bool], Issuer] = {}
_read: list[tuple[float, queries.Hierarchy]] = []


def find(slug: str) -> Issuer:
    """The issuer of that slug, loaded at its first use in this process.

    Raises:
        AuthorityMissing: there is none.
    """
    base, crossed = settings.get().pki_base_url, slug in _hierarchy().crossed
    held = _loaded.get((slug, base, crossed))
    if held is None:
        held = _loaded[slug, base, crossed] = _load(slug, base, crossed)
    return held


def find_for(level: LevelName, strong: bool, key_algorithm: KeyAlgorithm) -> Issuer:
    """The issuer that signs such certificates now.

    Raises:
        AuthorityMissing: there is none.
    """
    place = place_for(level, strong, key_algorithm)
    return find(_hierarchy().current.get(place, place))


def has_other_chains(slug: str) -> bool:
    """The authority or its root was certified by others too, as far as this process knows."""
    return slug in _hierarchy().forked


def _hierarchy() -> queries.Hierarchy:
    """Read at most once a minute: so long a process may go on with the one before, which does no harm."""
    if not any(time.monotonic() < until for until, _ in _read):
        _read[:] = [(time.monotonic() + REFRESH, queries.hierarchy())]
    return _read[0][1]


def forget() -> None:
    """Drop what this process holds, e.g. when the hierarchy was made anew."""
    _loaded.clear()
    _read.clear()


def place_for(level: LevelName, strong: bool, key_algorithm: KeyAlgorithm) -> str:
    """Which place signs: RSA keys under RSA, EC under EC; Pro under its own stronger chain (CAT-4).

    Raises:
        AuthorityMissing: there is no such chain, e.g. for a Pro type with a P-256 key.
    """
    if not strong:
        return f"{level.lower()}-{'rsa2048' if key_algorithm.is_rsa else 'p256'}"
    chain = {KeyAlgorithm.EC_P384: "p384", KeyAlgorithm.RSA_4096: "rsa4096"}.get(key_algorithm)
    if chain is None or level == "DV":
        raise AuthorityMissing(
            f"The built-in CA signs no {level} Pro certificate for a key of the type {key_algorithm}.",
            next_step="Choose the type OV Pro or EV Pro and a key EC_P384 or RSA_4096.",
        )
    return f"{level.lower()}-{chain}"


def _load(slug: str, base: str, crossed: bool) -> Issuer:
    row = _row(slug)
    certificate = x509.load_der_x509_certificate(row.certificate_der)
    algorithm = KeyAlgorithm(row.algorithm)
    level: LevelName = row.level
    extensions = _leaf_extensions(slug, level, certificate, base, crossed)
    crl_pointers = tuple(extension(crl_pointer(name, base)) for name in partitions(slug))
    return Issuer(
        slug=slug,
        level=level,
        algorithm=algorithm,
        certificate=certificate,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        signature=_SIGNATURES[algorithm],
        name=certificate.subject.public_bytes(),
        extensions=extensions,
        crl_pointers=crl_pointers,
        constant=hashlib.sha256(_SIGNATURES[algorithm] + extensions + crl_pointers[0]).hexdigest(),
        chain_pem=certificates.to_pem(row.certificate_der).encode(),
        bounds=constraints.of(certificate),
        sign=signer(use.private_key(row.key_id, HOUSE), algorithm),
    )


def signer(key: PrivateKey, algorithm: KeyAlgorithm) -> Sign:
    """Bytes in, signature out, with the hash of the authority's algorithm."""
    chosen = _HASHES[algorithm]
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_key, scheme = key, padding.PKCS1v15()
        return lambda data: rsa_key.sign(data, scheme, chosen)
    ec_key, ecdsa = key, ec.ECDSA(chosen)
    return lambda data: ec_key.sign(data, ecdsa)


def hash_of(algorithm: KeyAlgorithm) -> hashes.SHA256 | hashes.SHA384:
    return _HASHES[algorithm]


def key_of(key_id: str) -> PrivateKey:
    """The private key of an authority or responder, for all that is no leaf."""
    return use.private_key(key_id, HOUSE)


def access(
    slug: str, base: str, *, answered: bool = True, crossed: bool = False
) -> x509.AuthorityInformationAccess:
    """Where the issuer `slug` answers OCSP, unless nobody does, and where its certificate is.

    Args:
        crossed: others have certified it too; all of its certificates lie together in a second place.
    """
    locations = [(AuthorityInformationAccessOID.CA_ISSUERS, f"{base}/ca/{slug}.cer")]
    if crossed:
        locations.append((AuthorityInformationAccessOID.CA_ISSUERS, f"{base}/ca/{slug}.p7c"))
    if answered:
        locations.insert(0, (AuthorityInformationAccessOID.OCSP, f"{base}/ocsp"))
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(oid, x509.UniformResourceIdentifier(url)) for oid, url in locations]
    )


def partitions(slug: str) -> tuple[str, ...]:
    """The CRLs of an issuing authority; a certificate points to the one that its serial chooses."""
    return tuple(f"{slug}-{number}" for number in range(CRL_PARTITIONS))


def crl_url(name: str, base: str) -> str:
    return f"{base}/crl/{name}.crl"


def crl_pointer(name: str, base: str) -> x509.CRLDistributionPoints:
    """Where the CRL of that name is."""
    url = x509.UniformResourceIdentifier(crl_url(name, base))
    return x509.CRLDistributionPoints([x509.DistributionPoint([url], None, None, None)])


def policy(level: LevelName) -> x509.CertificatePolicies:
    oid = x509.ObjectIdentifier(profiles.POLICIES[level])
    return x509.CertificatePolicies([x509.PolicyInformation(oid, None)])


def _leaf_extensions(
    slug: str, level: LevelName, certificate: x509.Certificate, base: str, crossed: bool
) -> bytes:
    key_id = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return b"".join(
        (
            extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)),
            extension(access(slug, base, crossed=crossed)),
            extension(policy(level)),
            extension(SERVER_AUTH),
            extension(KEY_USAGE, critical=True),
        )
    )


def extension(value: x509.ExtensionType, *, critical: bool = False) -> bytes:
    """Extension, DER (RFC 5280 §4.1)."""
    return der.sequence(
        der.object_identifier(value.oid),
        der.TRUE if critical else b"",
        der.octet_string(value.public_bytes()),
    )


def certificate_der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class Holder:
    """An authority or root with its key, for CRLs and responders; needs no database any more."""

    slug: str
    certificate: x509.Certificate
    algorithm: KeyAlgorithm
    key: PrivateKey = field(repr=False)

    @property
    def key_identifier(self) -> x509.AuthorityKeyIdentifier:
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def holder(slug: str) -> Holder:
    """The authority or root of that slug.

    Raises:
        AuthorityMissing: there is none.
    """
    row = _row(slug)
    certificate = x509.load_der_x509_certificate(row.certificate_der)
    return Holder(slug, certificate, KeyAlgorithm(row.algorithm), use.private_key(row.key_id, HOUSE))


def _row(slug: str) -> queries.AuthorityRow:
    row = queries.authority(slug)
    if row is None:
        raise AuthorityMissing(
            f"The built-in CA has no authority {slug} yet.",
            next_step="Run: certdesk migrate, then start again.",
        )
    return row
