"""Folds SQLite's write-ahead log into the database beside the writers, so that no commit of theirs has to.

SQLite folds in the commit that makes the log too long: a web request then waits for thousands of pages.
"""

import sqlite3
from contextlib import closing

from . import turns


def fold(database: str) -> tuple[int, int]:
    """Folds in what is there; answers (pages in the log, pages folded in).

    Most of it while others write. The rest in a turn of its own: only a log that is folded in whole is
    begun anew by the next writer.

    Args:
        database: path of the SQLite file.
    """
    with closing(sqlite3.connect(database, timeout=1, isolation_level=None)) as own:
        own.execute("PRAGMA wal_checkpoint(PASSIVE)")
        with turns.turn(database):
            _, pages, folded = own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages), int(folded)
