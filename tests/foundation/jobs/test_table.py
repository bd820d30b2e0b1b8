"""The job table: what is claimed, in which order, by whom, and who may write late."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Forbidden, WrongState
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.principal import Principal, Via
from certdesk.foundation.jobs import actions, queries, registry, rights, running, testing
from certdesk.foundation.jobs.errors import LeaseLost, Permanent, RetryAfter, UnknownKind
from certdesk.foundation.jobs.models import Job, Schedule, State

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


class Note(registry.Handler[dict[str, Any], str]):
    """Keeps a note of what it did in rows of its own kind of subject."""

    seen: list[Any] = []

    def load(self, job: Job) -> dict[str, Any] | None:
        return None if job.payload.get("nothing") else job.payload

    async def perform(self, work: dict[str, Any]) -> str:
        if "error" in work:
            raise RuntimeError(work["error"])
        return f"did {work['n']}"

    def store(self, job: Job, work: dict[str, Any], result: str) -> None:
        self.seen.append(result)


@pytest.fixture(autouse=True)
def note() -> Iterator[type[Note]]:
    Note.seen = []
    with testing.registered("test.note", Note):
        yield Note


def state_of(job_id: int | None) -> str:
    return Job.objects.get(id=job_id).state


def test_jobs_run_in_the_order_of_their_times(note: type[Note]) -> None:
    now = clock.real_now()
    for n, minutes in ((1, 10), (2, 30), (3, 20)):
        actions.enqueue("test.note", {"n": n}, run_at=now - timedelta(minutes=minutes))
    actions.enqueue("test.note", {"n": 4}, run_at=now + HOUR)
    assert testing.run_due() == 3
    assert note.seen == ["did 2", "did 3", "did 1"]
    assert testing.run_all(2 * HOUR) == 1
    assert note.seen[-1] == "did 4"


def test_load_may_find_nothing_to_do(note: type[Note]) -> None:
    job_id = actions.enqueue("test.note", {"nothing": 1})
    assert testing.run_due() == 1
    assert (state_of(job_id), note.seen) == ("DONE", [])


def test_an_unknown_kind_is_refused_when_added() -> None:
    with pytest.raises(UnknownKind):
        actions.enqueue("test.nobody")


def test_one_waiting_job_per_dedupe_key_and_the_earlier_time_holds() -> None:
    now = clock.real_now()
    first = actions.enqueue("test.note", {"n": 1}, dedupe_key="k", run_at=now + HOUR)
    assert first is not None
    assert actions.enqueue("test.note", {"n": 2}, dedupe_key="k", run_at=now) is None
    assert actions.enqueue("test.note", {"n": 3}, dedupe_key="k", run_at=now + 2 * HOUR) is None
    assert Job.objects.get().run_at == now
    running.claim("a", 5)
    assert actions.enqueue("test.note", {"n": 4}, dedupe_key="k") is not None


def test_a_returning_job_gives_its_dedupe_key_to_the_one_that_waits() -> None:
    first = actions.enqueue("test.note", {"n": 1}, dedupe_key="k")
    (job,) = running.claim("a", 5)
    second = actions.enqueue("test.note", {"n": 2}, dedupe_key="k")
    running.hand_back(job)
    assert dict(Job.objects.values_list("id", "dedupe_key")) == {first: None, second: "k"}


def test_of_one_lock_only_one_runs_and_the_rest_of_the_batch_goes_on() -> None:
    for n in range(3):
        actions.enqueue("test.note", {"n": n}, lock_key="one")
    free = actions.enqueue("test.note", {"n": 9})
    jobs = running.claim("a", 10)
    assert [job.payload["n"] for job in jobs] == [0, 9]
    assert running.claim("b", 10) == []
    loaded = running.start(jobs[0])
    assert loaded is not None
    running.finish(loaded, "x")
    assert [job.payload["n"] for job in running.claim("b", 10)] == [1]
    assert state_of(free) == "RUNNING"


def test_the_lock_of_a_handler_is_made_of_subject_and_payload() -> None:
    with testing.registered("test.locked", type("Locked", (Note,), {}), lock="{place}:{subject}"):
        job_id = actions.enqueue("test.locked", {"n": 1, "place": "here"}, subject="scs1")
        assert Job.objects.get(id=job_id).lock_key == "here:scs1"
        Job.objects.all().delete()


def test_a_late_writer_is_turned_away(note: type[Note]) -> None:
    actions.enqueue("test.note", {"n": 1})
    (frozen,) = running.claim("frozen", 1, lease=timedelta(seconds=-1))
    loaded = running.start(frozen, timedelta(seconds=-1))
    assert loaded is not None
    (taken,) = running.claim("other", 1)
    assert (taken.id, taken.fence, taken.attempts) == (frozen.id, frozen.fence + 1, 2)
    with pytest.raises(LeaseLost):
        running.finish(loaded, "late")
    with pytest.raises(LeaseLost):
        running.start(frozen)
    running.fail(frozen, RuntimeError("late"))
    running.hand_back(frozen)
    assert (note.seen, state_of(frozen.id)) == ([], "RUNNING")
    again = running.start(taken)
    assert again is not None
    running.finish(again, "in time")
    assert (note.seen, state_of(frozen.id)) == (["in time"], "DONE")


def test_a_renewed_lease_is_not_taken_away() -> None:
    actions.enqueue("test.note", {"n": 1})
    (job,) = running.claim("a", 1, lease=timedelta(seconds=-1))
    until = clock.real_now() + HOUR
    assert queries.renew("a", [job.id], queries.Lease(until, until)) == {(job.id, job.fence)}
    assert queries.renew("b", [job.id], queries.Lease(until, until)) == set()
    assert queries.renew("b", [], queries.Lease(until, until)) == set()
    assert running.claim("b", 1) == []


def test_an_error_is_seen_and_the_job_waits_longer_each_time() -> None:
    job_id = actions.enqueue("test.note", {"error": "no route to host"})
    assert testing.run_due() == 1
    job = Job.objects.get(id=job_id)
    assert (job.state, job.attempts, job.last_error) == ("READY", 1, "RuntimeError: no route to host")
    assert job.run_at > clock.real_now()
    testing.run_all(10 * HOUR)
    assert (state_of(job_id), Job.objects.get(id=job_id).attempts) == ("FAILED", 20)


def test_a_strict_run_lets_the_error_through() -> None:
    actions.enqueue("test.note", {"error": "broken"})
    with pytest.raises(RuntimeError, match="broken"):
        testing.run_due(strict=True)


class Refusing(registry.Handler[int, None]):
    told: list[str] = []
    error: Exception = Permanent("The order is closed.")

    def load(self, job: Job) -> int:
        return 1

    def store(self, job: Job, work: int, result: None) -> None:
        Job.objects.filter(id=job.id).update(subject="written")
        raise self.error

    def failed(self, job: Job, error: BaseException) -> None:
        self.told.append(str(error))


def test_a_permanent_error_ends_the_job_and_tells_its_handler() -> None:
    Refusing.told = []
    with testing.registered("test.refusing", Refusing):
        job_id = actions.enqueue("test.refusing")
        testing.run_due()
    job = Job.objects.get(id=job_id)
    assert (job.state, job.last_error, job.subject) == ("FAILED", "The order is closed.", "")
    assert Refusing.told == ["The order is closed."]


def test_a_handler_may_ask_for_its_own_wait() -> None:
    with testing.registered("test.refusing", type("Later", (Refusing,), {"error": RetryAfter(1800)})):
        job_id = actions.enqueue("test.refusing")
        testing.run_due()
    wait = Job.objects.get(id=job_id).run_at - clock.real_now()
    assert timedelta(minutes=29) < wait <= timedelta(minutes=30)


def test_a_broken_failed_hook_does_not_keep_the_job_alive() -> None:
    def failed(self: object, job: Job, error: BaseException) -> None:
        raise KeyError("hook")

    with testing.registered("test.refusing", type("Broken", (Refusing,), {"failed": failed})):
        job_id = actions.enqueue("test.refusing")
        testing.run_due()
    assert state_of(job_id) == "FAILED"
    assert "failed() raised: KeyError" in Job.objects.get(id=job_id).last_error


def test_a_job_that_ends_every_worker_is_given_up() -> None:
    job_id = actions.enqueue("test.note", {"n": 1}, max_attempts=2)
    for _ in range(2):
        running.claim("doomed", 1, lease=timedelta(seconds=-1))
    assert testing.run_due() == 1
    assert "stopped half-way" in Job.objects.get(id=job_id).last_error
    assert state_of(job_id) == "FAILED"


def test_a_handed_back_job_loses_no_attempt() -> None:
    job_id = actions.enqueue("test.note", {"n": 1})
    (job,) = running.claim("a", 1)
    running.hand_back(job)
    assert (state_of(job_id), Job.objects.get(id=job_id).attempts) == ("READY", 0)


def test_a_topic_puts_one_job_per_subscriber_into_the_table() -> None:
    registry.subscribe("test.topic", "test.note")
    registry.subscribe("test.topic", "test.note")
    actions.emit("test.topic", "scs1", n=5)
    actions.emit("test.silence", "scs1")
    job = Job.objects.get()
    assert (job.kind, job.subject, job.payload) == ("test.note", "scs1", {"subject": "scs1", "n": 5})


def test_a_period_has_one_job_whatever_the_number_of_workers() -> None:
    registry.discover()
    registry.periodic("test.note", 3600)
    now = clock.real_now()
    actions.fire_schedules(now)
    jobs = Job.objects.filter(kind="test.note")
    assert jobs.count() == 1
    jobs.update(state=State.DONE)
    actions.fire_schedules(now + timedelta(minutes=59))
    assert not jobs.filter(state=State.READY).exists()
    planned = Schedule.objects.get(name="test.note").next_at
    assert queries.advance("test.note", planned, planned + HOUR, now)
    assert not queries.advance("test.note", planned, planned + HOUR, now)
    actions.fire_schedules(now + timedelta(hours=5))
    assert jobs.filter(state=State.READY).count() == 1
    assert Schedule.objects.get(name="test.note").next_at == now + timedelta(hours=6)


def test_a_clock_set_back_does_not_stop_the_schedule() -> None:
    registry.periodic("test.note", 60)
    now = clock.real_now()
    Schedule.objects.create(name="test.note", next_at=now + 48 * HOUR)
    actions.fire_schedules(now)
    assert Job.objects.filter(kind="test.note").count() == 1
    assert Schedule.objects.get(name="test.note").next_at == now + timedelta(seconds=60)


def test_what_must_run_at_a_start_is_added_once() -> None:
    registry.periodic("test.note", 3600, at_start=True)
    actions.fire_at_start()
    actions.fire_at_start()
    assert Job.objects.filter(kind="test.note").count() == 1


def test_finished_jobs_leave_after_a_week_a_hundred_at_a_time() -> None:
    old, young = clock.real_now() - timedelta(days=8), clock.real_now() - timedelta(days=6)
    for finished, state, count in ((old, State.DONE, 205), (young, State.DONE, 3), (old, State.FAILED, 2)):
        Job.objects.bulk_create(
            Job(kind="test.note", state=state, run_at=finished, created_at=finished, finished_at=finished)
            for _ in range(count)
        )
    actions.enqueue("jobs.prune")
    assert testing.run_all(timedelta(seconds=1)) == 3
    assert Job.objects.filter(kind="test.note").count() == 5


def test_what_is_on_a_page() -> None:
    actions.enqueue("test.note", {"n": 1}, subject="scs1")
    assert [job.subject for job in queries.about("scs1")] == ["scs1"]
    assert queries.counts() == {"READY": 1, "RUNNING": 0, "FAILED": 0}


def test_a_failed_job_can_be_started_again_by_a_person() -> None:
    alice = Principal("a", "u", "alice", Via.CONSOLE)
    job_id = actions.enqueue("test.note", {"error": "broken"}, max_attempts=1, dedupe_key="k")
    testing.run_due()
    assert job_id is not None
    actions.retry(alice, job_id)
    assert (state_of(job_id), Job.objects.get(id=job_id).attempts) == ("READY", 0)
    assert Event.objects.get(action="jobs.retry").resource == f"job:{job_id}"
    with pytest.raises(WrongState):
        actions.retry(alice, job_id)
    testing.run_due()
    actions.enqueue("test.note", {"n": 1}, dedupe_key="k")
    with pytest.raises(WrongState):
        actions.retry(alice, job_id)


def test_a_periodic_job_needs_a_handler() -> None:
    registry.discover()
    registry.periodic("test.nobody", 60)
    try:
        with pytest.raises(ValueError, match="without a handler"):
            actions.fire_schedules(clock.real_now())
    finally:
        del registry.periods["test.nobody"]


def test_a_kind_has_one_handler() -> None:
    with pytest.raises(ValueError, match="two handlers"):
        registry.handler("test.note")(Note)


def test_a_job_acts_with_the_rights_its_user_has_when_it_runs() -> None:
    iam.ensure_system_policies()
    account = iam.create_account("first")
    user = iam.create_user(account, "alice", None, ["admins"])
    job = Job(kind="test.note", payload={"user_id": user.id})
    principal = rights.require(job, "scm:cert:delete")
    assert (principal.user_id, principal.via) == (user.id, Via.JOB)
    user.groups.clear()
    with pytest.raises(Forbidden):
        rights.require(job, "scm:cert:delete")
    user.is_active = False
    user.save()
    with pytest.raises(Permanent, match="gone or switched off"):
        rights.principal_for(job)
    house = rights.principal_for(Job(kind="test.note", payload={"account_id": account.id}))
    assert (house.actor, house.account_id) == ("job:test.note", account.id)


def test_a_claim_takes_no_more_than_its_limit_whatever_the_plan() -> None:
    """PostgreSQL may run a subquery again for every row; each run then locks and takes one more job."""
    for n in range(5):
        actions.enqueue("test.note", {"n": n})
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for method in ("hashjoin", "mergejoin", "hashagg", "material", "sort"):
                cursor.execute(f"SET LOCAL enable_{method} = off")
    now = clock.real_now()
    assert len(queries.claim("first", now, queries.Lease(now + HOUR, now), 2)) == 2
    assert len(queries.claim_expired("second", now + 2 * HOUR, queries.Lease(now + 3 * HOUR, now), 1)) == 1
    assert Job.objects.filter(state=State.RUNNING).count() == 2
