"""The log is folded into the database while others write, and is begun anew afterwards."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from certdesk.foundation.common import checkpoint


def at_another_moment(path: Path) -> None:
    """The files' clock stands still for milliseconds: what comes at once might look like one moment."""
    os.utime(path.with_name("d.sqlite3-wal"), ns=(1, 1))


def test_the_log_is_folded_in_whole_and_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("CREATE TABLE line (text TEXT)")
        for _ in range(50):
            writer.execute("INSERT INTO line VALUES (?)", ["x" * 5000])
        pages, folded = checkpoint.fold(str(path))
        assert pages == folded > 100
        assert checkpoint.fold(str(path)) == (0, 0)  # nobody has written since
        size = path.with_name("d.sqlite3-wal").stat().st_size
        for _ in range(10):
            writer.execute("INSERT INTO line VALUES ('y')")
        at_another_moment(path)
        again = checkpoint.fold(str(path))
        assert 0 < again[0] == again[1] < pages
        assert path.with_name("d.sqlite3-wal").stat().st_size == size
        assert writer.execute("SELECT count(*) FROM line").fetchone() == (60,)


def test_a_reader_keeps_what_it_still_needs(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as writer,
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
    ):
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE line (text TEXT)")
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM line").fetchone() == (0,)
        writer.execute("INSERT INTO line VALUES ('y')")
        at_another_moment(path)
        pages, folded = checkpoint.fold(str(path))
        assert folded < pages
        assert checkpoint.fold(str(path)) == (pages, folded)  # it is tried again without a further writer
        assert reader.execute("SELECT count(*) FROM line").fetchone() == (0,)
