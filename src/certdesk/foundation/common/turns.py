"""Writers of the SQLite database take turns: a queue in front of the database's own lock.

SQLite lets a waiting writer look again after 1, 2, 5, 10, … 100 ms, so whoever comes by at the right moment
goes first: a web request waits hundreds of milliseconds beside a bulk loop, and beside writers without a gap
between them until it gives up. One lock that all wait for is no better: whoever lets go of it and asks again
is often first. So each takes a number, and waits for the lock of the number before its own, on a byte of a
file beside the database. The kernel lets go of the locks of a process that was killed; the one behind it
then goes early. It is no safeguard: a writer out of turn meets SQLite's own lock as ever.
"""

import fcntl
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SUFFIX = "-turn"
NUMBERS, BYTES = struct.Struct("<Q"), 8
"""What the file begins with: the next number. What comes behind it is another module's (`checkpoint`)."""
_GUARD = 0  # its byte is locked while a number is taken
_FIRST = 16  # the byte of the number 0; nobody locks the one before
_WRITING = ("INSERT", "UPDATE", "DELETE", "REPLACE")


class _Gate:
    """One open lock file. Each thread needs its own: the kernel tells holders apart by open file."""

    def __init__(self, path: str) -> None:
        self.path, self.pid = path, os.getpid()
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.held = False

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            os.close(self.handle)

    def lock(self, byte: int) -> None:
        fcntl.fcntl(self.handle, fcntl.F_OFD_SETLKW, _flock(fcntl.F_WRLCK, byte))

    def unlock(self, byte: int) -> None:
        fcntl.fcntl(self.handle, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK, byte))

    def number(self) -> int:
        """The next number; its byte is locked."""
        self.lock(_GUARD)
        try:
            found = os.pread(self.handle, BYTES, 0)
            taken: int = NUMBERS.unpack(found)[0] if len(found) == BYTES else 0
            os.pwrite(self.handle, NUMBERS.pack(taken + 1), 0)
            self.lock(_FIRST + taken)
        finally:
            self.unlock(_GUARD)
        return taken


def _flock(kind: int, byte: int) -> bytes:
    """`struct flock` for one byte; open file descriptions have no process."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0)


_held = threading.local()


@contextmanager
def turn(database: str) -> Iterator[None]:
    """Waits for this thread's turn to write, and keeps it for the length of the block; one inside another of
    the same thread is part of it.

    Args:
        database: path of the SQLite file; one in memory has a single process and needs no queue.
    """
    if not database or database == ":memory:" or database.startswith("file:"):
        yield
        return
    gate = _gate(database + SUFFIX)
    if gate.held:
        yield
        return
    mine = _FIRST + gate.number()
    try:
        gate.lock(mine - 1)
        gate.unlock(mine - 1)
        gate.held = True
        yield
    finally:
        gate.held = False
        gate.unlock(mine)


def writes(statement: str) -> bool:
    """Whether a statement changes rows; not BEGIN and its like, whose writer has a turn already."""
    return statement.startswith(_WRITING)


def _gate(path: str) -> _Gate:
    gate: _Gate | None = getattr(_held, "gate", None)
    if gate is None or gate.path != path or gate.pid != os.getpid():  # a fork shares its parent's open file
        gate = _held.gate = _Gate(path)
    return gate
