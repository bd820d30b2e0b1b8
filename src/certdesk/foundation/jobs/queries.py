"""The job table's hand-written SQL. Every write after a claim names id, fence and state RUNNING."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.reader import instance

from .models import Job, State

COLUMNS = "id, kind, payload, subject, run_at, attempts, max_attempts, fence, lock_key, last_error"
"""What a claim brings along; Django fetches the other fields when somebody asks for them."""
_NAMES = tuple(COLUMNS.split(", "))

# A job with a lock is claimed only when no job with that lock runs and it is the first one waiting:
# two of one lock in one batch would break the unique index and with it the whole claim.
_READY = """
SELECT j.id FROM jobs_job j WHERE j.state = 'READY' AND j.run_at <= %s AND (j.lock_key IS NULL OR (
    NOT EXISTS (SELECT 1 FROM jobs_job r WHERE r.lock_key = j.lock_key AND r.state = 'RUNNING')
    AND NOT EXISTS (SELECT 1 FROM jobs_job e WHERE e.lock_key = j.lock_key AND e.state = 'READY'
        AND (e.run_at < j.run_at OR (e.run_at = j.run_at AND e.id < j.id)))))
ORDER BY j.run_at, j.id LIMIT %s"""

_EXPIRED = """
SELECT j.id FROM jobs_job j WHERE j.state = 'RUNNING' AND j.lease_until < %s
ORDER BY j.lease_until LIMIT %s"""

# MATERIALIZED: chosen once. A subquery may run again for every row, and each run of a locking one takes
# further jobs, beyond the limit.
_TAKE = """
WITH chosen AS MATERIALIZED ({chosen})
UPDATE jobs_job SET state = 'RUNNING', fence = fence + 1, attempts = attempts + 1, worker = %s,
    lease_until = {lease} WHERE id IN (SELECT id FROM chosen) RETURNING {columns}"""


@dataclass(frozen=True, slots=True)
class Lease:
    """Until when: `soon` for the kinds with a short lease, `until` for the others."""

    until: datetime
    soon: datetime
    kinds: Sequence[str] = ()

    def of(self, kind: str) -> datetime:
        return self.soon if kind in self.kinds else self.until

    @property
    def text(self) -> str:
        marks = ",".join(["%s"] * len(self.kinds))
        return f"CASE WHEN kind IN ({marks}) THEN %s ELSE %s END" if self.kinds else "%s"

    @property
    def values(self) -> list[object]:
        until = clock.to_micros(self.until)
        return [*self.kinds, clock.to_micros(self.soon), until] if self.kinds else [until]


def claim(worker: str, now: datetime, lease: Lease, limit: int) -> list[Job]:
    """Takes up to `limit` waiting jobs that are due, oldest first, none whose lock is held."""
    return _take(_READY, worker, now, lease, limit)


def claim_expired(worker: str, now: datetime, lease: Lease, limit: int) -> list[Job]:
    """Takes running jobs whose worker let the lease run out.

    They never become READY in between: their lock stays held and their dedupe key cannot collide.
    """
    return _take(_EXPIRED, worker, now, lease, limit)


def _take(chosen: str, worker: str, now: datetime, lease: Lease, limit: int) -> list[Job]:
    if not sql.is_sqlite():
        chosen += " FOR UPDATE OF j SKIP LOCKED"
    found = sql.rows(
        _TAKE.format(chosen=chosen, columns=COLUMNS, lease=lease.text),
        [clock.to_micros(now), limit, worker, *lease.values],
    )
    return [_job(row) for row in sorted(found, key=lambda row: (row[4], row[0]))]


def _job(row: sql.Row) -> Job:
    job_id, kind, payload, subject, run_at, *others = row
    values = (job_id, kind, orjson.loads(payload), subject, clock.from_micros(run_at), *others)
    return instance(Job, _NAMES, values)


def is_due(now: datetime) -> bool:
    """A read that spares an idle worker the write lock of a claim."""
    micros = clock.to_micros(now)
    statement = (
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM jobs_job WHERE state = 'READY' AND run_at <= %s)"
        " OR EXISTS (SELECT 1 FROM jobs_job WHERE state = 'RUNNING' AND lease_until < %s)"
    )
    return sql.row(statement, [micros, micros]) is not None


def renew(worker: str, ids: Sequence[int], lease: Lease) -> set[tuple[int, int]]:
    """Makes the leases longer; answers (id, fence) of the jobs that still are this worker's."""
    if not ids:
        return set()
    places = ",".join(["%s"] * len(ids))
    found = sql.rows(
        f"UPDATE jobs_job SET lease_until = {lease.text} WHERE state = 'RUNNING' AND worker = %s"
        f" AND id IN ({places}) RETURNING id, fence",
        [*lease.values, worker, *ids],
    )
    return {(row[0], row[1]) for row in found}


def running_workers() -> list[str]:
    """Names of the workers that hold a lease."""
    return [str(row[0]) for row in sql.rows("SELECT DISTINCT worker FROM jobs_job WHERE state = 'RUNNING'")]


def let_run_out(workers: Sequence[str], now: datetime) -> int:
    """Ends the leases of these workers a moment ago, so that the next claim takes their jobs."""
    places = ",".join(["%s"] * len(workers))
    past = clock.to_micros(now) - 1
    return sql.execute(
        f"UPDATE jobs_job SET lease_until = %s WHERE state = 'RUNNING' AND worker IN ({places})"
        " AND lease_until > %s",
        [past, *workers, past],
    )


def hold(job: Job, lease_until: datetime) -> bool:
    """Renews one lease and locks its row for this transaction; False when the job is not ours any more."""
    statement = "UPDATE jobs_job SET lease_until = %s WHERE id = %s AND fence = %s AND state = 'RUNNING'"
    return sql.execute(statement, [clock.to_micros(lease_until), job.id, job.fence]) == 1


def end(job: Job, state: State, now: datetime, last_error: str) -> bool:
    """Ends the job as DONE or FAILED; False when it is not ours any more."""
    statement = (
        "UPDATE jobs_job SET state = %s, finished_at = %s, lease_until = NULL, last_error = %s"
        " WHERE id = %s AND fence = %s AND state = 'RUNNING'"
    )
    return sql.execute(statement, [state.value, clock.to_micros(now), last_error, job.id, job.fence]) == 1


def put_back(job: Job, run_at: datetime, attempts: int, last_error: str, *, keep_key: bool = True) -> bool:
    """Makes the job wait again. Its dedupe key is dropped when another waiting job has taken it meanwhile."""
    key = (
        "CASE WHEN EXISTS (SELECT 1 FROM jobs_job d WHERE d.dedupe_key = jobs_job.dedupe_key"
        " AND d.state = 'READY') THEN NULL ELSE dedupe_key END"
    )
    statement = (
        f"UPDATE jobs_job SET state = 'READY', run_at = %s, attempts = %s, last_error = %s, worker = '',"
        f" lease_until = NULL, dedupe_key = {key if keep_key else 'NULL'}"
        " WHERE id = %s AND fence = %s AND state = 'RUNNING'"
    )
    return sql.execute(statement, [clock.to_micros(run_at), attempts, last_error, job.id, job.fence]) == 1


_INSERT = """
INSERT INTO jobs_job (kind, payload, subject, state, run_at, attempts, max_attempts, fence, worker,
    dedupe_key, lock_key, last_error, created_at)
VALUES (%s, %s, %s, 'READY', %s, 0, %s, 0, '', %s, %s, '', %s)"""

# Not DO NOTHING: the update locks the waiting job until the caller commits, so that no worker can
# start it before it would see what the caller wrote. The earlier of the two times holds.
_UNLESS_WAITING = """
 ON CONFLICT (dedupe_key) WHERE state = 'READY' DO UPDATE
 SET run_at = CASE WHEN excluded.run_at < jobs_job.run_at THEN excluded.run_at ELSE jobs_job.run_at END"""


def insert(job: Job) -> int | None:
    """Writes a waiting job; None when one with its dedupe key waits already."""
    created = clock.to_micros(job.created_at)
    values = [
        job.kind, json.dumps(job.payload), job.subject, clock.to_micros(job.run_at), job.max_attempts,
        job.dedupe_key, job.lock_key, created,
    ]  # fmt: skip
    statement = _INSERT + (_UNLESS_WAITING if job.dedupe_key else "") + " RETURNING id, created_at"
    found = sql.row(statement, values)
    return int(found[0]) if found and found[1] == created else None


def schedules() -> dict[str, datetime]:
    """When each periodic job is to run next."""
    rows = sql.rows("SELECT name, next_at FROM jobs_schedule")
    return {name: clock.from_micros(next_at) for name, next_at in rows}


def add_schedule(name: str, next_at: datetime) -> None:
    statement = "INSERT INTO jobs_schedule (name, next_at) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING"
    sql.execute(statement, [name, clock.to_micros(next_at)])


def advance(name: str, planned: datetime, next_at: datetime, now: datetime) -> bool:
    """Moves a plan on; of several workers that saw the same plan only one gets True."""
    statement = "UPDATE jobs_schedule SET next_at = %s, last_at = %s WHERE name = %s AND next_at = %s"
    moments = [clock.to_micros(moment) for moment in (next_at, now, planned)]
    return sql.execute(statement, [moments[0], moments[1], name, moments[2]]) == 1


def prune(before: datetime, limit: int) -> int:
    """Deletes up to `limit` jobs that were done before that moment."""
    return sql.execute(
        "DELETE FROM jobs_job WHERE id IN (SELECT id FROM jobs_job WHERE state = 'DONE'"
        " AND finished_at < %s ORDER BY finished_at LIMIT %s)",
        [clock.to_micros(before), limit],
    )


def about(subject: str, limit: int = 50) -> list[Job]:
    """The latest jobs about one thing, newest first, for its page."""
    return list(Job.objects.filter(subject=subject).order_by("-id")[:limit])


def counts() -> dict[str, int]:
    """How many jobs are in each state that still needs somebody: READY, RUNNING, FAILED."""
    rows = sql.rows("SELECT state, COUNT(*) FROM jobs_job WHERE state <> 'DONE' GROUP BY state")
    return {state.value: 0 for state in State if state is not State.DONE} | dict(rows)


def take_back_all(now: datetime) -> int:
    """RUNNING -> READY for all, with a fence far above every one that was handed out."""
    return sql.execute(
        "UPDATE jobs_job SET state = 'READY', run_at = %s, worker = '', lease_until = NULL,"
        " dedupe_key = NULL, fence = fence + 1000000,"
        " attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END"
        " WHERE state = 'RUNNING'",
        [clock.to_micros(now)],
    )
