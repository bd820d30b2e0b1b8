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
    loaded = ((der, x509.load_der_x509_certificate(der)) for der in chain)
    return tuple(der for der, one in loaded if not certificates.is_self_issued(one))


def issued(upper: bytes, lower: bytes) -> bool:
    """The upper certificate's key has signed the lower one."""
    return signed_by(x509.load_der_x509_certificate(lower), x509.load_der_x509_certificate(upper))
