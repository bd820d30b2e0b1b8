"""Model fields that hold the same on SQLite and PostgreSQL."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Combinable

from . import clock


class MomentField(models.BigIntegerField):  # type: ignore[type-arg]
    """An aware datetime in Python, integer microseconds since 1970 in the database (law 13)."""

    if TYPE_CHECKING:  # what the type checker's Django plugin reads
        _pyi_private_set_type: datetime | Combinable  # type: ignore[assignment]
        _pyi_private_get_type: datetime  # type: ignore[assignment]
        _pyi_lookup_exact_type: datetime  # type: ignore[assignment]

    description = "moment, integer microseconds UTC"

    def from_db_value(
        self, value: int | None, expression: object, connection: BaseDatabaseWrapper
    ) -> datetime | None:
        return None if value is None else clock.from_micros(value)

    def to_python(self, value: Any) -> Any:
        return clock.from_micros(value) if isinstance(value, int) else value

    def get_prep_value(self, value: Any) -> Any:
        return clock.to_micros(value) if isinstance(value, datetime) else super().get_prep_value(value)
