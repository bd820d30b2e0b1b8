"""Our own check of a finished TBSCertificate: read back by another parser, compared with what was asked.

The second half of law 3's lint: the shape was linted whole once, and here is what varies from one
certificate to the next. A difference is a fault of the program, so nothing is signed.
"""

from collections.abc import Sequence
from ipaddress import ip_address

from cryptography import x509

from certdesk.pki.x509.names import Name

from . import der
from .built import Built
from .errors import CheckFailed

SERIAL_LIMIT = 1 << 159  # Baseline Requirements 7.1.2.7: less than 2^159
SERIAL_SMALLEST = 1 << 120  # first octet not zero, so that the hex form always has 32 digits
TBS_LIMIT = 96 * 1024  # 250 names of 253 characters and the rest
_FIELDS = 8  # version, serial, signature, issuer, validity, subject, key, extensions
_EXTENSIONS = 0xA3
_VERSION_3 = bytes.fromhex("a003020102")
_SAN = bytes.fromhex("551d11")  # 2.5.29.17
_FILLER = b"\x00"


def check(built: Built) -> None:
    """Compare the bytes that will be signed with the request, field by field.

    Raises:
        CheckFailed: naming the first field that differs.
    """
    _require(len(built.tbs) <= TBS_LIMIT, "length")
    _require(SERIAL_SMALLEST <= built.serial < SERIAL_LIMIT, "serial")
    try:
        # The parser wants a whole certificate; the signature is not looked at.
        certificate = x509.load_der_x509_certificate(built.issuer.assemble(built.tbs, _FILLER))
        _require(certificate.serial_number == built.serial, "serial")
        _require(certificate.not_valid_before_utc == built.not_before, "notBefore")
        _require(certificate.not_valid_after_utc == built.not_after, "notAfter")
        found = tuple((attribute.oid, str(attribute.value)) for attribute in certificate.subject)
        _require(found == built.subject, "subject")
        _check_bytes(built)
    except ValueError:
        raise _failed("form") from None


def _check_bytes(built: Built) -> None:
    """What must be there to the byte: the constant parts were parsed and linted with the shape."""
    issuer = built.issuer
    ((_, content, whole),) = der.read(built.tbs)
    _require(whole == built.tbs, "form")
    fields = list(der.read(content))
    _require(len(fields) == _FIELDS and fields[0][2] == _VERSION_3, "form")
    _require(fields[2][2] == issuer.signature, "signature algorithm")
    _require(fields[3][2] == issuer.name, "issuer")
    _require(fields[6][2] == built.spki, "public key")
    ((_, extensions, _),) = der.read(fields[7][1])
    constant = issuer.leaf_extensions(built.serial)
    _require(fields[7][0] == _EXTENSIONS and extensions.startswith(constant), "extensions")
    rest = extensions[len(constant) :]
    _check_alternative_names(rest, built.names, no_subject=not built.subject)


def _check_alternative_names(extension: bytes, names: Sequence[Name], *, no_subject: bool) -> None:
    ((_, content, _),) = der.read(extension)
    oid, *flags, value = (element for _, element, _ in der.read(content))
    _require(oid == _SAN, "alternative names")
    _require(flags == ([b"\xff"] if no_subject else []), "alternative names")
    ((_, general_names, _),) = der.read(value)
    found = [(tag, name) for tag, name, _ in der.read(general_names)]
    _require(found == [_wanted(name) for name in names], "alternative names")


def _wanted(name: Name) -> tuple[int, bytes]:
    """Context tags of GeneralName: 2 dNSName, 7 iPAddress (RFC 5280 §4.2.1.6)."""
    return (0x87, ip_address(name.text).packed) if name.ip else (0x82, name.text.encode())


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise _failed(what)


def _failed(what: str) -> CheckFailed:
    return CheckFailed(
        f"The certificate was built with a wrong {what}; it was not signed.",
        next_step="Tell the operator: this is a fault of the program.",
        details={"field": what},
    )
