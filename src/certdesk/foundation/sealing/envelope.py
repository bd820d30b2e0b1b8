"""Envelope encryption of one value: a data key of its own, wrapped under a KEK. Pure: no database.

AES-256-GCM with random 96-bit nonces. The additional data binds tenant, id and purpose, and for the
wrapped key the KEK version too, so that no part of a row works in another row.
"""

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import SealBroken
from .kek import KeyRing

_NONCE = 12
_KEY = 32


@dataclass(frozen=True, slots=True)
class Label:
    """What a secret is bound to."""

    tenant: str
    id: str
    purpose: str

    def bind(self, *more: object) -> bytes:
        """Unambiguous bytes: each part behind its length."""
        parts = (self.tenant, self.id, self.purpose, *(str(part) for part in more))
        return b"".join(len(part.encode()).to_bytes(2, "big") + part.encode() for part in parts)


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    kek_version: int
    wrapped_key: bytes
    ciphertext: bytes


def close(label: Label, plaintext: bytes, ring: KeyRing) -> Sealed:
    data_key = secrets.token_bytes(_KEY)
    ciphertext = _encrypt(AESGCM(data_key), plaintext, label.bind())
    return Sealed(ring.current, _wrap(label, data_key, ring), ciphertext)


def open_sealed(label: Label, sealed: Sealed, ring: KeyRing) -> bytes:
    """The plaintext.

    Raises:
        SealBroken: any part was changed or belongs to another row, tenant or purpose.
    """
    data_key = _unwrap(label, sealed, ring)
    return _decrypt(AESGCM(data_key), sealed.ciphertext, label.bind(), label)


def rewrap(label: Label, sealed: Sealed, ring: KeyRing) -> Sealed:
    """The same secret under the current KEK; the value itself is not touched.

    Raises:
        SealBroken: the row cannot be opened, so it must not be carried over as if it could.
    """
    return Sealed(ring.current, _wrap(label, _unwrap(label, sealed, ring), ring), sealed.ciphertext)


def _wrap(label: Label, data_key: bytes, ring: KeyRing) -> bytes:
    return _encrypt(ring.cipher(ring.current), data_key, label.bind(ring.current))


def _unwrap(label: Label, sealed: Sealed, ring: KeyRing) -> bytes:
    cipher = ring.cipher(sealed.kek_version)
    return _decrypt(cipher, sealed.wrapped_key, label.bind(sealed.kek_version), label)


def _encrypt(cipher: AESGCM, plaintext: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + cipher.encrypt(nonce, plaintext, bound)


def _decrypt(cipher: AESGCM, data: bytes, bound: bytes, label: Label) -> bytes:
    try:
        return cipher.decrypt(data[:_NONCE], data[_NONCE:], bound)
    except (InvalidTag, ValueError):
        raise SealBroken(
            f"The secret {label.id} cannot be opened: the row was changed, or belongs to something else.",
            next_step="Restore the row from a backup, or make a new key or password in its place.",
        ) from None
