"""When to renew, as the CA says (ARI, RFC 9773): a certificate's name there, and its window."""

from datetime import datetime
from typing import Any

from cryptography import x509

from certdesk.connectors.issuers.acme.keys import b64

ASK_AGAIN = 6 * 3600
"""Seconds, where the server does not say (RFC 9773 §4.3.3)."""


def identifier_of(certificate: bytes) -> str:
    """`<key identifier>.<serial>` of RFC 9773 §4.1; empty for a certificate that names no key of its CA."""
    loaded = x509.load_der_x509_certificate(certificate)
    try:
        found = loaded.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return ""
    serial = loaded.serial_number
    octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")  # as in DER: the first bit is the sign
    return f"{b64(found)}.{b64(octets)}" if found else ""


def window_of(answer: dict[str, Any]) -> tuple[datetime, datetime] | None:
    """First and last moment; None where the answer holds no window that makes sense."""
    window = answer.get("suggestedWindow")
    try:
        first, last = (_moment(window[key]) for key in ("start", "end"))  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        return None
    return (first, last) if first < last else None


def _moment(text: object) -> datetime:
    found = datetime.fromisoformat(str(text))
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found
