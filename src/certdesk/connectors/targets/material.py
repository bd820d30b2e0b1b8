"""Certificates as targets hold them in PEM, and whether a new one may go there at all."""

import re
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certdesk.connectors.targets.protocol import Bundle, Reason, TargetError
from certdesk.pki.x509.certificates import CertificateFacts, facts
from certdesk.pki.x509.errors import BadCertificate

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)


def leaf_of(text: str) -> CertificateFacts | None:
    """Of the first certificate in the text; None when there is none that can be read."""
    found = _CERTIFICATE.search(text)
    if found is None:
        return None
    try:
        return facts(ssl.PEM_cert_to_DER_cert(found[0]))
    except (ValueError, BadCertificate):
        return None


def check_pair(bundle: Bundle) -> None:
    """Before anything is written: a machine that restarts just then must find a pair that belongs together.

    Raises:
        TargetError: REFUSED.
    """
    try:
        key = load_pem_private_key(bundle.key.encode(), None)
        fits = x509.load_pem_x509_certificate(bundle.leaf.encode()).public_key() == key.public_key()
    except (ValueError, TypeError):
        fits = False
    if not fits:
        raise TargetError(
            Reason.REFUSED,
            "The private key does not belong to the certificate, so nothing was changed.",
            "Deploy a certificate whose key belongs to it.",
        )


def check_files(certificate: str, key: str) -> None:
    """Would a server take these files? Apache's own test does not look into them, and it dies of a bad pair.

    Raises:
        TargetError: REFUSED.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, OSError) as error:
        why = getattr(error, "reason", None) or error.strerror or "they cannot be read"
        raise TargetError(
            Reason.REFUSED,
            f"{certificate} and {key} were written and no server would take them: {why}.",
            "Deploy a certificate whose key belongs to it.",
        ) from None
