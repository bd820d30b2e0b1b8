"""Folds SQLite's write-ahead log into the database beside the writers, so that no commit of theirs has to.

SQLite folds in the commit that makes the log too long: a web request then waits for thousands of pages.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from . import turns


def fold(database: str) -> tuple[int, int]:
    """Folds in what is there; answers (pages in the log, pages folded in).

    Most of it while others write. The rest in a turn of its own: only a log that is folded in whole is
    begun anew by the next writer.

    A log that nobody has written to since it was folded in whole is left alone, (0, 0): before SQLite 3.51.3,
    folding such a log in the moment in which a writer begins it anew can lose what he writes
    (sqlite.org/wal.html, "The WAL-Reset Bug").

    Args:
        database: path of the SQLite file.
    """
    log, mark = Path(f"{database}-wal"), Path(f"{database}{turns.SUFFIX}")
    if _written(log) == _folded(mark):
        return 0, 0
    with closing(sqlite3.connect(database, timeout=1, isolation_level=None)) as own:
        pages, folded = _checkpoint(own)
        with turns.turn(database):
            if folded < pages:
                pages, folded = _checkpoint(own)
            if folded == pages:
                _remember(mark, _written(log))
    return pages, folded


def _checkpoint(own: sqlite3.Connection) -> tuple[int, int]:
    _, pages, folded = own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages), int(folded)


def _written(log: Path) -> int:
    """When, in nanoseconds; 0: it is not there."""
    try:
        return log.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _folded(mark: Path) -> int:
    """Since when the log is folded in whole, as `_written` says it; in the turns' file, behind its number."""
    try:
        with mark.open("rb") as file:
            found = file.read(2 * turns.BYTES)[turns.BYTES :]
    except FileNotFoundError:
        return 0
    return int.from_bytes(found, "little")


def _remember(mark: Path, moment: int) -> None:
    """In a turn, which made the file."""
    with mark.open("r+b") as file:
        file.seek(turns.BYTES)
        file.write(moment.to_bytes(turns.BYTES, "little"))
