"""Writers take turns: one at a time across threads and processes; a killed one gives its turn up."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connection

from certdesk.foundation.common import sql, turns

HOLDER = """
import sys
from certdesk.foundation.common import turns
with turns.turn(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def taken(database: str, seconds: float) -> threading.Event:
    """Set once a thread of its own has had its turn, looked for during that time."""
    done = threading.Event()

    def take() -> None:
        with turns.turn(database):
            done.set()

    threading.Thread(target=take, daemon=True).start()
    done.wait(seconds)
    return done


def test_threads_take_turns(tmp_path: Path) -> None:
    database = str(tmp_path / "d.sqlite3")
    with turns.turn(database):
        second = taken(database, 0.05)
        assert not second.is_set()
    assert second.wait(10)


def test_a_killed_process_gives_its_turn_up(tmp_path: Path) -> None:
    database = str(tmp_path / "d.sqlite3")
    command = [sys.executable, "-c", HOLDER, database]
    environment = os.environ | {"PYTHONPATH": str(Path(turns.__file__).parents[3])}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waiting = taken(database, 0.05)
        assert not waiting.is_set()
        holder.kill()
        assert waiting.wait(10)


@pytest.mark.parametrize("database", ["", ":memory:", "file:memorydb_default?mode=memory&cache=shared"])
def test_a_database_in_memory_needs_no_queue(database: str) -> None:
    with turns.turn(database), turns.turn(database):
        assert taken(database, 10).is_set()


@pytest.mark.django_db(transaction=True)
def test_a_nested_transaction_does_not_wait_for_itself() -> None:
    with sql.short_transaction(), sql.short_transaction():
        assert connection.in_atomic_block
