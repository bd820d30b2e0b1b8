"""What an upload is when it is no PEM, and the openssl line that converts it (UPL-1)."""

import base64
import binascii

_JKS, _JCEKS = b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"
_SIGNED_DATA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"  # PKCS#7
_PFX = b"\x02\x01\x03\x30"  # version 3 of PKCS#12 is its first field
_HEAD = 40  # bytes that tell the formats apart

PKCS12 = (
    "a PKCS#12 store (PFX)",
    "Convert it: openssl pkcs12 -in file.pfx -nokeys -out server.pem"
    " and openssl pkcs12 -in file.pfx -nocerts -nodes -out server.key",
)
JAVA = (
    "a Java keystore",
    "Convert it: keytool -importkeystore -srckeystore file.jks -destkeystore file.pfx"
    " -deststoretype PKCS12, then openssl pkcs12 -in file.pfx -nodes -out server.pem",
)
PKCS7 = (
    "a PKCS#7 bundle",
    "Convert it: openssl pkcs7 -inform der -print_certs -in file.p7b -out server.pem",
)
PKCS7_PEM = (PKCS7[0], "Convert it: openssl pkcs7 -print_certs -in file.p7b -out server.pem")
DER_CERTIFICATE = ("in DER form", "Convert it: openssl x509 -inform der -in file.cer -out server.pem")
DER_KEY = ("in DER form", "Convert it: openssl pkey -inform der -in file.der -out server.key")
REQUEST = ("a CSR, not a certificate", "Upload what the CA made of it.")
TRUSTED = ("in OpenSSL's own form", "Convert it: openssl x509 -in file.pem -out server.pem")
UNKNOWN = ("no PEM text", "Upload the text between BEGIN and END, these two lines included.")

_LABELS = {
    "PKCS7": PKCS7_PEM,
    "CMS": PKCS7_PEM,
    "CERTIFICATE REQUEST": REQUEST,
    "NEW CERTIFICATE REQUEST": REQUEST,
    "TRUSTED CERTIFICATE": TRUSTED,
    "X509 CERTIFICATE": TRUSTED,
}

Advice = tuple[str, str]
"""What it is, as the end of a sentence, and what to do."""


def of_bytes(content: bytes, *, key: bool = False) -> Advice:
    """Advice about a file that is no text.

    Args:
        key: it was given as the private key.
    """
    head = content[:_HEAD]
    if head.startswith((_JKS, _JCEKS)):
        return JAVA
    if not head.startswith(b"\x30"):
        return UNKNOWN
    if _PFX in head[:8]:
        return PKCS12
    if _SIGNED_DATA in head:
        return PKCS7
    return DER_KEY if key else DER_CERTIFICATE


def of_text(text: str, *, key: bool = False) -> Advice:
    """Advice about text without a PEM block: often it is Base64 of one of the forms above."""
    try:
        return of_bytes(base64.b64decode("".join(text.split()), validate=True), key=key)
    except (binascii.Error, ValueError):
        return UNKNOWN


def of_label(label: str) -> Advice | None:
    """Advice about a PEM block that is none of ours; None for one that has no use here."""
    return _LABELS.get(label)
