"""The operator's own list of weak keys (APP-12): the file of `CERTDESK_WEAK_KEYS`, followed as it changes.

A `stat` at each use (1 µs), so every process follows a new list without a restart.
"""

from pathlib import Path

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.pki.x509 import weak_keys

_Mark = tuple[str, int, int, int]
_loaded: tuple[_Mark, frozenset[bytes]] | None = None


class BlocklistUnreadable(CertdeskError):
    """Nothing is certified while the list cannot be read: a list half read protects nobody."""

    kind = Kind.UNAVAILABLE


def load() -> frozenset[bytes]:
    """SHA-256 digests of SPKIs; empty without the setting.

    Raises:
        BlocklistUnreadable: the file is missing, or a line is no digest.
    """
    global _loaded
    path = settings.get().weak_keys
    if path is None:
        return frozenset()
    try:
        mark = _mark(path)
        if _loaded is None or _loaded[0] != mark:
            _loaded = (mark, weak_keys.load_blocklist(path))
    except (OSError, UnicodeDecodeError, CertdeskError) as error:
        raise BlocklistUnreadable(
            f"The list of weak keys {path} cannot be read: {error}",
            next_step="Correct the file that CERTDESK_WEAK_KEYS names.",
        ) from None
    return _loaded[1]


def _mark(path: Path) -> _Mark:
    status = path.stat()
    return str(path), status.st_ino, status.st_mtime_ns, status.st_size
