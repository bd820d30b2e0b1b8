"""ACME Renewal Information (RFC 9773): a certificate's name there, and the window that a CA advises. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from certdesk.connectors.issuers.acme.keys import b64
from certdesk.connectors.issuers.protocol import Advice

_LONGEST_URL = 500


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


def read(told: Mapping[str, Any], retry_after: int | None) -> Advice | None:
    """What the CA's RenewalInfo says; None for one that holds no window (§4.2: it ends after it starts)."""
    window = told.get("suggestedWindow")
    if not isinstance(window, Mapping):
        return None
    start, end = _moment(window.get("start")), _moment(window.get("end"))
    if start is None or end is None or end <= start:
        return None
    return Advice(start, end, _page(told.get("explanationURL")), retry_after)


def _moment(text: object) -> datetime | None:
    """RFC 3339; None for anything else, a moment without its zone included."""
    try:
        found = datetime.fromisoformat(str(text))
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _page(given: object) -> str:
    """An address that people may follow; empty where it is none."""
    text = given if isinstance(given, str) else ""
    usable = text.startswith(("https://", "http://")) and text.isascii() and text.isprintable()
    return text if usable and " " not in text and len(text) <= _LONGEST_URL else ""
