"""The secret behind sessions and the listener's key file; a file of its own beside the KEK.

Apart from the KEK so that a rotation there signs nobody out. Web nodes of one installation share it.
"""

import hashlib
import hmac
import secrets
from functools import lru_cache
from pathlib import Path

from . import private_file
from .settings import Settings

_BYTES = 32


def path_of(settings: Settings) -> Path:
    return settings.kek_path.with_suffix(".session")


def ensure(settings: Settings) -> None:
    """Make the file, mode 0600, when there is none, or a crash left it unfinished."""
    path = path_of(settings)
    with private_file.locked(path):
        try:
            _read(path)
        except FileNotFoundError:
            private_file.write(path, secrets.token_hex(_BYTES).encode("ascii"))


def derive(settings: Settings, purpose: str) -> str:
    """64 hex characters bound to `purpose`; before the first set-up a value that nobody else has.

    Kept for the settings that are in force: each request of an ACME client asks twice.
    """
    global _derived
    if _derived[0] is not settings:
        _derived = (settings, {})
    kept = _derived[1]
    if purpose not in kept:
        try:
            kept[purpose] = _bound(_read(path_of(settings)), purpose)
        except FileNotFoundError:
            return _bound(secrets.token_bytes(_BYTES), purpose)
    return kept[purpose]


_derived: tuple[Settings | None, dict[str, str]] = (None, {})


def _bound(material: bytes, purpose: str) -> str:
    return hmac.new(material, purpose.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=8)
def _read(path: Path) -> bytes:
    """Kept by the process, for each answer of the ACME server holds a nonce; a missing file is not."""
    found = path.read_bytes()
    if len(found) < 2 * _BYTES:
        raise FileNotFoundError(path)  # what anybody could guess is no key
    return found
