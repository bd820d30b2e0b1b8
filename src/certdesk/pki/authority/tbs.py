"""Writes the TBSCertificate of a leaf (RFC 5280 §4.1.2). Pure: what varies goes in, DER comes out."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address

from cryptography.x509.oid import ExtensionOID

from certdesk.pki.x509.names import Name

from . import der
from .issuers import Issuer

_VERSION_3 = b"\xa0\x03\x02\x01\x02"
_SAN = der.object_identifier(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87  # context tags of GeneralName
_EMPTY_NAME = b"\x30\x00"


def build(
    issuer: Issuer,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    subject: bytes,
    spki: bytes,
    names: Sequence[Name],
) -> bytes:
    """TBSCertificate, DER. The SAN is critical exactly when the subject is empty (RFC 5280 §4.2.1.6)."""
    extensions = issuer.leaf_extensions(serial) + _alternative_names(names, critical=subject == _EMPTY_NAME)
    return der.sequence(
        _VERSION_3,
        der.integer(serial),
        issuer.signature,
        issuer.name,
        der.sequence(der.time(not_before), der.time(not_after)),
        subject,
        spki,
        der.tlv(0xA3, der.sequence(extensions)),
    )


def _alternative_names(names: Sequence[Name], *, critical: bool) -> bytes:
    value = der.sequence(*(_general_name(name) for name in names))
    return der.sequence(_SAN, der.TRUE if critical else b"", der.octet_string(value))


def _general_name(name: Name) -> bytes:
    if name.ip:
        return der.tlv(_IP_ADDRESS, ip_address(name.text).packed)
    return der.tlv(_DNS_NAME, name.text.encode("ascii"))
