"""One moment of the database as it is read for a backup: SQLite's file, or PostgreSQL's tables."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from certdesk.foundation.common import settings, sql

from .errors import BackupRefused

_BLOCK = 1 << 20
SCRATCH = "backup.snapshot"


class Snapshot(Protocol):
    """A moment that does not move while it is read."""

    kind: str

    def rows(self, statement: str) -> list[tuple[Any, ...]]: ...
    def tables(self) -> Sequence[str]: ...
    def columns(self) -> Mapping[str, Sequence[str]]: ...
    def members(self) -> Iterator[tuple[str, Iterator[bytes]]]: ...


@contextmanager
def snapshot() -> Iterator[Snapshot]:
    """The database at this moment, while web and workers write on.

    Raises:
        BackupRefused: there is no database, or it is damaged.
    """
    if sql.is_sqlite():
        with _sqlite() as found:
            yield found
    else:
        with _postgresql() as other:
            yield other


class _SqliteFile:
    kind = "sqlite"

    def __init__(self, path: Path, own: sqlite3.Connection) -> None:
        self._path, self._own = path, own

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self._own.execute(statement).fetchall()

    def tables(self) -> Sequence[str]:
        """Those of the models: what belongs to the search of names is the search's own."""
        found = self.rows("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        own = [name for name, text in found if str(text).startswith("CREATE VIRTUAL")]
        return [
            name
            for name, _ in found
            if not name.startswith(("sqlite_", *(f"{one}_" for one in own))) and name not in own
        ]

    def columns(self) -> Mapping[str, Sequence[str]]:
        return {}

    def members(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        yield "database.sqlite3", _blocks(self._path)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


@contextmanager
def _sqlite() -> Iterator[_SqliteFile]:
    """A copy beside the database, made in one read transaction and examined; gone afterwards."""
    database = Path(str(connection.settings_dict["NAME"]))
    if not database.exists():
        raise BackupRefused(f"There is no database {database}.", next_step="Check CERTDESK_DATA.")
    copy = settings.get().data / SCRATCH
    try:
        _clear(copy)
        copy.touch(mode=0o600)
        with closing(sqlite3.connect(copy, isolation_level=None)) as own:
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as living:
                living.backup(own)  # in one step: the log keeps the moment, whoever writes on
            own.execute("PRAGMA journal_mode=DELETE")
            _examine(own)
            yield _SqliteFile(copy, own)
    finally:
        _clear(copy)


def _clear(copy: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        copy.with_name(copy.name + ending).unlink(missing_ok=True)


def _examine(own: sqlite3.Connection) -> None:
    found = own.execute("PRAGMA integrity_check(1)").fetchone()
    if found != ("ok",):
        raise BackupRefused(
            f"The database is damaged: {found[0]}.",
            next_step="Restore an older backup; keep the damaged file for those who examine it.",
        )


class _PostgresqlMoment:
    kind = "postgresql"

    def __init__(self, own: BaseDatabaseWrapper) -> None:
        self._own = own
        self._columns = _columns(self.rows)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self._own.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def tables(self) -> Sequence[str]:
        return list(self._columns)

    def columns(self) -> Mapping[str, Sequence[str]]:
        return self._columns

    def members(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        for table in self._columns:
            if table != "django_migrations":
                yield f"table/{table}", self._lines(table)

    def _lines(self, table: str) -> Iterator[bytes]:
        names = ", ".join(f'"{one}"' for one in self._columns[table])
        direct: Any = self._own.connection
        with direct.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) TO STDOUT') as copy:
            for block in copy:
                yield bytes(block)


def _columns(rows: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in rows(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
        " AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY c.relname, a.attnum"
    ):
        found.setdefault(table, []).append(column)
    return found


@contextmanager
def _postgresql() -> Iterator[_PostgresqlMoment]:
    """One transaction that sees one moment and writes nothing; a connection of its own."""
    from psycopg import IsolationLevel

    own = connection.copy()
    try:
        own.ensure_connection()
        direct: Any = own.connection
        direct.autocommit = False
        direct.isolation_level = IsolationLevel.REPEATABLE_READ
        direct.read_only = True
        yield _PostgresqlMoment(own)
    finally:
        own.close()
