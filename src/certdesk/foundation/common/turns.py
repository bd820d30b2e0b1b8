"""Writers of the SQLite database take turns: a queue in the kernel in front of the database's own lock.

SQLite lets a waiting writer look again after 1, 2, 5, 10, … 100 ms, so whoever comes by at the right moment
goes first, and a web request waits hundreds of milliseconds beside a bulk loop. A lock on a file beside the
database is handed on in the order of asking, and the kernel takes it from a process that was killed. It is
no safeguard: a writer that does not ask for a turn meets SQLite's own lock as ever.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SUFFIX = "-turn"


class _Gate:
    """One open lock file. Each thread needs its own: the kernel tells holders apart by open file."""

    def __init__(self, path: str) -> None:
        self.path, self.pid = path, os.getpid()
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            os.close(self.handle)


_held = threading.local()


@contextmanager
def turn(database: str) -> Iterator[None]:
    """Waits for this thread's turn to write, and keeps it for the length of the block. Not to be nested.

    Args:
        database: path of the SQLite file; one in memory has a single process and needs no queue.
    """
    if not database or database == ":memory:" or database.startswith("file:"):
        yield
        return
    gate = _gate(database + SUFFIX)
    fcntl.flock(gate.handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(gate.handle, fcntl.LOCK_UN)


def _gate(path: str) -> _Gate:
    gate: _Gate | None = getattr(_held, "gate", None)
    if gate is None or gate.path != path or gate.pid != os.getpid():  # a fork shares its parent's open file
        gate = _held.gate = _Gate(path)
    return gate
