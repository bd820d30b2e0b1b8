"""Writing and removing one value: every way in which a provider's no, a kill or a lost right can end."""

from typing import Any

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.validation import automatic, automatic_work, automatic_write
from certdesk.lifecycle.validation.automatic_work import LONGEST_PAUSE, Failed
from certdesk.lifecycle.validation.models import (
    AutomaticRecord,
    AutomaticStep,
    Challenge,
    DnsConnection,
    RecordState,
)
from tests.support.desk import Desk

NOT_NOW = Failed("The provider is busy.", "Wait.", False)
NEVER = Failed("The key is wrong.", "Correct it.", True)
WORK: Any = object()


@pytest.fixture
def record(desk: Desk) -> AutomaticRecord:
    """A value that is planned for an application's challenge."""
    certificate_id = desk.buy()
    application = desk.apply(certificate_id, domain="example.com")
    Application.objects.filter(id=application).update(auto_dns=True)
    challenge = Challenge.objects.get()
    now = clock.now()
    connection = DnsConnection.objects.create(
        id="c" * 32,
        account_id=desk.account.id,
        kind="rfc2136",
        label="ours",
        secret_id="",
        created_by=desk.alice.user_id,
        created_at=now,
        updated_at=now,
    )
    return AutomaticRecord.objects.create(
        account_id=desk.account.id,
        certificate_id=certificate_id,
        application_id=application,
        challenge_id=challenge.id,
        connection_id=connection.id,
        zone="example.com",
        name=challenge.record_name,
        record_type="TXT",
        value=challenge.value,
        created_at=now,
    )


def job(record: AutomaticRecord, attempts: int = 1, **payload: object) -> Job:
    given = {"record": record.id, "user_id": User.objects.get().id, **payload}
    return Job(kind=automatic.WRITE, payload=given, attempts=attempts, subject=record.certificate_id)


def waiting(kind: str) -> list[Job]:
    return list(Job.objects.filter(kind=kind, state="READY"))


WRITE, REMOVE = automatic_write.Write(), automatic_write.Remove()


def test_nothing_is_written_that_nobody_waits_for(record: AutomaticRecord) -> None:
    Challenge.objects.update(value="another value")
    assert WRITE.load(job(record)) is None
    AutomaticRecord.objects.update(state=RecordState.REMOVED)
    assert WRITE.load(job(record)) is None
    assert WRITE.load(Job(payload={"record": 0})) is None
    WRITE.store(job(record), WORK, True)
    assert AutomaticRecord.objects.get().state == RecordState.REMOVED


def test_a_lost_right_ends_it_and_what_may_stand_is_removed(record: AutomaticRecord) -> None:
    assert WRITE.load(job(record)) is None  # the user of the row has no policy at all
    assert AutomaticRecord.objects.get().problem == "The right to write it is gone."
    assert len(waiting(automatic.REMOVE)) == 1


def test_the_connection_is_read_only_for_who_may(
    record: AutomaticRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automatic_write, "refused", lambda *_: False)
    monkeypatch.setattr(automatic_work.dialing, "options_of", lambda _: {"server": "192.0.2.1"})
    change = WRITE.load(job(record))
    assert change is not None
    assert (change.name, change.source.label) == ("_dnsauth.example.com", "ours")
    DnsConnection.objects.all().delete()
    assert WRITE.load(job(record)) is None


@pytest.mark.parametrize(("result", "said"), [(True, "was added"), (False, "stood there already")])
def test_a_written_value_is_waited_for(record: AutomaticRecord, result: bool, said: str) -> None:
    WRITE.store(job(record), WORK, result)
    kept = AutomaticRecord.objects.get()
    assert (kept.state, kept.written_at is None) == (RecordState.THERE, False)
    assert said in AutomaticStep.objects.get().sentence
    assert len(waiting(automatic.WAIT)) == 1


def test_a_no_for_now_is_tried_again_with_growing_pauses(record: AutomaticRecord) -> None:
    pauses = []
    for tries in (0, 1, 2):
        Job.objects.filter(kind=automatic.WRITE).delete()
        WRITE.store(job(record, tries=tries), WORK, NOT_NOW)
        again = waiting(automatic.WRITE)[0]
        assert again.payload["tries"] == tries + 1
        pauses.append(round((again.run_at - clock.real_now()).total_seconds(), -1))
    assert pauses == [20, 40, 80]
    assert AutomaticRecord.objects.get().state == RecordState.PLANNED


def test_the_last_try_gives_up_and_leaves_the_manual_way(record: AutomaticRecord) -> None:
    WRITE.store(job(record, tries=automatic_write.MOST_WRITES - 1), WORK, NOT_NOW)
    assert AutomaticRecord.objects.get().problem == NOT_NOW.sentence
    assert automatic_work.MANUAL in AutomaticStep.objects.get().next_step
    assert (len(waiting(automatic.WRITE)), len(waiting(automatic.REMOVE))) == (0, 1)


def test_a_first_no_for_good_left_nothing_a_later_one_may_have(record: AutomaticRecord) -> None:
    WRITE.store(job(record, attempts=2), WORK, NEVER)  # the run before may have written it
    assert len(waiting(automatic.REMOVE)) == 1
    Job.objects.filter(kind=automatic.REMOVE).delete()
    AutomaticRecord.objects.update(problem="")
    WRITE.store(job(record), WORK, NEVER)
    assert AutomaticRecord.objects.get().state == RecordState.REMOVED
    assert not waiting(automatic.REMOVE)


def test_a_job_that_fails_gives_up_once(record: AutomaticRecord) -> None:
    WRITE.failed(job(record), RuntimeError("broken"))
    assert AutomaticRecord.objects.get().problem == "broken"
    AutomaticRecord.objects.update(state=RecordState.REMOVED, problem="")
    WRITE.failed(job(record), RuntimeError("broken"))
    assert AutomaticRecord.objects.get().problem == ""


def test_what_is_wanted_or_gone_is_not_removed(
    record: AutomaticRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automatic_work.dialing, "options_of", lambda _: {})
    assert REMOVE.load(job(record)) is None
    AutomaticRecord.objects.update(problem="given up")
    assert REMOVE.load(job(record)) is not None
    AutomaticRecord.objects.update(state=RecordState.REMOVED)
    assert REMOVE.load(job(record)) is None
    REMOVE.store(job(record), WORK, True)
    assert AutomaticRecord.objects.get().removed_at is None


def test_a_removal_is_tried_until_it_works(record: AutomaticRecord) -> None:
    AutomaticRecord.objects.update(state=RecordState.THERE)
    for _ in range(12):
        REMOVE.store(job(record), WORK, NOT_NOW)
    kept = AutomaticRecord.objects.get()
    assert (kept.tries, kept.problem) == (12, NOT_NOW.sentence)
    assert kept.next_try_at is not None
    assert kept.next_try_at - clock.real_now() <= LONGEST_PAUSE
    assert "tried again by itself" in AutomaticStep.objects.get().next_step
    REMOVE.store(job(record), WORK, True)
    kept = AutomaticRecord.objects.get()
    assert (kept.state, kept.problem) == (RecordState.REMOVED, "")
    assert "was removed again" in AutomaticStep.objects.order_by("-id")[0].sentence


def test_an_unconfirmed_write_is_looked_after_once_more(record: AutomaticRecord) -> None:
    REMOVE.store(job(record), WORK, False)  # not there: it may come late
    kept = AutomaticRecord.objects.get()
    assert (kept.state, kept.tries, kept.next_try_at is None) == (RecordState.PLANNED, 1, False)
    REMOVE.store(job(record), WORK, False)
    assert AutomaticRecord.objects.get().state == RecordState.REMOVED
    assert not AutomaticStep.objects.exists()


def test_a_renewed_value_begins_anew_once_the_old_one_is_gone(record: AutomaticRecord) -> None:
    Challenge.objects.update(value="a renewed value")
    AutomaticRecord.objects.update(state=RecordState.THERE)
    REMOVE.store(job(record), WORK, True)
    assert len(waiting(automatic.FIND)) == 1
