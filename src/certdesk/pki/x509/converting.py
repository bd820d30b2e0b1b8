"""One content in another form: PEM, DER, PKCS#7, PKCS#12 or a Java key store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)

from . import bundles, keys
from .errors import CannotRead
from .keys import PrivateKey
from .reading import AnyKey, Content, in_order

PASSWORD_LIMITS = (8, 64)
_ALIAS = "server"


class Form(StrEnum):
    """The forms by their API values."""

    PEM = "PEM"
    DER = "DER"
    PKCS7 = "PKCS7"
    PKCS12 = "PKCS12"
    JKS = "JKS"


@dataclass(frozen=True, slots=True)
class Converted:
    """A file. Content and password are secret where a key is in it: neither shows in `repr`.

    Attributes:
        password: of a store; empty where the form has none.
        has_key: a private key is in it.
    """

    name: str
    content_type: str
    content: bytes
    password: str
    has_key: bool

    def __repr__(self) -> str:
        return f"Converted({self.name!r}, {len(self.content)} bytes)"


def convert(content: Content, form: Form, password: str, now: datetime) -> Converted:
    """The same things in another form; the server's own certificate first.

    Args:
        password: for a store: 8 to 64 printable ASCII characters; empty = one is made.

    Raises:
        CannotRead: the form cannot hold that, and which can; or the password is no good.
    """
    ordered, key = in_order(content.certificates), _one_key(content)
    if form in (Form.PKCS12, Form.JKS):
        return _store(form, ordered, key, _password(password), now)
    if form is Form.PEM:
        return _pem(content, ordered, key)
    if form is Form.PKCS7:
        if not ordered:
            raise _refused("PKCS#7 holds certificates alone, and there is none.", "Choose PEM or DER.")
        data = pkcs7.serialize_certificates(list(ordered), Encoding.DER)
        return Converted("server.p7b", "application/x-pkcs7-certificates", data, "", False)
    return _der(content, ordered, key)


def _one_key(content: Content) -> AnyKey | None:
    if len(content.keys) > 1:
        raise _refused(
            "There is more than one private key.", "Leave the one that belongs to the certificate."
        )
    return content.keys[0] if content.keys else None


def _pem(content: Content, ordered: Sequence[x509.Certificate], key: AnyKey | None) -> Converted:
    parts = [one.public_bytes(Encoding.PEM) for one in ordered]
    parts += [one.public_bytes(Encoding.PEM) for one in content.requests]
    if key is not None:
        parts.append(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Converted("server.pem", "application/x-pem-file", b"".join(parts), "", key is not None)


def _der(content: Content, ordered: Sequence[x509.Certificate], key: AnyKey | None) -> Converted:
    if len(ordered) + len(content.requests) + (key is not None) != 1:
        raise _refused(
            "DER holds one thing alone: a certificate, a CSR or a key.", "Give one of them, or choose PEM."
        )
    if ordered:
        return Converted(
            "server.cer", "application/pkix-cert", ordered[0].public_bytes(Encoding.DER), "", False
        )
    if content.requests:
        data = content.requests[0].public_bytes(Encoding.DER)
        return Converted("server.p10", "application/pkcs10", data, "", False)
    assert key is not None  # noqa: S101 - counted above
    data = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Converted("server.der", "application/pkcs8", data, "", True)


def _store(
    form: Form, ordered: Sequence[x509.Certificate], key: AnyKey | None, password: str, now: datetime
) -> Converted:
    if key is None or not ordered:
        raise _refused(
            "A key store holds a private key and its certificate; one of them is missing.",
            "Add it, or choose PEM or PKCS#7.",
        )
    if keys.spki_sha256(ordered[0].public_key()) != keys.spki_sha256(key.public_key()):
        raise _refused(
            "The private key does not belong to the certificate.",
            "Give the key with which this certificate's CSR was made.",
        )
    if form is Form.JKS:
        if not isinstance(key, PrivateKey):
            raise _refused(
                f"A Java key store of the old kind holds no {keys.describe(key.public_key())} key.",
                "Choose PKCS#12.",
            )
        leaf, *above = (one.public_bytes(Encoding.DER) for one in ordered)
        data = bundles.jks_store(leaf, above, key, _ALIAS, password, now)
        return Converted("server.jks", "application/x-java-keystore", data, password, True)
    data = pkcs12.serialize_key_and_certificates(
        _ALIAS.encode(), key, ordered[0], list(ordered[1:]), BestAvailableEncryption(password.encode())
    )
    return Converted("server.p12", "application/x-pkcs12", data, password, True)


def _password(given: str) -> str:
    if not given:
        return bundles.new_password()
    least, most = PASSWORD_LIMITS
    if not least <= len(given) <= most or not (given.isascii() and given.isprintable()):
        raise CannotRead(
            f"The password of a store has {least} to {most} printable ASCII characters.",
            next_step="Choose another one, or leave it empty: then one is made.",
            field="new_password",
        )
    return given


def _refused(message: str, next_step: str) -> CannotRead:
    return CannotRead(message, next_step=next_step, field="format")
