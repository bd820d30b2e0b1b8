"""Workers as real processes: killed and frozen in the middle of a job, stopped by a signal."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import settings
from certdesk.foundation.jobs import actions, registry, testing
from certdesk.foundation.jobs.models import Job, State

pytestmark = pytest.mark.django_db(transaction=True)
PROCESS = Path(__file__).with_name("worker_process.py")
LEASE = 1.0
KILLS = 100 if os.environ.get("CERTDESK_SIZE") == "full" else 2


class Workers:
    """Starts worker processes over the test's database and ends what is left of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hold = folder / "hold"
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        house = settings.get()
        environment = os.environ | {
            "CERTDESK_DATA": str(house.data),
            "CERTDESK_KEK_FILE": str(house.kek_path),
            "CERTDESK_DATABASE_URL": house.database_url,
            "DJANGO_SETTINGS_MODULE": "certdesk.config.django",
            "PYTHONPATH": str(Path(registry.__file__).parents[3]),
        }
        name = str(connection.settings_dict["NAME"])
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(PROCESS), name, str(self.folder), str(LEASE)],
                env=environment,
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    def performed(self) -> Counter[int]:
        """How often each job's `perform` has begun."""
        path = self.folder / "performed"
        lines = path.read_text().splitlines() if path.exists() else []
        return Counter(int(line.split()[0]) for line in lines)

    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    class Write(registry.Handler[int, str]):
        """Stands in for the handler of the worker processes, so that jobs of its kind can be added."""

    crew = Workers(tmp_path)
    crew.hold.touch()
    with testing.registered("crash.write", Write):
        yield crew
    for process in crew.running:
        process.kill()  # ends a stopped one too
        process.wait(10)


def until(fact: Callable[[], bool], workers: Workers, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, workers.log()
        threading.Event().wait(0.02)


def written() -> Counter[str]:
    return Counter(Event.objects.filter(account_id="crash").values_list("action", flat=True))


def all_done() -> bool:
    return not Job.objects.exclude(state=State.DONE).exists()


def test_a_worker_killed_in_the_middle_is_replaced_and_each_job_is_done_once(workers: Workers) -> None:
    for n in range(4):
        actions.enqueue("crash.write", {"n": n}, max_attempts=1000)
    for round_ in range(1, KILLS + 1):
        process = workers.start()
        until(lambda times=round_: workers.performed() == dict.fromkeys(range(4), times), workers)  # type: ignore[misc]
        process.kill()
        process.wait(10)
    workers.hold.unlink()
    workers.start()
    until(all_done, workers)
    assert written() == {f"wrote {n}": 1 for n in range(4)}
    assert set(Job.objects.values_list("attempts", flat=True)) == {KILLS + 1}


def test_a_worker_frozen_past_its_lease_cannot_write_late(workers: Workers) -> None:
    for n in range(3):
        actions.enqueue("crash.write", {"n": n})
    frozen = workers.start()
    until(lambda: workers.performed() == dict.fromkeys(range(3), 1), workers)
    os.kill(frozen.pid, signal.SIGSTOP)
    other = workers.start()
    until(lambda: workers.performed() == dict.fromkeys(range(3), 2), workers)
    workers.hold.unlink()
    until(all_done, workers)
    other.terminate()
    assert other.wait(10) == 0
    os.kill(frozen.pid, signal.SIGCONT)
    actions.enqueue("crash.write", {"n": 9})  # done by the thawed one: by then it has tried the others
    until(lambda: written()["wrote 9"] == 1, workers)
    assert written() == {"wrote 0": 1, "wrote 1": 1, "wrote 2": 1, "wrote 9": 1}
    late = Event.objects.filter(account_id="crash").exclude(action="wrote 9")
    assert set(late.values_list("resource", flat=True)) == {f"pid:{other.pid}"}
    frozen.terminate()
    assert frozen.wait(10) == 0


def test_sigterm_hands_jobs_back_within_ten_seconds(workers: Workers) -> None:
    actions.enqueue("crash.write", {"n": 1})
    process = workers.start()
    until(lambda: workers.performed() == {1: 1}, workers)
    began = time.monotonic()
    process.terminate()
    assert process.wait(10) == 0
    assert time.monotonic() - began < 10
    job = Job.objects.get()
    assert (job.state, job.attempts, job.lease_until) == ("READY", 0, None)
