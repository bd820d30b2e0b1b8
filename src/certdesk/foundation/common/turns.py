"""Writers of the SQLite database take turns: a queue in front of the database's own lock.

SQLite lets a waiting writer look again after 1, 2, 5, 10, … 100 ms, so whoever comes by at the right moment
goes first: a web request waits hundreds of milliseconds beside a bulk loop, and beside writers without a gap
between them until it gives up. One lock that all wait for is no better: whoever lets go of it and asks again
is often first. So each takes a number, and waits for the lock of the number before its own, on a byte of a
file beside the database. The kernel lets go of the locks of a process that was killed; the one behind it
then goes early. It is no safeguard: a writer out of turn meets SQLite's own lock as ever.
"""

import fcntl
import mmap
import os
import struct
import threading
from types import TracebackType

SUFFIX = "-turn"
BYTES = 8
"""What the file begins with: the next number. As many behind it are another module's (`checkpoint`)."""
_SIZE = 2 * BYTES
_FIRST = 16  # the byte of the number 0; nobody locks the one before
_WRITING = ("INSERT", "UPDATE", "DELETE", "REPLACE")

_number = struct.Struct("<Q")
_flock = struct.Struct("hhqqi4x")  # struct flock; an open file description has no process


def _byte(kind: int, place: int) -> bytes:
    return _flock.pack(kind, os.SEEK_SET, place, 1, 0)


_GUARD, _NO_GUARD = _byte(fcntl.F_WRLCK, 0), _byte(fcntl.F_UNLCK, 0)
"""The byte 0 is locked while a number is taken."""
_FREE = struct.pack("h", fcntl.F_UNLCK)


class _Gate:
    """One open lock file. Each thread needs its own: the kernel tells holders apart by open file."""

    def __init__(self, path: str) -> None:
        self.path, self.pid, self.held = path, os.getpid(), False
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self.handle).st_size < _SIZE:
            os.ftruncate(self.handle, _SIZE)
        self._map = mmap.mmap(self.handle, _SIZE)

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            os.close(self.handle)

    def take(self) -> int:
        """Waits for the turn of the next number; answers its byte, which is locked."""
        handle = self.handle
        fcntl.fcntl(handle, fcntl.F_OFD_SETLKW, _GUARD)
        try:
            number: int = _number.unpack_from(self._map)[0]
            _number.pack_into(self._map, 0, number + 1)
            mine = _FIRST + number
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _byte(fcntl.F_WRLCK, mine))
        finally:
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _NO_GUARD)
        before = _byte(fcntl.F_WRLCK, mine - 1)
        try:
            if not fcntl.fcntl(handle, fcntl.F_OFD_GETLK, before).startswith(_FREE):
                fcntl.fcntl(handle, fcntl.F_OFD_SETLKW, before)
                self.free(mine - 1)
        except BaseException:
            self.free(mine)
            raise
        self.held = True
        return mine

    def free(self, byte: int) -> None:
        fcntl.fcntl(self.handle, fcntl.F_OFD_SETLK, _byte(fcntl.F_UNLCK, byte))


_held = threading.local()


class turn:  # noqa: N801 used as a function
    """Waits for this thread's turn to write, and keeps it for the length of the block; one inside another of
    the same thread is part of it.

    Args:
        database: path of the SQLite file; one in memory has a single process and needs no queue.
    """

    def __init__(self, database: str) -> None:
        self._database, self._gate, self._byte = database, None, 0

    _gate: _Gate | None

    def __enter__(self) -> None:
        database = self._database
        if not database or database == ":memory:" or database.startswith("file:"):
            return
        gate = _gate(database + SUFFIX)
        if not gate.held:
            self._byte = gate.take()
            self._gate = gate

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._gate is not None:
            self._gate.held = False
            self._gate.free(self._byte)


def writes(statement: str) -> bool:
    """Whether a statement changes rows; not BEGIN and its like, whose writer has a turn already."""
    return statement.startswith(_WRITING)


def _gate(path: str) -> _Gate:
    gate: _Gate | None = getattr(_held, "gate", None)
    if gate is None or gate.path != path or gate.pid != os.getpid():  # a fork shares its parent's open file
        gate = _held.gate = _Gate(path)
    return gate
