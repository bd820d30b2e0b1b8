"""The certificate that came (RFC 8555 §7.4.2): its chains, and which of them hold together. Pure."""

import re
from collections.abc import Sequence
from itertools import pairwise

from cryptography import x509

from certdesk.connectors.http import Fetched
from certdesk.pki.x509 import certificates, keys
from certdesk.pki.x509.errors import BadCertificate
from certdesk.pki.x509.explaining import signed_by

_LINK = re.compile(r'<([^<>"\s]{1,1000})>\s*;[^,<]*rel="?alternate"?', re.IGNORECASE)
_MOST_ALTERNATES = 5


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
    return tuple(found[:-1] if len(found) > 1 and certificates.is_self_issued(top) else found)


def leads_to(chain: Sequence[bytes], root: str) -> bool:
    """Whether the certificate at the top was issued by a root of that common name."""
    issuer = x509.load_der_x509_certificate(chain[-1]).issuer
    return root in (one.value for one in issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME))


def holds(chain: Sequence[bytes], csr: bytes) -> bool:
    """Whether the leaf is for the key of the order, and each certificate was issued by the one above it."""
    key = keys.spki_sha256(x509.load_der_x509_csr(csr).public_key())
    loaded = [x509.load_der_x509_certificate(one) for one in chain]
    return keys.spki_sha256(loaded[0].public_key()) == key and all(
        signed_by(lower, upper) for lower, upper in pairwise(loaded)
    )
