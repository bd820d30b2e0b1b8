"""Where a backup is put back: an empty place, of which nothing shows until all of it stands."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from certdesk.foundation.common import migrating, private_file, sql

from . import unfinished
from .archive import Reader
from .errors import BackupBroken, BackupRefused
from .manifest import DATABASE, MANIFEST, SCHEMA, TABLE, Manifest, Schema, manifest, schema


def kind() -> str:
    return "sqlite" if sql.is_sqlite() else "postgresql"


@contextmanager
def building() -> Iterator[None]:
    """Inside, the database is the one being built; when all went well it stands in its place afterwards.

    Raises:
        BackupRefused: something stands there already.
    """
    with private_file.locked(unfinished.draft()), _file() if kind() == "sqlite" else _marked():
        yield


@contextmanager
def _file() -> Iterator[None]:
    """SQLite: a file with another name. A kill leaves it behind, and the next restore begins anew."""
    final, draft = unfinished.database(), unfinished.draft()
    _refuse_living(final)
    _clear(draft)
    connection.close()
    connection.settings_dict["NAME"] = str(draft)
    try:
        yield
        _fold(draft)
        draft.replace(final)
        private_file.settle(final.parent)
    except Exception:
        _clear(draft)
        raise
    finally:
        connection.close()
        connection.settings_dict["NAME"] = str(final)
        _clear(draft, and_itself=False)


def _fold(draft: Path) -> None:
    """All of it stands in the one file that gets the name."""
    connection.close()
    with closing(sqlite3.connect(draft, isolation_level=None)) as own:
        own.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _refuse_living(final: Path) -> None:
    found = [one for one in (final, final.with_name(final.name + "-wal")) if one.exists()]
    if found:
        raise BackupRefused(
            f"{found[0]} stands there already; a restore replaces nothing.",
            next_step="Stop Certdesk, move the data folder away, and run the restore again.",
        )


def _clear(draft: Path, *, and_itself: bool = True) -> None:
    connection.close()
    for ending in ("-wal", "-shm", "-journal", "-turn", *([""] if and_itself else [])):
        draft.with_name(draft.name + ending).unlink(missing_ok=True)


@contextmanager
def _marked() -> Iterator[None]:
    """PostgreSQL: a table that marks the database as unfinished. With it, what is there is a rest."""
    if unfinished.is_marked():
        _drop(_tables())
    elif found := _tables():
        raise BackupRefused(
            f"The database holds tables already ({found[0]}); a restore replaces nothing.",
            next_step="Make an empty database, name it in CERTDESK_DATABASE_URL, and run the restore again.",
        )
    unfinished.mark()
    try:
        yield
    except Exception:
        connection.close()
        _drop(_tables())
        raise
    unfinished.unmark()


def _tables() -> list[str]:
    return [
        str(name)
        for (name,) in sql.rows(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = current_schema()::regnamespace ORDER BY relname"
        )
    ]


def _drop(tables: Sequence[str]) -> None:
    """The mark goes last."""
    for table in sorted(tables, key=lambda name: name == unfinished.MARK):
        sql.execute(f'DROP TABLE IF EXISTS "{table}" CASCADE')


def fill(reader: Reader) -> Manifest:
    """Puts every member in its place, then brings the schema to this release's.

    Raises:
        BackupRefused: of another kind of database, or made by a later release. BackupBroken.
    """
    found: Manifest | None = None
    columns: Mapping[str, Sequence[str]] = {}
    with ExitStack() as stack:
        for name, blocks in reader:
            if name == SCHEMA:
                columns = _prepare(schema(b"".join(blocks)))
                stack.enter_context(_at_once())
            elif name == MANIFEST:
                text = b"".join(blocks)
                found = manifest(text, reader.seen[:-1])
                _compare(found)
            else:
                _put(name, blocks, columns)
    if found is None:
        raise BackupBroken("The backup has no manifest.", next_step="Take another copy of it.")
    migrating.migrate()
    return found


def _at_once() -> AbstractContextManager[object]:
    """PostgreSQL looks at foreign keys when all tables are filled. SQLite's file comes as a whole."""
    return transaction.atomic() if kind() == "postgresql" else nullcontext()


def _refuse_later(held: Schema) -> None:
    known = MigrationLoader(None).disk_migrations
    unknown = [
        f"{app} {name}"
        for app, names in held.migrations.items()
        for name in names
        if known is not None and (app, name) not in known
    ]
    if unknown:
        raise BackupRefused(
            f"The backup was made by a later release: this one does not know the step {unknown[0]}.",
            next_step="Install that release, or a later one, and restore with it.",
        )


def _prepare(held: Schema) -> Mapping[str, Sequence[str]]:
    """PostgreSQL: the tables as they were then, empty. Answers the columns to expect."""
    _refuse_later(held)
    if kind() == "sqlite":
        return {}
    executor = migrating.Executor(connection)
    executor.migrate(_leaves(executor.loader, held.migrations))
    names = ", ".join(f'"{one}"' for one in held.columns if one != "django_migrations")
    sql.execute(f"TRUNCATE {names} CASCADE")
    return held.columns


def _leaves(loader: Any, migrations: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """The last step of each app, as far as it had come."""
    had = {(app, name) for app, names in migrations.items() for name in names}
    return [
        node
        for node in sorted(had)
        if not any(
            child.key in had and child.key[0] == node[0] for child in loader.graph.node_map[node].children
        )
    ]


def _put(name: str, blocks: Iterator[bytes], columns: Mapping[str, Sequence[str]]) -> None:
    if name == DATABASE and kind() == "sqlite":
        _put_file(blocks)
    elif name.removeprefix(TABLE) in columns:
        _put_lines(name.removeprefix(TABLE), columns[name.removeprefix(TABLE)], blocks)
    else:
        raise BackupBroken(f"The backup holds an unknown part {name}.", next_step="Take another copy of it.")


def _put_file(blocks: Iterator[bytes]) -> None:
    handle = os.open(unfinished.draft(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        for block in blocks:
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _put_lines(table: str, columns: Sequence[str], blocks: Iterator[bytes]) -> None:
    names = ", ".join(f'"{one}"' for one in columns)
    direct: Any = connection.connection
    with direct.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
        for block in blocks:
            copy.write(block)
    for (column,) in sql.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND table_name = %s AND is_identity = 'YES'",
        [table],
    ):
        sql.row(
            f"SELECT setval(pg_get_serial_sequence('\"{table}\"', %s),"
            f' (SELECT GREATEST(1, MAX("{column}")) FROM "{table}"))',
            [column],
        )


def _compare(found: Manifest) -> None:
    """Raises: BackupBroken: a table has other rows than the manifest says."""
    for table, count in found.counts.items():
        if table == "django_migrations":
            continue
        if sql.row(f'SELECT count(*) FROM "{table}"') != (count,):
            raise BackupBroken(
                f"The table {table} came back with other rows.", next_step="Take another copy."
            )


def refuse_other_kind(database: str) -> None:
    if database != kind():
        raise BackupRefused(
            f"The backup is of {database}, and this installation is set up for {kind()}.",
            next_step="Set or empty CERTDESK_DATABASE_URL accordingly.",
        )
