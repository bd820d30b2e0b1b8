"""Whatever somebody brings to look at: certificates, CSRs and keys in PEM, DER, PKCS#7, PKCS#12 or JKS.

Sizes, numbers and depth are looked at before anything is parsed. What needs a password, and so costs what
its maker chose, is opened elsewhere (`Unlock`), within limits of time and memory. Nothing is kept.
"""

import base64
import binascii
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, pkcs7

from . import depth, foreign_formats, pem
from .errors import CannotRead
from .weak_keys import RSA_LARGEST

BYTES_LIMIT = 256 * 1024
MOST = 20
"""Certificates, CSRs and keys in one content."""

AnyKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
_KEYS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
_LOCKED = "ENCRYPTED PRIVATE KEY"
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")
_REQUESTS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
_BUNDLES = ("PKCS7", "CMS")
_IGNORED = ("EC PARAMETERS", "DH PARAMETERS")
_OLD_LOCK = "Proc-Type: 4,ENCRYPTED"


@dataclass(frozen=True, slots=True)
class Opened:
    """What lay behind a password: DER of certificates and of keys (PKCS#8, plain)."""

    certificates: tuple[bytes, ...]
    keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"Opened({len(self.certificates)} certificates, {len(self.keys)} keys)"


Unlock = Callable[[bytes, str], Opened]
"""Opens PKCS#12, JKS or an encrypted key with a password; raises `CannotRead`."""


@dataclass(frozen=True, slots=True)
class Content:
    """What was found, each readable; keys do not show in `repr`.

    Attributes:
        format: PEM, DER, PKCS7, PKCS12 or JKS.
        certificates: as they came; `in_order` puts the server's own first.
    """

    format: str
    certificates: tuple[x509.Certificate, ...] = ()
    requests: tuple[x509.CertificateSigningRequest, ...] = ()
    keys: tuple[AnyKey, ...] = ()

    def __repr__(self) -> str:
        found = len(self.certificates), len(self.requests), len(self.keys)
        return "Content({}, {} certificates, {} CSRs, {} keys)".format(self.format, *found)


def read(content: bytes, password: str, unlock: Unlock) -> Content:
    """Everything in `content`.

    Args:
        content: the bytes of a file, or of a text, at most 256 KiB.
        password: of the store or the key; empty where it has none.

    Raises:
        CannotRead: with what is wrong and what to do; no other exception, whatever the bytes.
    """
    if len(content) > BYTES_LIMIT:
        raise CannotRead(
            f"The content has {len(content)} bytes; at most {BYTES_LIMIT} are read.",
            next_step="Leave certificates, CSR and key alone in it.",
            field="text",
        )
    if not content.strip():
        raise _refused("The content is empty.", "Paste PEM text, or choose a file.")
    with _reading():
        found = _read(content, password, unlock)
    if not (found.certificates or found.requests or found.keys):
        raise _refused(
            "The content holds no certificate, no CSR and no private key.", foreign_formats.UNKNOWN[1]
        )
    if len(found.certificates) + len(found.requests) + len(found.keys) > MOST:
        raise _too_many()
    return found


def sent(ders: tuple[bytes, ...]) -> tuple[x509.Certificate, ...]:
    """The certificates that a server sent, at most 20 of them.

    Raises:
        CannotRead: one of them is none.
    """
    with _reading():
        return tuple(map(certificate, ders[:MOST]))


def from_text(text: str) -> bytes:
    """The bytes that a text stands for: PEM as it is, a binary file as its Base64."""
    if "-----BEGIN" in text:
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return text.encode("utf-8", "replace")


def in_order(certificates: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    """The server's own certificate first, then its issuer, and so on; what does not belong comes last."""
    left = list(dict.fromkeys(certificates))
    leaf = next((one for one in left if not _is_above(one, left)), left[0]) if left else None
    path: list[x509.Certificate] = []
    while leaf is not None:
        path.append(leaf)
        left.remove(leaf)
        below = leaf
        leaf = next((one for one in left if one.subject == below.issuer), None)
    return (*path, *left)


def _is_above(one: x509.Certificate, others: list[x509.Certificate]) -> bool:
    return any(other is not one and other.issuer == one.subject for other in others)


def _read(content: bytes, password: str, unlock: Unlock) -> Content:
    text = content.decode("utf-8-sig", "replace")
    if "-----BEGIN" in text:
        return _of_pem(text, password, unlock)
    advice = foreign_formats.of_bytes(content)
    if advice in (foreign_formats.PKCS12, foreign_formats.JAVA):
        kind = "JKS" if advice is foreign_formats.JAVA else "PKCS12"
        return _of_opened(kind, unlock(content, password))
    if advice is foreign_formats.UNKNOWN:
        return Content("PEM")
    _check_depth(content)
    if advice is foreign_formats.PKCS7:
        return Content("PKCS7", tuple(pkcs7.load_der_pkcs7_certificates(content)))
    return _of_der(content, password, unlock)


def _of_der(content: bytes, password: str, unlock: Unlock) -> Content:
    """A certificate, a CSR or a key: which, only the parsers know."""
    try:
        return Content("DER", (certificate(content),))
    except ValueError:
        pass
    try:
        return Content("DER", (), (request(content),))
    except ValueError:
        pass
    try:
        return Content("DER", (), (), (private_key(content),))
    except TypeError:  # it has a password
        return _of_opened("DER", unlock(content, password))


def _of_pem(text: str, password: str, unlock: Unlock) -> Content:
    if _OLD_LOCK in text:
        raise CannotRead(
            "The private key is protected by a password, in the old form of OpenSSL.",
            next_step="Convert it: openssl pkcs8 -topk8 -in server.key -out server-new.key",
            field="text",
        )
    blocks = pem.read_blocks(text)
    if len(blocks) > MOST + len(_IGNORED):
        raise _too_many()
    certificates: list[x509.Certificate] = []
    requests: list[x509.CertificateSigningRequest] = []
    keys: list[AnyKey] = []
    for block in blocks:
        _check_depth(block.der)
        if block.label in _CERTIFICATES:
            certificates.append(certificate(block.der))
        elif block.label in _REQUESTS:
            requests.append(request(block.der))
        elif block.label in _KEYS:
            keys.append(private_key(block.der))
        elif block.label == _LOCKED:
            keys += map(private_key, unlock(block.der, password).keys)
        elif block.label in _BUNDLES:
            certificates += pkcs7.load_der_pkcs7_certificates(block.der)
        elif block.label not in _IGNORED:
            raise _refused(
                f"The content holds a {block.label}, which is not read here.",
                "Leave certificates, CSR and key alone in it.",
            )
    return Content("PEM", tuple(certificates), tuple(requests), tuple(keys))


def _of_opened(kind: str, opened: Opened) -> Content:
    return Content(
        kind, tuple(map(certificate, opened.certificates)), (), tuple(map(private_key, opened.keys))
    )


def certificate(der: bytes) -> x509.Certificate:
    """One certificate whose key, dates and names can be read too; raises many types for what is none."""
    found = x509.load_der_x509_certificate(der)
    found.public_key()
    found.extensions  # noqa: B018 - parsed late, and nothing works with what cannot be parsed
    return found


def request(der: bytes) -> x509.CertificateSigningRequest:
    """One CSR whose key can be read too; raises many types for what is none."""
    found = x509.load_der_x509_csr(der)
    found.public_key()
    return found


def private_key(der: bytes) -> AnyKey:
    """A private key after the library's own check of its numbers, whose size is looked at first.

    Raises:
        TypeError: it has a password. ValueError: it is none, or damaged. CannotRead: of an unknown kind.
    """
    found = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(found, AnyKey):
        raise _refused("The private key is of a kind that no server uses.", "Use RSA, EC or Ed25519.")
    if isinstance(found, rsa.RSAPrivateKey):
        if found.key_size > RSA_LARGEST:
            raise _refused(
                f"The private key has {found.key_size} bits; at most {RSA_LARGEST} are read.",
                "Use a smaller one.",
            )
        return cast(AnyKey, load_der_private_key(der, None))
    return found


def _check_depth(der: bytes) -> None:
    if depth.too_deep(der):
        raise _refused(
            f"The content is nested more than {depth.MOST} levels deep.",
            "Take the file from its maker again.",
        )


@contextmanager
def _reading() -> Iterator[None]:
    """Parsers raise many types for foreign bytes; here each becomes one refusal, our own stay."""
    try:
        yield
    except CannotRead:
        raise
    except pem.BadPem as fault:
        raise _refused(f"The text {fault}.", "Copy the whole file, from BEGIN to END.") from fault
    except Exception as fault:
        raise _refused(
            "The content cannot be read: it is damaged, or of an unknown kind.",
            "Check that it is a certificate, a CSR or a private key, then try again.",
        ) from fault


def _refused(message: str, next_step: str) -> CannotRead:
    return CannotRead(message, next_step=next_step, field="text")


def _too_many() -> CannotRead:
    return _refused(f"The content holds more than {MOST} certificates, CSRs and keys.", "Split it.")
