"""Sealed streams and archives: whole they open, anything else is named as damage."""

import io
import tracemalloc
import zlib
from contextlib import suppress

import pytest

from certdesk.foundation.backup.archive import BLOCK, Member, Reader, Writer
from certdesk.foundation.backup.errors import BackupBroken
from certdesk.foundation.backup.stream import PIECE, SealedReader, SealedWriter

KEY, HEAD = b"k" * 32, b"head"
SEALED = PIECE + 16


def sealed(*parts: bytes) -> bytes:
    sink = io.BytesIO()
    with SealedWriter(sink, KEY, HEAD) as writer:
        for part in parts:
            writer.write(part)
    return sink.getvalue()


def opened(data: bytes, key: bytes = KEY, head: bytes = HEAD) -> bytes:
    reader, found = SealedReader(io.BytesIO(data), key, head), b""
    while part := reader.read(100_000):
        found += part
    return found


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
def test_what_was_sealed_is_opened(size: int) -> None:
    plain = bytes(range(256)) * (size // 256 + 1)
    assert opened(sealed(plain[:size])) == plain[:size]


def test_damage_is_named() -> None:
    whole = sealed(b"a" * PIECE, b"b" * PIECE, b"c")
    first, second, third = whole[:SEALED], whole[SEALED : 2 * SEALED], whole[2 * SEALED :]
    flipped = bytes([whole[0] ^ 1]) + whole[1:]
    damaged = [
        *(b"", whole[:-1], flipped, first + second, first + third, second + first + third),
        *(first + first + second + third, whole + b"x", whole + third),
    ]
    for data in damaged:
        with pytest.raises(BackupBroken, match="damaged or cut off"):
            opened(data)
    for key, head in ((b"x" * 32, HEAD), (KEY, b"another")):
        with pytest.raises(BackupBroken):
            opened(whole, key, head)


def test_a_writer_that_failed_leaves_no_whole_stream() -> None:
    sink = io.BytesIO()
    with suppress(RuntimeError), SealedWriter(sink, KEY, HEAD) as writer:
        writer.write(b"half")
        raise RuntimeError
    with pytest.raises(BackupBroken):
        opened(sink.getvalue())


def archive(*members: tuple[str, list[bytes]]) -> tuple[bytes, list[Member]]:
    sink = io.BytesIO()
    with SealedWriter(sink, KEY, HEAD) as stream:
        writer = Writer(stream)
        found = [writer.add(name, pieces) for name, pieces in members]
        writer.close()
    return sink.getvalue(), found


def reader_of(data: bytes) -> Reader:
    return Reader(SealedReader(io.BytesIO(data), KEY, HEAD))


def test_members_come_back_in_their_order_and_size() -> None:
    big = bytes(range(256)) * (3 * BLOCK // 256 + 1)
    data, written = archive(("empty", []), ("big", [big, b"", b"end"]), ("zeros", [bytes(5 * PIECE)]))
    reader = reader_of(data)
    found = {name: b"".join(blocks) for name, blocks in reader}
    assert found == {"empty": b"", "big": big + b"end", "zeros": bytes(5 * PIECE)}
    assert reader.seen == written
    assert len(data) < 3 * PIECE  # compressed


def raw(plain: bytes) -> Reader:
    return reader_of(sealed(zlib.compress(plain)))


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"X",
        b"M",
        b"M" + (201).to_bytes(4, "big"),
        b"M\0\0\0\1a" + (BLOCK + 1).to_bytes(4, "big"),
        b"M\0\0\0\1a\0\0\0\5abc",
    ],
)
def test_an_archive_that_is_not_whole_is_named(plain: bytes) -> None:
    with pytest.raises(BackupBroken, match="content of the backup is damaged"):
        read_all(raw(plain))


def read_all(reader: Reader) -> None:
    for _, blocks in reader:
        list(blocks)


def test_what_is_not_compressed_is_named() -> None:
    with pytest.raises(BackupBroken):
        list(reader_of(sealed(b"no zlib at all")))


def test_a_member_is_read_to_its_end_before_the_next() -> None:
    data, _ = archive(("one", [b"1"]), ("two", [b"2"]))
    with pytest.raises(RuntimeError, match="to its end"):
        for _ in reader_of(data):
            pass


def test_memory_stays_flat_whatever_the_length() -> None:
    class Nowhere:
        def write(self, data: bytes) -> object:
            return len(data)

    tracemalloc.start()
    with SealedWriter(Nowhere(), KEY, HEAD) as stream:
        writer = Writer(stream)
        member = writer.add("long", (bytes(PIECE) for _ in range(48)))
        writer.close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert member.size == 48 * PIECE
    assert peak < 8 * PIECE
