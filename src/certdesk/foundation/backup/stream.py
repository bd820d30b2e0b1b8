"""A stream sealed piece by piece: AES-256-GCM over pieces of 1 MiB, each bound to its place and the head.

A piece that is missing, doubled, moved or cut off is noticed; memory is one piece, whatever the length.
The data key is random and of one file alone, so that a counter is a nonce that never comes twice.
"""

from types import TracebackType
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import BackupBroken

PIECE = 1 << 20  # bytes of plaintext
_TAG = 16
_LAST = b"\x01"
_MORE = b"\x00"


class Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class SealedWriter:
    """Seals what is written to it; only a closed one is whole."""

    def __init__(self, sink: Sink, key: bytes, head: bytes) -> None:
        """`head`: what else must not be changed unseen."""
        self._sink, self._cipher, self._head = sink, AESGCM(key), head
        self._held = bytearray()
        self._count = 0

    def write(self, data: bytes) -> None:
        self._held += data
        while len(self._held) > PIECE:
            self._seal(bytes(self._held[:PIECE]), _MORE)
            del self._held[:PIECE]

    def close(self) -> None:
        self._seal(bytes(self._held), _LAST)
        self._held.clear()

    def _seal(self, piece: bytes, end: bytes) -> None:
        self._sink.write(self._cipher.encrypt(_nonce(self._count, end), piece, self._head))
        self._count += 1

    def __enter__(self) -> "SealedWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()


class SealedReader:
    """Opens what a `SealedWriter` wrote; `read` answers empty bytes at the end."""

    def __init__(self, source: Source, key: bytes, head: bytes) -> None:
        self._source, self._cipher, self._head = source, AESGCM(key), head
        self._next = _exactly(source, PIECE + _TAG)
        self._held = b""
        self._count = 0
        self._ended = False

    def read(self, size: int) -> bytes:
        """At most `size` bytes.

        Raises:
            BackupBroken: the file is not as it was written.
        """
        if not self._held and not self._ended:
            self._held = self._open()
        found, self._held = self._held[:size], self._held[size:]
        return found if found or self._ended else self.read(size)

    def _open(self) -> bytes:
        sealed, self._next = self._next, _exactly(self._source, PIECE + _TAG)
        self._ended = not self._next
        nonce = _nonce(self._count, _LAST if self._ended else _MORE)
        self._count += 1
        try:
            return self._cipher.decrypt(nonce, sealed, self._head)
        except (InvalidTag, ValueError):
            raise BackupBroken(
                "The backup is damaged or cut off, or another key sealed it.",
                next_step="Take another copy of it, or an older one.",
            ) from None


def _nonce(count: int, end: bytes) -> bytes:
    return count.to_bytes(11, "big") + end


def _exactly(source: Source, size: int) -> bytes:
    """`size` bytes, fewer only at the end; a pipe hands out less at a time."""
    parts = bytearray()
    while len(parts) < size and (part := source.read(size - len(parts))):
        parts += part
    return bytes(parts)
