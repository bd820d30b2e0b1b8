"""New rows of a model where the ORM would build the same INSERT again and again: it is written once."""

from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, models

from . import sql

M = TypeVar("M", bound=models.Model)


class Writer(Generic[M]):
    """Inserts instances with the columns that `save` would write, and without its signals."""

    def __init__(self, model: type[M]) -> None:
        self._model = model

    def insert(self, *ones: M) -> None:
        """In one statement. Where the database gives the ids, they come one at a time."""
        fields, tail = self._fields
        columns = tuple(str(one.column) for one in fields)
        statement = sql.insert_text(self._model._meta.db_table, columns, len(ones), tail)
        values = [
            each.get_db_prep_save(getattr(one, each.attname), connection) for one in ones for each in fields
        ]
        if tail:
            (one,), ((one.pk,),) = ones, sql.rows(statement, values)
        else:
            sql.execute(statement, values)
        for one in ones:
            one._state.adding, one._state.db = False, DEFAULT_DB_ALIAS

    @cached_property
    def _fields(self) -> "tuple[list[models.Field[Any, Any]], str]":
        """What an INSERT names, and the clause that asks for the id where the database gives it."""
        every, key = list(self._model._meta.concrete_fields), self._model._meta.pk
        if not isinstance(key, models.AutoField):
            return every, ""
        return [one for one in every if one is not key], f"RETURNING {key.column}"
