"""A restore that was cut off leaves a mark; nothing starts on its database until it was run again."""

from pathlib import Path

from certdesk.foundation.common import settings, sql

from .errors import BackupRefused

MARK = "certdesk_restoring"
ENDING = ".restoring"


def database() -> Path:
    """Where SQLite's file is, or will be."""
    return settings.get().data / "certdesk.sqlite3"


def draft() -> Path:
    """Where a restore builds it: it gets its name when all is done."""
    return database().with_name(database().name + ENDING)


def is_marked() -> bool:
    if sql.is_sqlite():
        return draft().exists()
    return sql.row("SELECT to_regclass(%s)", [MARK]) != (None,)


def refuse() -> None:
    """For the start of web, worker and migrations.

    Raises:
        BackupRefused: a restore is under way, or was cut off.
    """
    if is_marked():
        raise BackupRefused(
            "A restore into this installation is under way, or was cut off.",
            next_step="Run ./certdesk restore again: it begins anew.",
        )


def mark() -> None:
    """On PostgreSQL; SQLite's draft is its own mark."""
    if not sql.is_sqlite():
        sql.execute(f"CREATE TABLE {MARK} (at bigint)")


def unmark() -> None:
    if not sql.is_sqlite():
        sql.execute(f"DROP TABLE {MARK}")
