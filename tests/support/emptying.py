"""How the tables are emptied after a test that commits."""

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
    DatabaseOperations.sql_flush = _deletions  # type: ignore[method-assign]


def _deletions(
    operations: DatabaseOperations,
    style: object,
    tables: list[str],
    *,
    reset_sequences: bool = False,
    allow_cascade: bool = False,
) -> list[str]:
    """Statements of one transaction, in any order: foreign keys are looked at when it ends."""
    assert not reset_sequences, "no test here asks for that"
    names = {name: operations.quote_name(name) for name in tables}
    looks = [f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {quoted})" for name, quoted in names.items()]
    with operations.connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(looks))
        return [f"DELETE FROM {names[name]}" for (name,) in cursor.fetchall()]
