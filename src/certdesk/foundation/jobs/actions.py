"""Puts jobs into the table, in the caller's transaction: no commit, no job."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import WrongState

from . import queries, registry, rules
from .errors import UnknownKind
from .models import Job, State

_wakers: set[Callable[[], None]] = set()


def enqueue(
    kind: str,
    payload: Mapping[str, Any] | None = None,
    *,
    subject: str = "",
    run_at: datetime | None = None,
    dedupe_key: str | None = None,
    lock_key: str | None = None,
    max_attempts: int | None = None,
) -> int | None:
    """Adds one job.

    Args:
        payload: JSON values; ids, never secrets.
        subject: what the job is about, for people: a certificate id.
        run_at: not before this moment of real time.
        dedupe_key: while a job with this key waits, no second one is added; the earlier `run_at` holds.
        lock_key: at most one running job has it; default: the `lock` of the handler.

    Returns:
        The job's id; None when one with the same dedupe key waits already.

    Raises:
        UnknownKind: no room handles `kind`.
    """
    handler = registry.find(kind)
    now = clock.real_now()
    values = dict(payload or {})
    job = Job(
        kind=kind,
        payload=values,
        subject=subject,
        run_at=run_at or now,
        max_attempts=handler.max_attempts if max_attempts is None else max_attempts,
        dedupe_key=dedupe_key,
        lock_key=lock_key or handler.lock_key(subject, values),
        created_at=now,
    )
    job_id = queries.insert(job)
    if _wakers:
        transaction.on_commit(wake)
    return job_id


def emit(topic: str, subject: str, **payload: Any) -> None:
    """Adds one job per subscriber of `topic`, with the payload {"subject": subject, …} (law 8)."""
    for kind in registry.subscribers(topic):
        enqueue(kind, {"subject": subject, **payload}, subject=subject)


def retry(principal: audit.Actor, job_id: int) -> None:
    """Lets a job that was given up wait again, from its first attempt.

    Raises:
        WrongState: the job is not FAILED, or its twin waits already.
    """
    with sql.short_transaction():
        job = Job.objects.filter(id=job_id, state=State.FAILED).first()
        if job is None or _twin_waits(job):
            raise WrongState(
                f"Job {job_id} cannot be started again: only a failed job without a waiting twin can.",
                next_step="Open the list of failed jobs again.",
            )
        Job.objects.filter(id=job_id, state=State.FAILED).update(
            state=State.READY, run_at=clock.real_now(), attempts=0, finished_at=None, worker=""
        )
        audit.record(principal, "jobs.retry", resource=f"job:{job_id}", details={"kind": job.kind})


def _twin_waits(job: Job) -> bool:
    return bool(job.dedupe_key) and Job.objects.filter(dedupe_key=job.dedupe_key, state=State.READY).exists()


def fire_schedules(now: datetime) -> int:
    """Adds the periodic jobs whose time has come; answers how many.

    The plan's row is moved on in the transaction that adds the job, so each period has one job at
    most, whatever the number of workers.
    """
    registry.discover()
    plans = queries.schedules()
    fired = 0
    for kind, period in registry.periods.items():
        planned, every = plans.get(kind), timedelta(seconds=period.every_seconds)
        if planned is None:
            queries.add_schedule(kind, now)
            planned = now
        if planned <= now or planned > now + every:
            fired += _fire(kind, planned, every, now)
    return fired


def _fire(kind: str, planned: datetime, every: timedelta, now: datetime) -> int:
    with sql.short_transaction():
        if not queries.advance(kind, planned, rules.next_period(planned, every, now), now):
            return 0
        return int(_enqueue_periodic(kind) is not None)


def fire_at_start() -> None:
    """Adds the periodic jobs that a starting worker wants done now: what settles what a crash left open."""
    registry.discover()
    for kind, period in registry.periods.items():
        if period.at_start:
            with sql.short_transaction():
                _enqueue_periodic(kind)


def _enqueue_periodic(kind: str) -> int | None:
    try:
        lock = registry.find(kind).lock_key("", {}) or f"periodic:{kind}"
    except UnknownKind as error:
        raise ValueError(f"periodic job without a handler: {kind}") from error
    return enqueue(kind, dedupe_key=f"periodic:{kind}", lock_key=lock)


def take_back_all() -> int:
    """After a restore: what ran in the backup waits again, behind a fence that no old worker passes.

    In the caller's transaction; answers how many. They lose their dedupe key: a twin may wait already.
    """
    return queries.take_back_all(clock.real_now())


def wake() -> None:
    """Wakes the workers of this process."""
    for call in tuple(_wakers):
        call()


def on_wake(call: Callable[[], None]) -> Callable[[], None]:
    """Has `call` run whenever a job was added here; answers what ends it. It must be quick
    and thread-safe.
    """
    _wakers.add(call)
    return lambda: _wakers.discard(call)
