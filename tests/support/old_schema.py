"""The schema as an older release had it, with rows in every table; in a process and a database of its own.

`schemas/*.json` name the last migration of each app, one file for each state that was handed out. They are
frozen: a release adds a file and changes none. `python tests/support/old_schema.py` prints that of today.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).with_name("schemas")
ROWS = 3
ONE_OF_TWO = {"coupon": ("amount", "percent")}
"""Where exactly one of two columns holds a value."""

REWRITTEN: frozenset[tuple[str, str]] = frozenset()
"""Table and column of values that a step changes on purpose."""

Rows = dict[str, list[dict[str, Any]]]


def build(name: str) -> Any:
    """Migrates an empty database to `schemas/NAME.json`; answers the models of that time."""
    from django.db import connection

    from certdesk.foundation.common.migrating import Executor

    targets = list(json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8")).items())
    executor = Executor(connection)
    return executor.migrate(targets).apps


def fill(apps: Any) -> None:
    """`ROWS` rows in every table, whose foreign keys hold; the first has no value where none is needed."""
    from django.db import transaction

    made: dict[str, list[Any]] = {}
    with transaction.atomic():
        for model in _ordered(apps.get_models(include_auto_created=True)):
            made[model._meta.label] = [_row(model, number, made) for number in range(1, ROWS + 1)]


def _ordered(models: list[Any]) -> Iterator[Any]:
    """Those that others point to come first."""
    waiting, done = list(models), set[str]()
    while waiting:
        ready = [one for one in waiting if _points_to(one) <= done | {one._meta.label}]
        if not ready:
            raise RuntimeError(f"the models point in a circle: {waiting}")
        yield from ready
        done |= {one._meta.label for one in ready}
        waiting = [one for one in waiting if one not in ready]


def _points_to(model: Any) -> set[str]:
    return {one.related_model._meta.label for one in model._meta.concrete_fields if one.is_relation}


def _row(model: Any, number: int, made: dict[str, list[Any]]) -> Any:
    values = {
        field.attname: _value(model, field, number, made)
        for field in model._meta.concrete_fields
        if field.get_internal_type() not in ("AutoField", "BigAutoField")
    }
    row = model(**values)
    row.save(force_insert=True)
    return row


def _value(model: Any, field: Any, number: int, made: dict[str, list[Any]]) -> Any:
    from certdesk.foundation.common import clock

    name = type(field).__name__
    pair = ONE_OF_TWO.get(model._meta.model_name, ())
    if field.null and (number == 1 if field.name not in pair else field.name == pair[number % 2]):
        return None
    if field.is_relation:
        target = made.get(field.related_model._meta.label, [])
        return target[number - 1].pk if target else None
    if field.choices:
        return field.choices[(number - 1) % len(field.choices)][0]
    if name == "MomentField":
        return clock.from_micros(1_700_000_000_000_000 + number)
    return _plain(field, name, number)


def _plain(field: Any, name: str, number: int) -> Any:
    from datetime import UTC, datetime

    if name in ("CharField", "TextField", "EmailField", "GenericIPAddressField"):
        json_text = field.has_default() and str(field.default)[:1] in ("{", "[")
        return field.default if json_text else f"{number}{field.name}"[: field.max_length]
    values = {
        "JSONField": {},
        "BinaryField": bytes([number]),
        "BooleanField": number % 2 == 1,
        "DateTimeField": datetime(2026, 1, number, tzinfo=UTC),
    }
    return values.get(name, number)


def rows() -> Rows:
    """What stands in each table now, as the database has it; in the order of the rows' texts."""
    from django.db import connection

    found: Rows = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table == "django_migrations" or table.startswith("certificates_namesearch"):
                continue
            cursor.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description or ()]
            lines = [dict(zip(names, map(_text, line), strict=True)) for line in cursor.fetchall()]
            found[table] = sorted(lines, key=str)
    return found


def _text(value: Any) -> Any:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)


def lost(before: Rows, after: Rows) -> list[str]:
    """Rows and values that an upgrade changed or dropped; what it adds is no loss."""
    return [
        f"{table}: {line}"
        for table, lines in before.items()
        for line in lines
        if not any(_same(table, line, other) for other in after.get(table, []))
    ]


def _same(table: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    kept = (name for name in old if name in new and (table, name) not in REWRITTEN)
    return all(new[name] == old[name] for name in kept)


def today() -> dict[str, str]:
    from django.db.migrations.loader import MigrationLoader

    return dict(sorted(MigrationLoader(None).graph.leaf_nodes()))


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(today(), indent=2, sort_keys=True))  # noqa: T201  # what it is for
