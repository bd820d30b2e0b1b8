"""An experimental private PKI with ML-DSA-65 (FIPS 204, RFC 9881): a root, one authority, leaves.

It has nothing to do with the built-in CA: neither its keys, nor its records, lists or answers, nor the one
path of issuance. It lets people try what their clients do with such certificates. No database, no network.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certdesk.pki.x509.names import Name, parse_name

from .errors import ExperimentRefused

ALGORITHM = "ML-DSA-65"
MARK = "EXPERIMENTAL"
ROOT_DAYS, ISSUING_DAYS, LEAF_DAYS = 3650, 1825, 90
BACKDATED = timedelta(days=1)
NAMES_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: MLDSA65PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    root: Pair
    issuing: Pair


def make(word: str, now: datetime) -> Hierarchy:
    """A new root and a new authority under it. `word` tells them from those of other experiments."""
    root_key, key = MLDSA65PrivateKey.generate(), MLDSA65PrivateKey.generate()
    root_name, name = _name("Root", word), _name("Issuing", word)
    begin = now.replace(microsecond=0) - BACKDATED
    root = _authority(root_name, root_key.public_key(), root_name, root_key, begin, ROOT_DAYS, None)
    issuing = _authority(name, key.public_key(), root_name, root_key, begin, ISSUING_DAYS, 0)
    return Hierarchy(Pair(root, root_key), Pair(issuing, key))


def _name(title: str, word: str) -> x509.Name:
    organization = f"Certdesk {MARK} Private CA {word}"
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{organization} {ALGORITHM} {title}"),
        ]
    )


def _authority(
    name: x509.Name,
    public_key: MLDSA65PublicKey,
    issuer: x509.Name,
    key: MLDSA65PrivateKey,
    begin: datetime,
    days: int,
    path_length: int | None,
) -> x509.Certificate:
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    builder = _builder(name, public_key, issuer, key, begin, begin + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(usage, critical=True).sign(key, None)


def _builder(
    name: x509.Name,
    public_key: MLDSA65PublicKey,
    issuer: x509.Name,
    key: MLDSA65PrivateKey,
    begin: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(above, critical=False)
    )


def generate() -> MLDSA65PrivateKey:
    """A new key from the operating system's random source."""
    return MLDSA65PrivateKey.generate()


def pair(certificate: x509.Certificate, key: PrivateKeyTypes) -> Pair:
    """What was kept in files.

    Raises:
        ExperimentRefused: the two do not belong together, or are of another kind.
    """
    if not isinstance(key, MLDSA65PrivateKey) or certificate.public_key() != key.public_key():
        raise _refused("the folder holds something else")
    return Pair(certificate, key)


def refuse_public(profile: str) -> None:
    """No root store of the web takes such keys, so only a private PKI may use them.

    Raises:
        ExperimentRefused.
    """
    if profile != "private":
        raise _refused(f"{ALGORITHM} is for a private PKI, and no public profile takes it")


def issue(
    issuing: Pair, public_key: MLDSA65PublicKey, names: Sequence[str], now: datetime, profile: str
) -> x509.Certificate:
    """A leaf for these names; nobody proves them, nothing can revoke it, and it ends in 90 days.

    Args:
        profile: `private` alone.

    Raises:
        ExperimentRefused: another profile, no or too many names, one twice, the authority is not valid now.
        BadName: from the names gate.
    """
    refuse_public(profile)
    if not 0 < len(names) <= NAMES_LIMIT:
        raise _refused(f"{len(names)} names were given; 1 to {NAMES_LIMIT} are allowed")
    held = issuing.certificate
    if not held.not_valid_before_utc <= now < held.not_valid_after_utc:
        raise _refused("the authority of the folder is not valid now")
    begin = max(now.replace(microsecond=0) - BACKDATED, held.not_valid_before_utc)
    end = min(now.replace(microsecond=0) + timedelta(days=LEAF_DAYS), held.not_valid_after_utc)
    parsed = [parse_name(text, allow_internal=True, allow_ip=True) for text in names]
    if len(set(parsed)) < len(parsed):
        raise _refused("a name was given twice")
    alternative = x509.SubjectAlternativeName([_general(name) for name in parsed])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    builder = _builder(_leaf_name(), public_key, held.subject, issuing.key, begin, end)
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternative, critical=False)
        .sign(issuing.key, None)
    )


def _leaf_name() -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"Certdesk {MARK} {ALGORITHM}")])


def _general(name: Name) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name.text)) if name.ip else x509.DNSName(name.text)


def key_of_request(pem: bytes) -> MLDSA65PublicKey:
    """The key of a CSR; names are not taken from it.

    Raises:
        ExperimentRefused: it cannot be read, its signature is wrong, or its key is of another kind.
    """
    try:
        request = x509.load_pem_x509_csr(pem)
        public_key, good = request.public_key(), request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm):
        raise _refused("the CSR cannot be read") from None
    if not isinstance(public_key, MLDSA65PublicKey) or not good:
        raise _refused(f"the CSR is not one that an {ALGORITHM} key signed")
    return public_key


def _refused(why: str) -> ExperimentRefused:
    return ExperimentRefused(
        f"The experiment ends: {why}.", next_step="See certdesk ca experiment --help and docs/pki.md."
    )
