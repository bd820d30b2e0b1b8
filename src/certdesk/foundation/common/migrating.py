"""Migrations whose every step is done and noted in one transaction.

Django notes a step after its transaction where the step leaves indexes or constraints for its end: a kill in
between leaves a step that is done and not noted, and each later start fails at a table that exists already.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import call_command
from django.core.management.commands import migrate as command
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration


class Executor(MigrationExecutor):
    """Runs what a step leaves for its end before it is noted, all inside the step's transaction."""

    def apply_migration(
        self, state: Any, migration: Migration, fake: bool = False, fake_initial: bool = False
    ) -> Any:
        if fake or fake_initial:
            return super().apply_migration(state, migration, fake=fake, fake_initial=fake_initial)
        if self.progress_callback:
            self.progress_callback("apply_start", migration, fake)
        with self.connection.schema_editor(atomic=migration.atomic) as editor:
            state = migration.apply(state, editor)
            for statement in editor.deferred_sql:
                editor.execute(statement, None)
            editor.deferred_sql.clear()
            self.record_migration(migration)  # type: ignore[call-arg, arg-type]  # the stubs are old
        if self.progress_callback:
            self.progress_callback("apply_success", migration, fake)
        return state


def migrate() -> None:
    """Brings the database to this release's schema; says nothing, asks nothing."""
    command.MigrationExecutor = Executor  # type: ignore[attr-defined]  # imported there, not exported
    with _collecting_seldom():
        call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Each step renders the models anew, and all of them live until the end: looking for garbage as often as
    usual took a fifth of a first start."""
    usual = gc.get_threshold()
    gc.set_threshold(10_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
