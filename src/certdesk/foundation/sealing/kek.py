"""The key-encryption keys (KEKs): a file of versions outside the database and the data folder.

One JSON object a line: `{"version": 1, "key": "<base64 of 32 bytes>", "made_at": "<ISO 8601>"}`. The
highest version wraps new secrets; older ones stay only until the rotation that replaced them is complete.
The file is checked by `stat` at every use (1 µs), so each process follows a rotation made by another one.
"""

import base64
import binascii
import json
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certdesk.foundation.common import clock, private_file, settings

from .errors import KekRefused

KEY_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_Mark = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The KEKs of one moment; `repr` shows no key.

    Attributes:
        versions: rising; the last one is current.
    """

    versions: tuple[int, ...]
    _ciphers: dict[int, AESGCM]

    @property
    def current(self) -> int:
        return self.versions[-1]

    def cipher(self, version: int) -> AESGCM:
        """The AES-256-GCM of one version.

        Raises:
            KekRefused: the file does not hold that version: it is not the one this database was sealed with.
        """
        try:
            return self._ciphers[version]
        except KeyError:
            raise KekRefused(
                f"The KEK file holds no version {version}, which sealed this secret.",
                next_step="Put back the KEK file that belongs to this database.",
            ) from None

    def __repr__(self) -> str:
        return f"KeyRing(versions={self.versions})"


_loaded: tuple[_Mark, KeyRing] | None = None


def ensure_kek_file(path: Path | None = None) -> Path:
    """Make the file with version 1 when there is none; check it when there is one.

    Raises:
        KekRefused: it stands inside the data folder (a backup would carry it), or as in `load`.
    """
    path = path or settings.get().kek_path
    data = settings.get().data.resolve()
    if path.resolve().is_relative_to(data):
        raise KekRefused(
            f"The KEK file {path} stands inside the data folder, so each backup would carry it.",
            next_step="Set CERTDESK_KEK_FILE to a path outside the data folder.",
        )
    with private_file.locked(path):
        if not path.exists():
            private_file.replace(path, [_line(1, secrets.token_bytes(KEY_BYTES))])
    load(path)
    return path


def load(path: Path | None = None) -> KeyRing:
    """The KEKs in the file, cached until the file changes.

    Raises:
        KekRefused: missing, readable by group or others, or damaged.
    """
    global _loaded
    path = path or settings.get().kek_path
    mark = _mark(path)
    held = _loaded
    if held is None or held[0] != mark:
        held = (mark, _read(path))
        _loaded = held
    return held[1]


def add_version(path: Path) -> int:
    """Append a fresh KEK; from now on it wraps what is sealed. Answers its version."""
    with private_file.locked(path):
        version = load(path).current + 1
        private_file.replace(path, [*_lines(path), _line(version, secrets.token_bytes(KEY_BYTES))])
    return version


def retire(path: Path, versions: Sequence[int]) -> None:
    """Remove KEKs that wrap no secret any more; the current one is never removed."""
    with private_file.locked(path):
        current = load(path).current
        kept = [
            line
            for line in _lines(path)
            if (version := json.loads(line)["version"]) not in versions or version == current
        ]
        private_file.replace(path, kept)


def _mark(path: Path) -> _Mark:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise KekRefused(
            f"The KEK file {path} is missing; without it no secret can be read.",
            next_step="Put it back from where you keep it, or set CERTDESK_KEK_FILE.",
        ) from None
    if status.st_mode & _OTHERS:
        raise KekRefused(
            f"The KEK file {path} can be read by others (mode {stat.S_IMODE(status.st_mode):04o}).",
            next_step=f"Run: chmod 600 {path}. If others may have read it, run: certdesk key rotate.",
        )
    return str(path), status.st_ino, status.st_mtime_ns, status.st_size


def _read(path: Path) -> KeyRing:
    ciphers: dict[int, AESGCM] = {}
    for number, line in enumerate(_lines(path), start=1):
        try:
            entry = json.loads(line)
            key = base64.b64decode(entry["key"], validate=True)
            version = int(entry["version"])
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise _damaged(path, number) from None
        if len(key) != KEY_BYTES or version < 1 or version in ciphers:
            raise _damaged(path, number)
        ciphers[version] = AESGCM(key)
    if not ciphers:
        raise _damaged(path, 1)
    return KeyRing(tuple(sorted(ciphers)), ciphers)


def _damaged(path: Path, number: int) -> KekRefused:
    return KekRefused(
        f"Line {number} of the KEK file {path} is damaged.",
        next_step="Put back the file from where you keep it; do not edit it by hand.",
    )


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="ascii").splitlines() if line.strip()]


def _line(version: int, key: bytes) -> str:
    return json.dumps(
        {
            "version": version,
            "key": base64.b64encode(key).decode(),
            "made_at": clock.real_now().isoformat(timespec="seconds"),
        }
    )
