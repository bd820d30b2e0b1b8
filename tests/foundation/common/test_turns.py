"""Writers take turns: one at a time across threads and processes; a killed one gives its turn up."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction

from certdesk.foundation.common import sql, turns
from certdesk.foundation.jobs.models import Schedule
from tests.support.waiting import until

HOLDER = """
import sys
from certdesk.foundation.common import turns
with turns.turn(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""

HOG = """
import sqlite3, sys, time
from certdesk.foundation.common import turns
own = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
while True:
    with turns.turn(sys.argv[1]):
        own.execute("BEGIN IMMEDIATE")
        own.execute("UPDATE hog SET turns = turns + 1")
        time.sleep(0.03)
        own.execute("COMMIT")
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


def test_a_turn_within_a_turn_is_part_of_it(tmp_path: Path) -> None:
    database = str(tmp_path / "d.sqlite3")
    with turns.turn(database):
        other = taken(database, 0.05)  # it has its number, so another one of ours would wait for it
        with turns.turn(database):
            pass
        assert not other.is_set()
    assert other.wait(10)


@pytest.mark.parametrize("database", ["", ":memory:", "file:memorydb_default?mode=memory&cache=shared"])
def test_a_database_in_memory_needs_no_queue(database: str) -> None:
    with turns.turn(database), turns.turn(database):
        assert taken(database, 10).is_set()


@pytest.mark.django_db(transaction=True)
def test_a_nested_transaction_does_not_wait_for_itself() -> None:
    with sql.short_transaction(), sql.short_transaction():
        assert connection.in_atomic_block


@contextmanager
def hogs(database: str) -> Iterator[None]:
    """Two processes that hand the turn to each other without a gap."""
    environment = os.environ | {"PYTHONPATH": str(Path(turns.__file__).parents[3])}
    command = [sys.executable, "-c", HOG, database]
    sql.execute("CREATE TABLE hog (turns INTEGER)")
    sql.execute("INSERT INTO hog VALUES (0)")
    running = [subprocess.Popen(command, env=environment) for _ in range(2)]
    try:
        until("both write", lambda: hogged() > 4)
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()
        sql.execute("DROP TABLE hog")


def hogged() -> int:
    found = sql.row("SELECT turns FROM hog")
    return int(found[0]) if found else 0


def in_a_block() -> None:
    with transaction.atomic():
        Schedule.objects.filter(name="none").update(name="other")


def by_the_orm() -> None:
    Schedule.objects.filter(name="none").update(name="other")


def by_hand() -> None:
    sql.execute("UPDATE jobs_schedule SET name = name WHERE name = %s", ["none"])


@pytest.mark.django_db(transaction=True)
def test_whoever_writes_has_a_turn_beside_writers_without_a_gap() -> None:
    if not sql.is_sqlite():  # there the rows are locked, and each write finds its own free
        for write in (by_hand, by_the_orm, in_a_block):
            write()
        assert connection.get_autocommit()
        return
    with hogs(str(connection.settings_dict["NAME"])):
        for write in (by_hand, by_the_orm, in_a_block) * 3:
            before = hogged()
            write()
            assert hogged() - before <= 4, write
    assert connection.get_autocommit()
