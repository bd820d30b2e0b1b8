"""Small files for this service alone, replaced in one step and on disk before anything relies on them."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def replace(path: Path, lines: Sequence[str]) -> None:
    """As `write`, each line ended by a line feed; ASCII."""
    write(path, ("\n".join(lines) + "\n").encode("ascii"))


def write(path: Path, content: bytes) -> None:
    """The new content, mode 0600, or after a crash the old one."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    settle(path.parent)


def settle(folder: Path) -> None:
    """Names that were given or taken in it survive a power cut from now on."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One writer at a time, also across processes; the kernel drops the lock of a killed one."""
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
