"""The name of a certificate in ARI (RFC 9773), by which an order tells what it replaces."""

from cryptography import x509

from certdesk.connectors.issuers.acme.keys import b64


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
