"""What is inside a backup: named members one after the other, compressed, then sealed.

A member is `M`, the length of its name, its name, then blocks behind their length; a block of length 0 ends
it. `E` ends the archive. Nothing needs its length beforehand, and nobody holds more than one block.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .errors import BackupBroken
from .stream import SealedReader, SealedWriter

BLOCK = 1 << 18
_LEVEL = 3  # the rows compress well; the disk is faster than a higher level
_NAME_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Member:
    """Attributes:
    size: bytes, uncompressed.
    sha256: of them.
    """

    name: str
    size: int
    sha256: str


class Writer:
    """Writes members; `close` ends the archive."""

    def __init__(self, sealed: SealedWriter) -> None:
        self._sealed, self._squeeze = sealed, zlib.compressobj(_LEVEL)

    def add(self, name: str, pieces: Iterable[bytes]) -> Member:
        size, digest = 0, hashlib.sha256()
        self._put(b"M" + _length(len(name.encode())) + name.encode())
        for piece in pieces:
            for start in range(0, len(piece), BLOCK):
                block = piece[start : start + BLOCK]
                self._put(_length(len(block)) + block)
                size += len(block)
                digest.update(block)
        self._put(_length(0))
        return Member(name, size, digest.hexdigest())

    def close(self) -> None:
        self._put(b"E")
        self._sealed.write(self._squeeze.flush())

    def _put(self, data: bytes) -> None:
        self._sealed.write(self._squeeze.compress(data))


class Reader:
    """Reads what `Writer` wrote, in its order."""

    def __init__(self, sealed: SealedReader) -> None:
        self._sealed, self._widen = sealed, zlib.decompressobj()
        self._held = bytearray()
        self.seen: list[Member] = []
        """The members read to their end, as they were found."""

    def __iter__(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Names with their blocks; the blocks of one must be read before the next one is asked for.

        Raises:
            BackupBroken: the archive is not whole.
        """
        while (mark := self._take(1)) == b"M":
            size = _number(self._take(4))
            if size > _NAME_LIMIT:
                raise _broken()
            name = self._take(size).decode("utf-8", "replace")
            yield name, self._blocks(name)
            if not self.seen or self.seen[-1].name != name:
                raise RuntimeError("a member must be read to its end")
        if mark != b"E":
            raise _broken()
        while self._sealed.read(BLOCK):  # the last piece says that nothing is missing
            pass

    def _blocks(self, name: str) -> Iterator[bytes]:
        size, digest = 0, hashlib.sha256()
        while length := _number(self._take(4)):
            if length > BLOCK:
                raise _broken()
            block = self._take(length)
            size += length
            digest.update(block)
            yield block
        self.seen.append(Member(name, size, digest.hexdigest()))

    def _take(self, size: int) -> bytes:
        while len(self._held) < size:
            self._held += self._more()
        found = bytes(self._held[:size])
        del self._held[:size]
        return found

    def _more(self) -> bytes:
        try:
            if self._widen.unconsumed_tail:
                return self._widen.decompress(self._widen.unconsumed_tail, BLOCK)
            sealed = self._sealed.read(BLOCK)
            if not sealed:
                raise _broken()
            return self._widen.decompress(sealed, BLOCK)
        except zlib.error:
            raise _broken() from None


def _broken() -> BackupBroken:
    return BackupBroken("The content of the backup is damaged.", next_step="Take another copy of it.")


def _length(size: int) -> bytes:
    return size.to_bytes(4, "big")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
