"""How the tables are emptied after a test that commits."""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.contrib.contenttypes.management import create_contenttypes
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.models.signals import post_migrate


def no_more_than_that() -> None:
    """Django would then list all models and their permissions anew: nobody asks."""
    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(
        create_permissions, dispatch_uid="django.contrib.auth.management.create_permissions"
    )


def only_what_is_filled() -> None:
    """On PostgreSQL: each table that TRUNCATE empties becomes new files, and most are empty already."""
    truncate = DatabaseOperations.sql_flush

    def flush(operations: DatabaseOperations, style: Any, tables: list[str], **asked: bool) -> list[str]:
        if any(asked.values()):
            return truncate(operations, style, tables, **asked)
        return _deletions(operations, tables)

    DatabaseOperations.sql_flush = flush  # type: ignore[method-assign]


def _deletions(operations: DatabaseOperations, tables: list[str]) -> list[str]:
    """Statements of one transaction, in any order: foreign keys are looked at when it ends."""
    names = {name: operations.quote_name(name) for name in tables}
    looks = [f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {quoted})" for name, quoted in names.items()]
    with operations.connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(looks))
        return [f"DELETE FROM {names[name]}" for (name,) in cursor.fetchall()]
