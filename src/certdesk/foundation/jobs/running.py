"""The three steps of one claimed job. Worker and tests go the same way through them."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import IntegrityError

from certdesk.foundation.common import clock, sql

from . import queries, registry, rights, rules
from .errors import LeaseLost
from .models import Job, State

LEASE = timedelta(seconds=60)
BATCH = 20
_TRIES = 3
_log = structlog.get_logger("jobs")


@dataclass(frozen=True)
class Loaded:
    """A job whose `perform` is to run now."""

    job: Job
    handler: "registry.Handler[Any, Any]"
    work: Any


def claim(
    worker: str, limit: int, *, lease: timedelta = LEASE, horizon: timedelta = timedelta(0)
) -> list[Job]:
    """Claims up to `limit` jobs: expired leases first, then waiting ones due by now + horizon.

    Not flushed: a claim that a power cut undoes has led to nothing, for what follows would have flushed it.
    """
    now = clock.real_now()
    granted = lease_from(now, lease)
    for _ in range(_TRIES):
        try:
            with sql.short_transaction(flush=False):
                jobs = queries.claim_expired(worker, now, granted, limit)
                if len(jobs) < limit:
                    jobs += queries.claim(worker, now + horizon, granted, limit - len(jobs))
                return jobs
        except IntegrityError:
            # PostgreSQL: another worker took the same lock between our look and our write.
            continue
    return []


def lease_from(now: datetime, lease: timedelta) -> queries.Lease:
    """From a moment of real time on: `lease`, or the short one for the kinds that have it."""
    return queries.Lease(now + lease, now + min(lease, registry.SHORT_LEASE), registry.short_kinds())


def start(job: Job, lease: timedelta = LEASE) -> Loaded | None:
    """`load`; None when the job is over: it had nothing to do, or needs no `perform`.

    Raises:
        LeaseLost: another worker has the job.
        Exception: whatever the handler raised; hand it to `fail`.
    """
    handler = registry.find(job.kind)
    if job.attempts > job.max_attempts:
        raise RuntimeError(f"Every worker that ran it stopped half-way ({job.max_attempts} times).")
    if not handler.performs():
        _all_at_once(job, handler)
        return None
    with sql.short_transaction():
        if not queries.hold(job, lease_from(clock.real_now(), lease).of(job.kind)):
            raise LeaseLost(str(job))
        work = handler.load(job)
        if work is None:
            _end(job)
            return None
    return Loaded(job, handler, work)


def _all_at_once(job: Job, handler: "registry.Handler[Any, Any]") -> None:
    with sql.short_transaction():
        _end(job)
        work = handler.load(job)
        if work is not None:
            handler.store(job, work, None)


def finish(loaded: Loaded, result: Any) -> None:
    """`store`, in the transaction that ends the job. The job ends first: that is the fence.

    Raises: as `start`.
    """
    with sql.short_transaction():
        _end(loaded.job)
        loaded.handler.store(loaded.job, loaded.work, result)


def _end(job: Job) -> None:
    if not queries.end(job, State.DONE, clock.real_now(), ""):
        raise LeaseLost(str(job))


def fail(job: Job, error: BaseException) -> None:
    """Puts the job back for a later try, or gives it up and tells its handler."""
    verdict = rules.judge(error, job.attempts, job.max_attempts, random.random())  # noqa: S311 spreads retries
    reason = rules.describe(error)
    _log.warning("job failed", job=job.id, kind=job.kind, attempt=job.attempts, error=reason)
    if verdict.delay is None:
        _give_up(job, error, reason)
    else:
        put_back(job, verdict.delay, job.attempts, reason)


def _give_up(job: Job, error: BaseException, reason: str) -> None:
    try:
        with sql.short_transaction():
            if queries.end(job, State.FAILED, clock.real_now(), reason):
                rights.record_refusal(job, error)
                registry.find(job.kind).failed(job, error)
    except Exception as second:  # noqa: BLE001 the job must end even if the hook is broken
        text = f"{reason} Then its failed() raised: {rules.describe(second)}"[: rules.LONGEST_ERROR]
        _log.error("failed() of a job raised", job=job.id, kind=job.kind, error=text)
        with sql.short_transaction():
            queries.end(job, State.FAILED, clock.real_now(), text)


def put_back(job: Job, delay: float, attempts: int, reason: str) -> None:
    """Makes the job wait again for `delay` seconds."""
    run_at = clock.real_now() + timedelta(seconds=delay)
    try:
        with sql.short_transaction():
            queries.put_back(job, run_at, attempts, reason)
    except IntegrityError:  # PostgreSQL: its dedupe key was taken while we looked
        with sql.short_transaction():
            queries.put_back(job, run_at, attempts, reason, keep_key=False)


def hand_back(job: Job) -> None:
    """Gives an unfinished job to the next worker; the cut-short try does not count."""
    put_back(job, 0, job.attempts - 1, job.last_error)
