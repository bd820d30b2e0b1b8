"""Django's SQLite, whose writers take turns (`turns`) whoever begins: `atomic`, or a statement by itself.

One that only waits for SQLite's own lock looks at it every tenth of a second, and beside writers that hand
their turns on without a gap it may never find it free. `sql.short_transaction` takes its turn itself.
"""

from contextlib import ExitStack
from functools import partial
from typing import Any

from django.db.backends.sqlite3 import base

from .. import turns


class DatabaseWrapper(base.DatabaseWrapper):
    _turn: ExitStack | None = None

    def turn(self) -> turns.turn:
        return turns.turn(str(self.settings_dict["NAME"]))

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=partial(_Cursor, self))

    def set_autocommit(
        self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False
    ) -> None:
        if autocommit:  # the transaction is over
            self._give_turn_back()
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)

    def close(self) -> None:
        self._give_turn_back()
        super().close()

    def _start_transaction_under_autocommit(self) -> None:
        self._turn = ExitStack()
        self._turn.enter_context(self.turn())
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # the stubs lack it
        except BaseException:
            self._give_turn_back()
            raise

    def _give_turn_back(self) -> None:
        held, self._turn = self._turn, None
        if held is not None:
            held.close()


class _Cursor(base.SQLiteCursorWrapper):
    def __init__(self, wrapper: DatabaseWrapper, connection: Any) -> None:
        super().__init__(connection)
        self._wrapper = wrapper

    def execute(self, query: Any, params: Any = None) -> Any:
        if not self._alone(query):
            return super().execute(query, params)
        with self._wrapper.turn():
            return super().execute(query, params)

    def executemany(self, query: Any, param_list: Any) -> Any:
        if not self._alone(query):
            return super().executemany(query, param_list)
        with self._wrapper.turn():
            return super().executemany(query, param_list)

    def _alone(self, query: str) -> bool:
        """Whether the statement writes, and is a transaction by itself."""
        return not self._wrapper.in_atomic_block and turns.writes(query)
