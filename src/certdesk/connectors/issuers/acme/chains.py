"""The certificate that came (RFC 8555 §7.4.2): its chains, and whether it is what was ordered. Pure."""

import re
from collections.abc import Sequence
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certdesk.connectors.http import Fetched
from certdesk.pki.x509 import certificates
from certdesk.pki.x509.errors import BadCertificate

_LINK = re.compile(r'<([^<>"\s]{1,1000})>\s*;[^,<]*rel="?alternate"?', re.IGNORECASE)
_MOST_ALTERNATES = 5
_NO_LINK = (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError)


def alternates_of(answer: Fetched) -> list[str]:
    """URLs of the other chains of the same certificate."""
    found = [url for name, value in answer.headers if name == "link" for url in _LINK.findall(value)]
    return list(dict.fromkeys(found))[:_MOST_ALTERNATES]


def read(body: bytes) -> tuple[bytes, ...]:
    """DER of the certificates in order, the leaf first, without a root at the end.

    Raises:
        ValueError: it is no chain; the message is the end of a sentence.
    """
    try:
        found = certificates.load_chain_pem(body.decode("ascii"))
    except (UnicodeDecodeError, BadCertificate):
        raise ValueError("cannot be read") from None
    top = x509.load_der_x509_certificate(found[-1])
    return tuple(found[:-1] if len(found) > 1 and top.subject == top.issuer else found)


def leads_to(chain: Sequence[bytes], root: str) -> bool:
    """Whether the certificate at the top was issued by a root of that common name."""
    issuer = x509.load_der_x509_certificate(chain[-1]).issuer
    return root in (one.value for one in issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME))


def check(chain: Sequence[bytes], csr: bytes, names: Sequence[str]) -> None:
    """Whether this is the certificate that was ordered, with the certificates above it in their order.

    Args:
        names: canonical, as ordered.

    Raises:
        ValueError: it is not; the message is the end of a sentence.
    """
    loaded = [x509.load_der_x509_certificate(one) for one in chain]
    wanted = x509.load_der_x509_csr(csr).public_key()
    if _spki(loaded[0].public_key()) != _spki(wanted):
        raise ValueError("is for another key than the one of the order")
    held = {one.lower() for one in certificates.facts(chain[0]).names}
    if held != set(names):
        raise ValueError("is for other names than those of the order")
    for lower, upper in pairwise(loaded):
        try:
            lower.verify_directly_issued_by(upper)
        except _NO_LINK:
            raise ValueError("came with certificates above it that did not issue it") from None


def _spki(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]
