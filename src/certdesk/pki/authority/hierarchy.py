"""The hierarchy of the built-in CA: four roots and an issuing authority for each level under them.

Each chain is of one algorithm: P-256 and RSA-2048 for the plain types, P-384 and RSA-4096 for the Pro
types, leaf and chain (CAT-4). No name carries a brand: it is the private CA of one installation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey, PublicKey

from . import constraints, issuers
from .constraints import Bounds
from .types import LevelName

ROOT_DAYS = 9131  # within the 8 to 25 years of Baseline Requirements 7.1.2.1
ISSUING_DAYS = 7305
BACKDATED = timedelta(days=1)  # clients whose clock is behind
LAB_BACKDATED = timedelta(days=3 * 365)  # a laboratory's clock may be set back behind the making of the CA
_SECOND = timedelta(seconds=1)
_COUNTRY = "XX"  # ISO 3166: no country is meant

_CHAINS: tuple[tuple[str, KeyAlgorithm, tuple[LevelName, ...]], ...] = (
    ("p256", KeyAlgorithm.EC_P256, ("DV", "OV", "EV")),
    ("rsa2048", KeyAlgorithm.RSA_2048, ("DV", "OV", "EV")),
    ("p384", KeyAlgorithm.EC_P384, ("OV", "EV")),
    ("rsa4096", KeyAlgorithm.RSA_4096, ("OV", "EV")),
)
_TITLES = {"p256": "P-256", "rsa2048": "RSA-2048", "p384": "P-384", "rsa4096": "RSA-4096"}


@dataclass(frozen=True, slots=True)
class Place:
    """One place in the hierarchy; a root has neither level nor parent."""

    slug: str
    level: LevelName | None
    algorithm: KeyAlgorithm
    parent: str | None
    title: str


def places() -> Iterator[Place]:
    """Every place, parents first."""
    for chain, algorithm, levels in _CHAINS:
        root = f"root-{chain}"
        yield Place(root, None, algorithm, None, f"Root {_TITLES[chain]}")
        for level in levels:
            title = f"{level} {_TITLES[chain]}"
            yield Place(f"{level.lower()}-{chain}", level, algorithm, root, title)


def later(place: Place, number: int) -> Place:
    """The place's certificate number 2, 3, …: another slug and another name, since its key is another one."""
    return replace(place, slug=f"{place.slug}-g{number}", title=f"{place.title} G{number}")


def certify_root(place: Place, key: PrivateKey, installation: str, begin: datetime) -> bytes:
    """A self-signed root, DER.

    Args:
        begin: its notBefore; some time ago.
    """
    name = _name(place, installation)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _builder(name, name, key.public_key(), begin, ROOT_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(own, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
    )
    return _sign(builder, key, place.algorithm)


def certify_issuing(
    place: Place,
    level: LevelName,
    public_key: PublicKey,
    installation: str,
    begin: datetime,
    *,
    root_der: bytes,
    root_key: PrivateKey,
    base: str,
    answered: bool = True,
    bounds: Bounds = constraints.NONE,
) -> bytes:
    """An issuing authority under its root, DER.

    Args:
        begin: its notBefore; some time ago.
        base: the http base of the pointers to the root's certificate, CRL and OCSP.
        answered: OCSP is answered for the root's certificates; an offline root has its CRL alone.
        bounds: the names that it may certify.
    """
    root = x509.load_der_x509_certificate(root_der)
    root_id = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id)
    parent = str(place.parent)
    builder = (
        _builder(_name(place, installation), root.subject, public_key, begin, ISSUING_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(authority, critical=False)
        .add_extension(issuers.policy(level), critical=False)
        .add_extension(issuers.SERVER_AUTH, critical=False)
        .add_extension(issuers.access(parent, base, answered=answered), critical=False)
        .add_extension(issuers.crl_pointer(parent, base), critical=False)
    )
    if bounds:
        builder = builder.add_extension(constraints.extension(bounds), critical=True)
    return _sign(builder, root_key, place.algorithm)


def installation_of(der: bytes) -> str:
    """The word by which the CA of this installation differs from every other one's."""
    subject = x509.load_der_x509_certificate(der).subject
    organization = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0]
    return str(organization.value).rpartition(" ")[2]


def _name(place: Place, installation: str) -> x509.Name:
    organization = f"Certdesk Private CA {installation}"
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, _COUNTRY),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{organization} {place.title}"),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: PublicKey, begin: datetime, days: int
) -> x509.CertificateBuilder:
    begin = begin.replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days) - _SECOND)
    )


def _key_usage() -> x509.KeyUsage:
    """Certificates and CRLs; digitalSignature, so that it can sign OCSP answers itself."""
    return x509.KeyUsage(True, False, False, False, False, True, True, False, False)


def _sign(builder: x509.CertificateBuilder, key: PrivateKey, algorithm: KeyAlgorithm) -> bytes:
    return issuers.certificate_der(builder.sign(key, issuers.hash_of(algorithm)))
