"""From every schema that was handed out to today's, with rows in every table, killed on the way as well.

Each upgrade has a process and a database of its own, on SQLite or on PostgreSQL.
"""

import os
from pathlib import Path

import pytest

from tests.support.fresh import fresh
from tests.support.old_schema import SCHEMAS

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.postgres]
OLD = sorted(one.stem for one in SCHEMAS.glob("*.json"))
KILLS = "1000" if os.environ.get("CERTDESK_SIZE") == "full" else "4"

UPGRADE = r"""
import json, os, signal, sys
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from certdesk.foundation.common.migrating import Executor, migrate
from tests.support import old_schema

old_schema.fill(old_schema.build(sys.argv[1]))
before = old_schema.rows()

def pending():
    executor = Executor(connection)
    return [migration.name for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]

def killed_at(call):
    real, seen = MigrationRecorder.record_applied, [0]
    def step(*args):
        seen[0] += 1
        if seen[0] == call:
            os.kill(os.getpid(), signal.SIGKILL)
        real(*args)
    MigrationRecorder.record_applied = step

left, kills = [pending()], 0
for turn in range(1, int(sys.argv[2]) + 1):
    if not left[-1]:
        break
    connections.close_all()
    child = os.fork()
    if child == 0:
        killed_at(min(2, turn))  # the first one stops before any step is done, the others after one
        migrate()
        os._exit(0)
    kills += os.waitpid(child, 0)[1] == signal.SIGKILL
    left.append(pending())
    assert old_schema.lost(before, old_schema.rows()) == []
connections.close_all()
migrate()
after = old_schema.rows()
call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)
print(json.dumps({"tables": len(before), "rows": sum(map(len, before.values())), "left": list(map(len, left)),
                  "kills": kills, "pending": pending(), "lost": old_schema.lost(before, after)}))
"""


@pytest.mark.parametrize("old", OLD)
def test_an_upgrade_keeps_every_row_and_a_kill_leaves_one_schema_or_the_other(
    old: str, tmp_path: Path
) -> None:
    with fresh(tmp_path / "home") as home:
        found = home.python(UPGRADE, old, KILLS).answer
        assert found["pending"] == found["lost"] == []
        assert found["rows"] == 3 * found["tables"] > 150
        if found["left"][0]:
            assert found["left"][:2] == [found["left"][0]] * 2  # nothing of a step that was killed
            assert found["kills"] >= 1
            assert sorted(found["left"], reverse=True) == found["left"]


RESTORE = r"""
import json, sys
from pathlib import Path
from certdesk.foundation.backup import making, restoring, target
from tests.support import old_schema

if sys.argv[1] == "make":
    old_schema.fill(old_schema.build(sys.argv[2]))
    before = old_schema.rows()
    making._record = lambda made: None
    print(json.dumps([making.make(Path(sys.argv[3])).file, before]))
else:
    with target.building():
        restoring.fill(Path(sys.argv[2]), "")
    print(json.dumps(old_schema.rows()))
"""


@pytest.mark.parametrize("old", OLD)
def test_a_backup_of_an_older_release_is_restored_by_this_one(old: str, tmp_path: Path) -> None:
    from tests.support.old_schema import lost

    with fresh(tmp_path / "old") as home, fresh(tmp_path / "new") as new:
        kek = '{"version": 1, "key": "' + "A" * 43 + '="}\n'
        for one in (home, new):
            one.data.with_suffix(".kek").write_text(kek, encoding="ascii")
            one.data.with_suffix(".kek").chmod(0o600)
        file, before = home.python(RESTORE, "make", old, str(tmp_path / "kept")).answer
        assert lost(before, new.python(RESTORE, "restore", file).answer) == []


def test_a_loss_would_be_seen() -> None:
    from tests.support.old_schema import lost

    before = {"t": [{"id": "1", "a": "x"}]}
    assert lost(before, {"t": [{"id": "1", "a": "x", "b": "new"}]}) == []
    assert lost(before, {"t": [{"id": "1"}]}) == []  # a column that was given up on purpose
    for after in ({}, {"t": []}, {"t": [{"id": "1", "a": "y"}]}):
        assert len(lost(before, after)) == 1


def test_the_frozen_schemas_name_steps_that_exist() -> None:
    import json

    from django.db.migrations.loader import MigrationLoader

    known = set(MigrationLoader(None).disk_migrations or ())
    for old in OLD:
        named = json.loads((SCHEMAS / f"{old}.json").read_text(encoding="utf-8"))
        assert {(app, name) for app, name in named.items()} <= known, old
    assert OLD
