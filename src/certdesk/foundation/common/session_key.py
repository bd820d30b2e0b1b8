"""The secret behind sessions and the listener's key file; a file of its own beside the KEK.

Apart from the KEK so that a rotation there signs nobody out. Web nodes of one installation share it.
"""

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

from .settings import Settings


def path_of(settings: Settings) -> Path:
    return settings.kek_path.with_suffix(".session")


def ensure(settings: Settings) -> None:
    """Make the file, mode 0600, when there is none."""
    try:
        handle = os.open(path_of(settings), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())


def derive(settings: Settings, purpose: str) -> str:
    """64 hex characters bound to `purpose`; before the first set-up a value that nobody else has."""
    try:
        material = _read(path_of(settings))
    except FileNotFoundError:
        material = secrets.token_bytes(32)
    return hmac.new(material, purpose.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=8)
def _read(path: Path) -> bytes:
    """Kept by the process, for each answer of the ACME server holds a nonce; a missing file is not."""
    return path.read_bytes()
