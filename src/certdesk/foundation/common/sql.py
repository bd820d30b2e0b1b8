"""Helpers for the hand-written SQL of hot paths; it lives in the rooms' `queries.py`.

`%s` parameters work on both databases through Django's cursor.
"""

import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import lru_cache
from types import TracebackType
from typing import Any

import orjson
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from . import clock, turns

Row = tuple[Any, ...]


_held = threading.local()


def rows(statement: str, params: Sequence[Any] = ()) -> list[Row]:
    wrapper = _wrapper()
    direct = _direct(wrapper)
    if direct is not None:
        return _run(wrapper, direct, statement, params).fetchall()
    with wrapper.cursor() as cursor:
        cursor.execute(statement, params)
        found: list[Row] = cursor.fetchall()
        return found


def row(statement: str, params: Sequence[Any] = ()) -> Row | None:
    """The first row that the statement finds."""
    found = rows(statement, params)
    return found[0] if found else None


def execute(statement: str, params: Sequence[Any] = ()) -> int:
    """Runs one statement; answers the number of rows touched."""
    wrapper = _wrapper()
    direct = _direct(wrapper)
    if direct is not None:
        return _run(wrapper, direct, statement, params).rowcount
    with wrapper.cursor() as cursor:
        cursor.execute(statement, params)
        return int(cursor.rowcount)


def _wrapper() -> BaseDatabaseWrapper:
    """Django's connection of this thread; the proxy in front of it costs 5 µs at each look."""
    try:
        held: BaseDatabaseWrapper = _held.wrapper
    except AttributeError:
        held = _held.wrapper = connections[DEFAULT_DB_ALIAS]
    return held


def _direct(wrapper: BaseDatabaseWrapper) -> sqlite3.Connection | None:
    """SQLite's own connection, inside Django's transaction and with Django's errors.

    Django's cursor takes three times as long as SQLite over a short statement, and the hot paths run
    25 of them in a request. Where somebody counts or wraps statements, Django's cursor is used.
    """
    if wrapper.vendor != "sqlite" or wrapper.force_debug_cursor or wrapper.execute_wrappers:
        return None
    if wrapper.connection is None:
        wrapper.ensure_connection()
    if wrapper.needs_rollback:
        wrapper.validate_no_broken_transaction()
    own: sqlite3.Connection = wrapper.connection
    return own


def _run(
    wrapper: BaseDatabaseWrapper, direct: sqlite3.Connection, statement: str, params: Sequence[Any]
) -> sqlite3.Cursor:
    try:
        if not wrapper.in_atomic_block and turns.writes(statement):  # a transaction by itself
            with turns.turn(str(wrapper.settings_dict["NAME"])):
                return direct.execute(_question_marks(statement), params)
        return direct.execute(_question_marks(statement), params)
    except sqlite3.Error:
        with wrapper.wrap_database_errors:  # Django's error for it
            raise


@lru_cache(maxsize=512)
def _question_marks(statement: str) -> str:
    """Parameters as SQLite writes them."""
    return statement.replace("%s", "?").replace("%%", "%")


def insert(table: str, values: Sequence[Mapping[str, object]], tail: str = "") -> int:
    """Inserts rows of one shape in one statement; answers how many went in.

    Table, columns and `tail` (e.g. `ON CONFLICT DO NOTHING`) come from code, never from input.
    """
    if not values:
        return 0
    columns = tuple(values[0])
    return execute(insert_text(table, columns, len(values), tail), flat(columns, values))


@lru_cache(maxsize=512)
def insert_text(table: str, columns: tuple[str, ...], count: int, tail: str) -> str:
    """The statement of `insert`, for those who read what `tail` returns; parameters come from `flat`."""
    one = "(" + ",".join(["%s"] * len(columns)) + ")"
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES {','.join([one] * count)} {tail}"


def flat(columns: Sequence[str], values: Sequence[Mapping[str, object]]) -> list[object]:
    """All parameters of an INSERT, row by row."""
    return [
        clock.to_micros(value) if type(value) is datetime else value  # a hot path: no subclass comes here
        for line in values
        for value in [line[column] for column in columns]
    ]


def marks(values: Collection[object]) -> str:
    """The parameters of an `IN (…)` for these values."""
    return ",".join(["%s"] * len(values))


def plain(value: object) -> object:
    """A value as the database holds it: moments as integer microseconds (law 13)."""
    return clock.to_micros(value) if isinstance(value, datetime) else value


def plain_values(columns: Mapping[str, object]) -> list[object]:
    return [plain(value) for value in columns.values()]


def json_text(value: object) -> str:
    """A value for a JSON column in hand-written SQL; both databases take text."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def moment(micros: int | None) -> datetime | None:
    """A moment read by hand-written SQL."""
    return None if micros is None else clock.from_micros(micros)


def is_sqlite() -> bool:
    return _wrapper().vendor == "sqlite"


@contextmanager
def erasing() -> Iterator[None]:
    """What is deleted or overwritten inside is overwritten with zeros in SQLite's file, not only let go.

    Around a transaction, not inside one. PostgreSQL has nothing like it: there VACUUM lets go of it.
    """
    if not is_sqlite():
        yield
        return
    before = row("PRAGMA secure_delete")  # how SQLite was built decides
    execute("PRAGMA secure_delete=ON")
    try:
        yield
    finally:
        if before == (0,):
            execute("PRAGMA secure_delete=OFF")


def in_transaction() -> bool:
    """Whether this thread is inside one already."""
    return _wrapper().in_atomic_block


class short_transaction:  # noqa: N801 used as a function
    """One short write transaction; the network has no place inside (law 2).

    Django's `atomic`, but for the two steps that an outermost transaction of SQLite takes nearly always,
    BEGIN and a COMMIT that works: done here they cost a fifth. Whatever else happens, `atomic` sees to.

    Args:
        flush: False = the commit is not flushed to the disk by itself. It survives the end of the process; a
            power cut it survives if a later commit does, which flushes it too.
    """

    def __init__(self, *, flush: bool = True) -> None:
        self._flush = flush

    def __enter__(self) -> None:
        self._atomic = transaction.atomic()
        self._turn: AbstractContextManager[None] | None = None
        self._direct: sqlite3.Connection | None = None
        self._wrapper = wrapper = _wrapper()
        if wrapper.in_atomic_block:
            self._atomic.__enter__()
            return
        if wrapper.vendor != "sqlite":
            self._atomic.__enter__()
            if not self._flush:
                self._not_flushed_by_server()
            return
        self._turn = turns.turn(str(wrapper.settings_dict["NAME"]))
        self._turn.__enter__()
        try:
            self._begin(wrapper)
        except BaseException:
            self._turn.__exit__(None, None, None)
            raise

    def _not_flushed_by_server(self) -> None:
        try:
            execute("SET LOCAL synchronous_commit = off")
        except BaseException as failure:
            self._atomic.__exit__(type(failure), failure, failure.__traceback__)
            raise

    def _begin(self, wrapper: BaseDatabaseWrapper) -> None:
        wrapper.needs_rollback = False
        self._direct = _direct(wrapper) if wrapper.autocommit else None
        if self._direct is None:
            self._atomic.__enter__()
            return
        self._set_flushing(self._flush)
        try:
            _run(wrapper, self._direct, "BEGIN IMMEDIATE", ())
        except BaseException:
            self._set_flushing(True)
            raise
        wrapper.commit_on_exit = True
        wrapper.autocommit = False
        wrapper.in_atomic_block = True
        wrapper.atomic_blocks.append(self._atomic)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end(kind, error, trace)
        finally:
            if self._turn is not None:
                self._turn.__exit__(None, None, None)

    def _end(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wrapper, direct = self._wrapper, self._direct
        if direct is None or kind is not None or wrapper.needs_rollback or wrapper.connection is not direct:
            try:
                self._atomic.__exit__(kind, error, trace)
            finally:
                self._set_flushing(True)
            return
        try:
            _run(wrapper, direct, "COMMIT", ())
        except BaseException as failure:
            self._atomic.__exit__(type(failure), failure, failure.__traceback__)
            raise
        finally:
            self._set_flushing(True)
        wrapper.atomic_blocks.pop()
        wrapper.in_atomic_block = False
        wrapper.autocommit = True
        wrapper.errors_occurred = False
        if wrapper.run_on_commit:
            wrapper.run_and_clear_commit_hooks()

    def _set_flushing(self, wanted: bool) -> None:
        """Outside of a transaction: inside one SQLite has no ear for it."""
        if not self._flush and self._direct is not None and self._wrapper.connection is self._direct:
            self._direct.execute(f"PRAGMA synchronous={'FULL' if wanted else 'NORMAL'}")
