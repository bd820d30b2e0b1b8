"""The worker in a thread of this process: many in flight, stop, wake-up, schedules, sealing."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import actions, queries, registry, testing, worker
from certdesk.foundation.jobs.models import Job, State

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def only_these(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rooms' periodic jobs stay out of these tests."""
    registry.discover()
    monkeypatch.setattr(registry, "periods", {})


@contextmanager
def working(**options: Any) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,), kwargs=options)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def until(fact: Callable[[], bool], seconds: float = 15.0) -> None:
    """Looks at the database until it says so."""
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, dict(Job.objects.values_list("id", "state"))
        threading.Event().wait(0.02)


def done(count: int) -> Callable[[], bool]:
    return lambda: Job.objects.filter(state=State.DONE).count() == count


class Together(registry.Handler[int, int]):
    """Ends only when `wanted` of its kind are in flight at the same time."""

    wanted = 60
    flying = 0

    def load(self, job: Job) -> int:
        return 1

    async def perform(self, work: int) -> int:
        cls = type(self)
        cls.flying += 1
        while cls.flying < self.wanted:  # noqa: ASYNC110 counts its own kind
            await asyncio.sleep(0.01)
        return 1

    def store(self, job: Job, work: int, result: int) -> None:
        audit.record(system_principal("x"), "stored", resource=f"job:{job.id}")


class Endless(registry.Handler[int, int]):
    begun = threading.Event()

    def load(self, job: Job) -> int:
        return 1

    async def perform(self, work: int) -> int:
        self.begun.set()
        await asyncio.sleep(3600)
        return 1


class Simple(registry.Handler[int, None]):
    def load(self, job: Job) -> int:
        if job.payload.get("error"):
            raise ValueError(job.payload["error"])
        return 1


def test_many_jobs_are_in_flight_at_once() -> None:
    Together.flying = 0
    with testing.registered("test.together", Together):
        for _ in range(Together.wanted):
            actions.enqueue("test.together")
        with working():
            until(done(Together.wanted))
    assert Event.objects.filter(action="stored").count() == Together.wanted


def test_a_stop_hands_unfinished_jobs_back_in_time() -> None:
    Endless.begun.clear()
    with testing.registered("test.endless", Endless):
        job_id = actions.enqueue("test.endless")
        with working(pace=worker.Pace(grace=0.2, cut=0.2)) as stop:
            assert Endless.begun.wait(10)
            began = time.monotonic()
            stop.set()
        assert time.monotonic() - began < 5
    job = Job.objects.get(id=job_id)
    assert (job.state, job.attempts, job.lease_until, job.worker) == ("READY", 0, None, "")


def test_a_job_added_in_this_process_wakes_the_worker_at_once() -> None:
    with testing.registered("test.simple", Simple), working(pace=worker.Pace(first_poll=30, longest_poll=30)):
        actions.enqueue("test.simple")
        until(done(1))
        actions.enqueue("test.simple")
        until(done(2))


def test_jobs_of_one_lock_follow_each_other() -> None:
    with testing.registered("test.simple", Simple, lock="one"):
        for _ in range(5):
            actions.enqueue("test.simple")
        with working():
            until(done(5))


def test_leases_are_renewed_while_a_job_performs() -> None:
    Endless.begun.clear()
    pace = worker.Pace(lease=5, grace=0.1, cut=0.2)  # renewed each third of it: a slow machine may stall
    with testing.registered("test.endless", Endless):
        job_id = actions.enqueue("test.endless")
        with working(pace=pace):
            assert Endless.begun.wait(10)
            first = Job.objects.get(id=job_id).lease_until
            until(lambda: (Job.objects.get(id=job_id).lease_until or first) > first)
            assert Job.objects.get(id=job_id).attempts == 1


def test_a_job_that_is_taken_away_is_broken_off() -> None:
    Endless.begun.clear()
    with testing.registered("test.endless", Endless):
        job_id = actions.enqueue("test.endless")
        with working(pace=worker.Pace(lease=0.6, grace=30)) as stop:
            assert Endless.begun.wait(10)
            Job.objects.filter(id=job_id).update(fence=99, state=State.DONE)
            stop.set()  # ends long before its grace of 30 s, since nothing flies any more


def test_an_error_is_kept_and_the_worker_goes_on() -> None:
    with testing.registered("test.simple", Simple, max_attempts=1), working():
        actions.enqueue("test.simple", {"error": "no such thing"})
        actions.enqueue("test.simple")
        until(done(1))
        until(lambda: Job.objects.filter(state=State.FAILED).exists())
    assert Job.objects.get(state=State.FAILED).last_error == "ValueError: no such thing"


def test_events_are_sealed_within_a_second() -> None:
    with working():
        audit.record(system_principal("x"), "happened")
        until(lambda: Event.objects.filter(sequence=1).exists())
    assert worker.Pace().sealing <= 1


def test_a_periodic_job_without_a_plan_runs_at_once() -> None:
    with testing.registered("test.simple", Simple):
        registry.periodic("test.simple", 3600)
        with working():
            until(done(1))


def test_a_periodic_job_of_the_start_runs_though_its_time_has_not_come() -> None:
    with testing.registered("test.simple", Simple):
        registry.periodic("test.simple", 3600, at_start=True)
        queries.add_schedule("test.simple", clock.real_now() + timedelta(minutes=50))
        with working():
            until(done(1))


def test_a_database_that_is_away_for_a_while_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = queries.is_due

    def sometimes(now: Any) -> bool:
        calls.append(1)
        if len(calls) < 3:
            raise OperationalError("server closed the connection unexpectedly")
        return real(now)

    monkeypatch.setattr(queries, "is_due", sometimes)
    with testing.registered("test.simple", Simple):
        actions.enqueue("test.simple")
        with working():
            until(done(1))
    assert len(calls) >= 3
