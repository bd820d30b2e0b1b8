"""G10: claiming jobs in batches of 20 against bare SQL on a like table, and what a no-op job costs."""

import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.report import Report, Row

BATCH = 20
KIND = "bench.nothing"
_BARE = (
    "CREATE TABLE job (id INTEGER PRIMARY KEY, state TEXT, run_at INTEGER, payload TEXT, worker TEXT);"
    "CREATE INDEX ready ON job (run_at, id) WHERE state = 'READY'"
)
_TAKE = (
    "UPDATE job SET state = 'RUNNING', worker = 'bench' WHERE id IN (SELECT id FROM job WHERE"
    " state = 'READY' AND run_at <= 9 ORDER BY run_at, id LIMIT 20) RETURNING id, payload"
)


def measure(report: Report, seconds: float) -> None:
    """On the scratch database of this process; both are on disk with WAL, and flush no claim by itself."""
    count = max(2 * BATCH, int(seconds * 2000) // BATCH * BATCH)
    bare = _bare(count)
    ours, no_op = _ours(count)
    report.add(Row("bare SQL claim in batches of 20", bare, "/s core"))
    report.add(Row("G10 claim in batches of 20", ours, "/s core", "bare", ours / bare, goal=0.5))
    report.add(Row("G10 claims against 2,000/s", ours, "/s core", "2,000", ours / 2000, goal=1, floor=1))
    report.add(Row("G10 no-op job, CPU", no_op * 1000, "ms", "1 ms", no_op * 1000, goal=1, at_most=True))


def _bare(count: int) -> float:
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
        closing(sqlite3.connect(Path(folder) / "jobs.sqlite3", isolation_level=None)) as own,
    ):
        own.execute("PRAGMA journal_mode=WAL")
        own.execute("PRAGMA synchronous=NORMAL")
        own.executescript(_BARE)
        own.executemany("INSERT INTO job (state, run_at, payload) VALUES ('READY', 1, '{}')", [()] * count)

        def claim() -> None:
            own.execute("BEGIN IMMEDIATE")
            own.execute(_TAKE).fetchall()
            own.execute("COMMIT")

        return count / _cpu(lambda: [claim() for _ in range(count // BATCH)])


def _ours(count: int) -> tuple[float, float]:
    """Claims a CPU second; CPU seconds of a job from its claim to its end."""
    from certdesk.foundation.jobs import actions, registry, running
    from certdesk.foundation.jobs.models import Job

    registry.discover()

    @registry.handler(KIND)
    class Nothing(registry.Handler[None, None]):
        def load(self, job: Job) -> None:
            return None

    from certdesk.foundation.common import sql

    Job.objects.all().delete()
    for _ in range(2):
        with sql.short_transaction():
            for _ in range(count):
                actions.enqueue(KIND)
    claimed = list[Job]()
    spent = _cpu(lambda: [claimed.extend(running.claim("bench", BATCH)) for _ in range(count // BATCH)])
    rest = list[Job]()

    def work() -> None:
        for _ in range(count // BATCH):
            jobs = running.claim("bench", BATCH)
            rest.extend(jobs)
            for job in jobs:
                running.start(job)

    whole = _cpu(work)
    if len(claimed) != count or len(rest) != count or Job.objects.filter(state="DONE").count() != count:
        raise RuntimeError("not every job was claimed and done")
    Job.objects.all().delete()
    return count / spent, whole / count


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
