"""CA certificates as the engine gives them: PEM in a list, the root among them (pure)."""

from collections.abc import Iterable
from typing import Any

from cryptography import x509

from certdesk.pki.x509 import certificates
from certdesk.pki.x509.explaining import signed_by


def load(pems: Any) -> tuple[bytes, ...]:
    """DER in the given order; empty for none.

    Raises:
        BadCertificate, TypeError: it is no list of certificates.
    """
    return tuple(certificates.load_chain_pem("\n".join(pems))) if pems else ()


def without_root(chain: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(der for der in chain if not _is_root(x509.load_der_x509_certificate(der)))


def issued(upper: bytes, lower: bytes) -> bool:
    """The upper certificate's key has signed the lower one."""
    return signed_by(x509.load_der_x509_certificate(lower), x509.load_der_x509_certificate(upper))


def _is_root(one: x509.Certificate) -> bool:
    return one.subject == one.issuer
