"""Several workers at once, each in a thread with its own connection."""

import threading
from collections.abc import Callable

import pytest
from django.db import connections, transaction

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.audit.models import Event
from certdesk.foundation.audit.verify_database import verify_database
from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import actions, registry, running, testing
from certdesk.foundation.jobs.models import Job, State

pytestmark = pytest.mark.django_db(transaction=True)


class Nothing(registry.Handler[int, None]):
    def load(self, job: Job) -> int:
        return 1


def together(*works: Callable[[], None]) -> None:
    """Runs the works at the same time; an error in one of them fails the test."""
    start, errors = threading.Barrier(len(works)), []

    def run(work: Callable[[], None]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 shown below
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def test_no_job_is_claimed_twice_and_no_lock_held_twice() -> None:
    taken: list[Job] = []

    def claim() -> None:
        while jobs := running.claim(threading.current_thread().name, 20):
            taken.extend(jobs)

    with testing.registered("test.nothing", Nothing):
        for n in range(240):
            actions.enqueue(
                "test.nothing", lock_key=f"lock {n}" if n < 60 else f"lock {n % 10}" if n < 100 else None
            )
        together(claim, claim, claim, claim)
    assert len({job.id for job in taken}) == len(taken)
    locks = [job.lock_key for job in taken if job.lock_key]
    assert len(set(locks)) == len(locks)
    assert Job.objects.filter(state=State.RUNNING).count() == len(taken)
    assert sum(job.lock_key is None for job in taken) == 140


def test_several_workers_do_all_jobs_of_many_locks_once() -> None:
    done: list[int] = []

    class Count(Nothing):
        def store(self, job: Job, work: int, result: None) -> None:
            done.append(job.id)

    def work() -> None:
        misses = 0
        while misses < 20:
            jobs = running.claim(threading.current_thread().name, 7)
            misses = 0 if jobs else misses + 1
            for job in jobs:
                running.start(job)

    with testing.registered("test.count", Count):
        ids = {actions.enqueue("test.count", lock_key=f"lock {n % 8}") for n in range(120)}
        together(work, work, work, work)
        while jobs := running.claim("last", 20):  # what a slow round left
            for job in jobs:
                running.start(job)
    assert sorted(done) == sorted(ids)


def test_a_job_asked_for_again_is_not_begun_before_the_asker_commits() -> None:
    asked, committed = threading.Event(), threading.Event()
    seen: list[bool] = []

    def ask_again() -> None:
        with transaction.atomic():
            assert actions.enqueue("test.nothing", dedupe_key="k") is None
            asked.set()
            threading.Event().wait(0.2)  # time in which a worker might begin too early
            committed.set()

    def begin() -> None:
        assert asked.wait(10)
        while not running.claim("worker", 1):
            threading.Event().wait(0.01)
        seen.append(committed.is_set())

    with testing.registered("test.nothing", Nothing):
        actions.enqueue("test.nothing", dedupe_key="k")
        together(ask_again, begin)
    assert seen == [True]


def test_one_dedupe_key_asked_for_by_many_gives_one_job() -> None:
    answers: list[int | None] = []

    def ask() -> None:
        for _ in range(10):
            answers.append(actions.enqueue("test.nothing", dedupe_key="k"))

    with testing.registered("test.nothing", Nothing):
        together(ask, ask, ask, ask)
    assert Job.objects.count() == 1
    assert [answer for answer in answers if answer] == [Job.objects.get().id]


def test_of_many_workers_one_fires_a_period() -> None:
    now = clock.real_now()
    with testing.registered("test.nothing", Nothing):
        registry.discover()
        registry.periodic("test.nothing", 60)
        fire = lambda: [actions.fire_schedules(now) for _ in range(5)] and None  # noqa: E731
        together(fire, fire, fire, fire)
        assert Job.objects.filter(kind="test.nothing").count() == 1


def test_several_sealers_make_one_sound_chain() -> None:
    def write() -> None:
        for n in range(50):
            audit.record(system_principal("a"), f"event {n}")

    def seal() -> None:
        for _ in range(20):
            audit.seal_pending(limit=30)

    together(write, seal, write, seal)
    while audit.seal_pending():
        continue
    assert Event.objects.filter(sequence__isnull=True).count() == 0
    assert verify_database().ok
    assert sorted(Event.objects.values_list("sequence", flat=True)) == list(range(1, 101))
