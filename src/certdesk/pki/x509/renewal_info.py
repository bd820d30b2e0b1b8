"""The name of a certificate in ACME Renewal Information (certID, RFC 9773 §4.1). Pure."""

import base64

from cryptography import x509


def certificate_id(certificate: bytes) -> str:
    """`<key identifier>.<serial>` of a certificate (DER); empty for one that names no key of its CA."""
    loaded = x509.load_der_x509_certificate(certificate)
    key, serial = _authority_key(loaded), loaded.serial_number
    octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")  # as in DER: the first bit is the sign
    return f"{_b64(key)}.{_b64(octets)}" if key else ""


def authority_key(certificate: bytes) -> bytes:
    """Identifier of the key that signed a certificate (DER), as the certificate has it; empty without one."""
    return _authority_key(x509.load_der_x509_certificate(certificate))


def _authority_key(loaded: x509.Certificate) -> bytes:
    try:
        found = loaded.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return b""
    return found or b""


def read_certificate_id(text: str) -> tuple[bytes, str]:
    """Key identifier and serial (lower-case hex) of a certID.

    Raises:
        ValueError: it is none.
    """
    parts = text.split(".")
    key, serial = (base64.urlsafe_b64decode(one + "=" * (-len(one) % 4)) for one in parts)
    if [_b64(key), _b64(serial)] != parts or not key or not serial:
        raise ValueError("certID")
    return key, f"{int.from_bytes(serial, 'big'):x}"


def _b64(data: bytes) -> str:
    """Base64url without padding (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
