"""Rows of a model where the ORM would build the same query again and again: it is written once.

A look-up by the ORM costs five to ten times what the database takes for it; hot paths ask a dozen times.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models.base import ModelState

from . import sql

M = TypeVar("M", bound=models.Model)
_Convert = Callable[[Any], Any]


class Reader(Generic[M]):
    """One statement, read into instances as a queryset would.

    Args:
        rest: what follows the table: joins by hand, WHERE, ORDER BY; with `%s` for values.
        joined: foreign keys whose rows are read too, as `select_related` names them, the nearer ones first;
            `rest` joins their tables.
        lock: the model's own rows stay locked until the transaction ends.
    """

    def __init__(self, model: type[M], rest: str, *joined: str, lock: bool = False) -> None:
        self._model, self._rest, self._joined, self._lock = model, rest, joined, lock

    def all(self, *values: object) -> list[M]:
        return [self._made(row) for row in sql.rows(self._statement, values)]

    def first(self, *values: object) -> M | None:
        found = sql.row(self._statement, values)
        return None if found is None else self._made(found)

    @cached_property
    def _parts(self) -> "list[_Part]":
        """For the model and each joined one: the foreign key, names of its columns, how each is read."""
        found: list[_Part] = [_part("", self._model)]
        models_of: dict[str, Any] = {"": self._model}
        for name in self._joined:
            nearer, _, key = name.rpartition("__")
            models_of[name] = models_of[nearer]._meta.get_field(key).related_model
            found.append(_part(name, models_of[name]))
        return found

    @cached_property
    def _statement(self) -> str:
        columns = ", ".join(
            f"{model._meta.db_table}.{field.column}"
            for _, model, _, _ in self._parts
            for field in model._meta.concrete_fields
        )
        table = self._model._meta.db_table
        lock = f" FOR UPDATE OF {table}" if self._lock and not sql.is_sqlite() else ""
        return f"SELECT {columns} FROM {table} {self._rest}{lock}"

    def _made(self, row: Sequence[Any]) -> M:
        at, made = 0, dict[str, models.Model]()
        for name, model, names, converters in self._parts:
            values = [
                value if convert is None or value is None else convert(value)
                for value, convert in zip(row[at : at + len(names)], converters, strict=True)
            ]
            made[name] = one = instance(model, names, values)
            if name:
                nearer, _, key = name.rpartition("__")
                made[nearer]._state.fields_cache[key] = one
            at += len(names)
        return made[""]  # type: ignore[return-value]


def instance(model: type[M], names: Sequence[str], values: Iterable[object]) -> M:
    """As `from_db` makes it; Django fetches a field that is not named when somebody asks for it.

    Without the signals of `__init__` and without looking up what is missing, which cost more than the row.
    """
    one = model.__new__(model)
    one._state = state = ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    one.__dict__.update(zip(names, values, strict=True))
    return one


_Part = tuple[str, type[models.Model], Sequence[str], Sequence[_Convert | None]]


def _part(name: str, model: type[models.Model]) -> _Part:
    fields = model._meta.concrete_fields
    return name, model, [one.attname for one in fields], [_converter(one) for one in fields]


def _converter(field: "models.Field[Any, Any]") -> _Convert | None:
    """As the field and the database convert; JSON that the database's driver has read already stays so."""
    if isinstance(field, models.JSONField) and field.decoder is None:
        return lambda value: orjson.loads(value) if isinstance(value, str) else value
    column = field.get_col(field.model._meta.db_table)
    found = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
    if not found:
        return None

    def convert(value: Any) -> Any:
        for one in found:
            value = one(value, column, connection)
        return value

    return convert
