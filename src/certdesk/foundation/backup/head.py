"""The first line of a backup: what it is, of which installation, and how its data key is wrapped.

Readable without a key, so that it holds nothing but that; whatever is changed in it, nothing opens any more.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certdesk.foundation.sealing import kek

from .errors import BackupBroken, BackupRefused

FORMAT = "certdesk-backup"
VERSION = 1
LIMIT = 4096  # bytes of the line
SHORTEST_PASSPHRASE = 12
_COST = {"n": 2**15, "r": 8, "p": 3}  # scrypt: 32 MiB
_MEMORY = 64 << 20
_WRAPS = b"certdesk backup data key"


@dataclass(frozen=True, slots=True)
class Head:
    """Attributes:
    line: the bytes as they stand in the file, without their line feed.
    """

    database: str
    made_at: str
    installation: str
    seal: Mapping[str, Any]
    line: bytes


def make(database: str, made_at: str, installation: str, passphrase: str = "") -> tuple[Head, bytes]:
    """A head and the fresh data key that it wraps: under the current KEK, or under the passphrase."""
    key = secrets.token_bytes(32)
    seal = _with_passphrase(key, passphrase) if passphrase else _with_kek(key)
    line = json.dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            "database": database,
            "made_at": made_at,
            "installation": installation,
            "seal": seal,
        }
    ).encode()
    return Head(database, made_at, installation, seal, line), key


def read(line: bytes) -> Head:
    """Raises: BackupBroken, BackupRefused: it is of a later format."""
    try:
        found = json.loads(line)
        if found["format"] != FORMAT:
            raise ValueError
        if found["version"] != VERSION:
            raise BackupRefused(
                f"The backup is of format {found['version']}; this release reads format {VERSION}.",
                next_step="Restore it with the release that made it, or a later one.",
            )
        return Head(found["database"], found["made_at"], found["installation"], dict(found["seal"]), line)
    except (ValueError, KeyError, TypeError):
        raise BackupBroken("This file is no backup of Certdesk.", next_step="Name another file.") from None


def key_of(head: Head, passphrase: str = "") -> bytes:
    """The data key.

    Raises:
        BackupRefused: a passphrase is needed, or the wrong one or the wrong KEK was given.
        KekRefused: the KEK file is missing, or lacks the version that sealed this backup.
    """
    by_passphrase = head.seal.get("by") == "passphrase"
    if by_passphrase and not passphrase:
        raise BackupRefused(
            "The backup was sealed with a passphrase.", next_step="Name its file: --passphrase-file."
        )
    try:
        nonce, wrapped = (base64.b64decode(head.seal[name], validate=True) for name in ("nonce", "key"))
        cipher = _of_passphrase(head, passphrase) if by_passphrase else _of_kek(head)
        return cipher.decrypt(nonce, wrapped, _WRAPS)
    except (InvalidTag, KeyError, TypeError, ValueError):
        what = "passphrase" if by_passphrase else "KEK file"
        raise BackupRefused(
            f"The {what} is not the one that the backup was sealed with.",
            next_step="Put back the one that belongs to it.",
        ) from None


def _of_kek(head: Head) -> AESGCM:
    return kek.load().cipher(int(head.seal["kek_version"]))


def _of_passphrase(head: Head, passphrase: str) -> AESGCM:
    return _stretched(passphrase, base64.b64decode(head.seal["salt"], validate=True))


def _with_kek(key: bytes) -> dict[str, object]:
    ring = kek.load()
    return {"by": "kek", "kek_version": ring.current, **_wrapped(ring.cipher(ring.current), key)}


def _with_passphrase(key: bytes, passphrase: str) -> dict[str, object]:
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise BackupRefused(
            f"The passphrase has fewer than {SHORTEST_PASSPHRASE} characters.",
            next_step="Take a longer one.",
        )
    salt = secrets.token_bytes(16)
    return {"by": "passphrase", "salt": _text(salt), **_wrapped(_stretched(passphrase, salt), key)}


def _stretched(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(hashlib.scrypt(passphrase.encode(), salt=salt, dklen=32, maxmem=_MEMORY, **_COST))


def _wrapped(cipher: AESGCM, key: bytes) -> dict[str, object]:
    nonce = secrets.token_bytes(12)
    return {"nonce": _text(nonce), "key": _text(cipher.encrypt(nonce, key, _WRAPS))}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
