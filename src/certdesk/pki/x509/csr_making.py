"""A certificate signing request (PKCS#10, RFC 2986) for a key that the service holds."""

import ipaddress
from collections.abc import Mapping, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from .keys import PrivateKey

COMMON_NAME_LIMIT = 64  # X.520 ub-common-name
_SUBJECT = {
    "country": NameOID.COUNTRY_NAME,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "city": NameOID.LOCALITY_NAME,
    "name": NameOID.ORGANIZATION_NAME,
}


def make_csr(private_key: PrivateKey, names: Sequence[str], company: Mapping[str, str]) -> str:
    """The signed request in PEM.

    Args:
        names: canonical DNS names and IP addresses, the primary one first; it becomes the common name where
            it is short enough.
        company: `country` (two letters), `province`, `city`, `name`; empty ones are left out.
    """
    attributes = [
        x509.NameAttribute(oid, company[field]) for field, oid in _SUBJECT.items() if company.get(field)
    ]
    if len(names[0]) <= COMMON_NAME_LIMIT:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, names[0]))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    alternative = x509.SubjectAlternativeName([_general(name) for name in names])
    made = builder.add_extension(alternative, critical=False).sign(private_key, _hash_for(private_key))
    return made.public_bytes(Encoding.PEM).decode("ascii")


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _hash_for(private_key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    """As long as the curve (Baseline Requirements 7.1.3.2.2); SHA-256 for all others."""
    if isinstance(private_key, ec.EllipticCurvePrivateKey) and private_key.key_size > 256:
        return hashes.SHA384()
    return hashes.SHA256()
