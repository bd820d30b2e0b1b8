"""A private key that somebody brings, with a certificate or a CSR: PEM, no password, one pair (UPL-1..3).

Read strictly; no refusal quotes a byte of it.
"""

from typing import Any, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_private_key

from . import foreign_formats, keys, pem
from .errors import UploadRefused
from .keys import PrivateKey

TEXT_LIMIT = 16_000  # characters; RSA 4096 takes 3,300
UNREADABLE, NO_MATCH, NO_MARKERS, NO_BASE64 = "SCM.0012", "SCM.0014", "SCM.0114", "SCM.0115"
_FIELD = "private_key"
_KINDS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
_IGNORED = ("EC PARAMETERS",)  # `openssl ecparam -genkey` writes them in front of the key
_TEST = b"certdesk: does the private half belong to the public half?"


def check_length(text: str) -> None:
    """Raises UploadRefused: far longer than any key."""
    if len(text) > TEXT_LIMIT:
        raise _refused(
            f"The private key has {len(text)} characters; at most {TEXT_LIMIT} are taken.",
            "Upload the key alone.",
            UNREADABLE,
        )


def load(text: str) -> PrivateKey:
    """The one private key in a PEM text, RSA or EC of an algorithm that the service knows.

    Raises:
        UploadRefused: with what is wrong and what to do; no byte of the key is in it.
    """
    check_length(text)
    der = _one_block(text).der
    found, _spki = _unproved(der)
    public_key = found.public_key()
    if keys.algorithm_of(public_key) is None:  # before the costly check: it also bounds the numbers
        raise _refused(
            f"The private key is {keys.describe(public_key)}.",
            f"Use one of: {', '.join(keys.KeyAlgorithm)}.",
            UNREADABLE,
        )
    return _proved(der, public_key, found)


def read(text: str, public_key: PublicKeyTypes) -> PrivateKey:
    """The key of the certificate.

    Args:
        text: PEM, checked for its length.
        public_key: the certificate's, known to be of a kind that is kept here.

    Raises:
        UploadRefused: it is no PEM, has a password, is damaged, or belongs to another certificate.
    """
    block = _one_block(text)
    found, spki = _unproved(block.der)
    if spki != keys.spki_der(public_key):
        raise _refused(
            "The private key belongs to another certificate.",
            "Upload the key with which this certificate's CSR was made.",
            NO_MATCH,
        )
    return _proved(block.der, public_key, found)


def _unproved(der: bytes) -> tuple[Any, bytes]:
    """With its public half; without the costly check of RSA: nobody knows yet how large the numbers are."""
    try:
        found = load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
        return found, keys.spki_der(found.public_key())  # a key exchange key of some kinds has no such form
    except Exception as fault:
        raise _damaged() from fault


def _one_block(text: str) -> pem.Block:
    if "ENCRYPTED" in text:
        raise _refused(
            "The private key is protected by a password.",
            "Take the password off: openssl pkey -in server.key -out server-plain.key",
            UNREADABLE,
        )
    try:
        blocks = [block for block in pem.read_blocks(text) if block.label not in _IGNORED]
    except pem.BadPem as fault:
        code = NO_BASE64 if "Base64" in str(fault) else NO_MARKERS
        raise _refused(
            f"The private key {fault}.", "Copy the whole file, from BEGIN to END.", code
        ) from fault
    if not blocks:
        what, advice = foreign_formats.of_text(text, key=True)
        raise _refused(f"The private key is {what}.", advice, NO_MARKERS)
    if len(blocks) > 1 or blocks[0].label not in _KINDS:
        raise _refused(
            "The text of the private key holds something else too, or no private key.",
            "Upload the key alone: -----BEGIN PRIVATE KEY-----, RSA PRIVATE KEY or EC PRIVATE KEY.",
            UNREADABLE,
        )
    return blocks[0]


def _proved(der: bytes, public_key: PublicKeyTypes, found: object) -> PrivateKey:
    """The key after the library's own check of its numbers, and after a signature made with it.

    Args:
        found: as it was read without that check, which there is for RSA alone.
    """
    try:
        whole = found if isinstance(found, ec.EllipticCurvePrivateKey) else load_der_private_key(der, None)
        key = cast(PrivateKey, whole)  # as its public half is
        _sign(key, public_key)
    except Exception as fault:
        raise _damaged() from fault
    return key


def _sign(key: PrivateKey, public_key: Any) -> None:
    """Raises InvalidSignature when the two halves do not belong together."""
    if isinstance(key, rsa.RSAPrivateKey):
        scheme, digest = padding.PKCS1v15(), hashes.SHA256()
        public_key.verify(key.sign(_TEST, scheme, digest), _TEST, scheme, digest)
    else:
        algorithm = ec.ECDSA(hashes.SHA256())
        public_key.verify(key.sign(_TEST, algorithm), _TEST, algorithm)


def _damaged() -> UploadRefused:
    return _refused(
        "The private key cannot be read: it is damaged, or of an unknown kind.",
        "Convert it: openssl pkey -in server.key -out server-plain.key",
        UNREADABLE,
    )


def _refused(message: str, next_step: str, code: str) -> UploadRefused:
    return UploadRefused(message, next_step=next_step, code=code, field=_FIELD)
