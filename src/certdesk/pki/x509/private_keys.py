"""A private key that somebody brings: read strictly, never quoted in a refusal."""

import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key

from . import keys, pem
from .errors import BadPrivateKey
from .keys import PrivateKey

TEXT_LIMIT = 4096  # characters; RSA 4096 takes 3,300. It also bounds the consistency check of an RSA key.
_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
_LOCKED = re.compile(r"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4,ENCRYPTED", re.MULTILINE)
_UNLOCK = "Take the password off: openssl pkey -in server.key -out server-plain.key"
_WHOLE = "Paste the whole .key file in PEM, from the BEGIN line to the END line."


def load_private_key(text: str, *, field: str = "private_key") -> PrivateKey:
    """The one private key in PEM text, RSA or EC of an algorithm that the service knows.

    Args:
        field: the request field that a refusal names.

    Raises:
        BadPrivateKey: with what is wrong and what to do; no byte of the key is in it.
    """
    if len(text) > TEXT_LIMIT:
        raise _bad(f"text has {len(text)} characters; at most {TEXT_LIMIT} are read", _WHOLE, field)
    if _LOCKED.search(text):
        raise _bad("is protected by a password", _UNLOCK, field)
    key = _read(_der(text, field), field)
    if keys.algorithm_of(key.public_key()) is None:
        allowed = ", ".join(keys.KeyAlgorithm)
        raise _bad(f"is {keys.describe(key.public_key())}", f"Use one of: {allowed}.", field)
    return key


def _der(text: str, field: str) -> bytes:
    try:
        blocks = [block for block in pem.read_blocks(text) if block.label != "EC PARAMETERS"]
    except pem.BadPem as fault:
        raise _bad(f"text {fault}", _WHOLE, field) from None
    if len(blocks) != 1 or blocks[0].label not in _LABELS:
        raise _bad("text is not exactly one private key in PEM", _WHOLE, field)
    return blocks[0].der


def _read(der: bytes, field: str) -> PrivateKey:
    """The parser's own words may echo the input, so they are left out."""
    try:
        key = load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _bad("cannot be read: it is damaged, or of an unknown kind", _WHOLE, field) from None
    if not isinstance(key, PrivateKey):
        raise _bad("is neither RSA nor EC", f"Use one of: {', '.join(keys.KeyAlgorithm)}.", field)
    return key


def _bad(what: str, next_step: str, field: str) -> BadPrivateKey:
    return BadPrivateKey(f"The private key {what}.", next_step=next_step, field=field, code="SCM.0012")
