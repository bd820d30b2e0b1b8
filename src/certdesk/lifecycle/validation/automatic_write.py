"""Automatic DNS: adds a value beside others and takes exactly that one away again (DOM-7)."""

from django.db.models import F

from certdesk.foundation.common import clock
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler
from certdesk.lifecycle.applications.models import ApplicationState

from . import automatic, dialing
from .automatic_work import (
    AGAIN,
    LOCK,
    LONGEST_PAUSE,
    MANUAL,
    Failed,
    ToChange,
    change_of,
    domain_of,
    note_in_audit,
    record_of,
    refused,
    tried,
)
from .models import AutomaticRecord, Challenge, RecordState

MOST_WRITES = 8


@handler(automatic.WRITE, max_attempts=8, lock=LOCK)
class Write(Handler[ToChange, "bool | Failed"]):
    """Adds the value beside others; the row that says so was committed by `Find`."""

    def load(self, job: Job) -> ToChange | None:
        record = record_of(job)
        if (
            record is None
            or record.state != RecordState.PLANNED
            or not automatic.is_wanted(record, clock.now())
        ):
            return None
        if refused(job, record.application_id, record.account_id):
            # not simply dropped: an earlier run may have written it and been killed before it could say so
            AutomaticRecord.objects.filter(id=record.id).update(problem="The right to write it is gone.")
            automatic.enqueue_remove(record)
            return None
        return change_of(record)

    async def perform(self, work: ToChange) -> "bool | Failed":
        return await tried(lambda: _add(work))

    def store(self, job: Job, work: ToChange, result: "bool | Failed") -> None:
        record = record_of(job)
        if record is None or record.state != RecordState.PLANNED:
            return
        domain = domain_of(record)
        if isinstance(result, Failed):
            tries = int(job.payload.get("tries", 0)) + 1
            if result.permanent and tries == 1 and job.attempts <= 1:
                _never_written(record, domain, result)
            elif result.permanent or tries >= MOST_WRITES:
                _give_up(record, domain, result)
            else:
                _tell(record, domain, result)
                automatic.enqueue_write(
                    record, {**job.payload, "tries": tries}, AGAIN * 2 ** min(tries - 1, 5)
                )
            return
        AutomaticRecord.objects.filter(id=record.id).update(
            state=RecordState.THERE, written_at=clock.real_now(), problem=""
        )
        said = "was added" if result else "stood there already"
        sentence = f"The {record.record_type} value at {record.name} {said} (TTL {automatic.TTL})."
        automatic.note(record.application_id, domain, "WRITE", good=True, sentence=sentence)
        note_in_audit(record, "dns:recordset:create")
        automatic.enqueue_wait(record, 0)

    def failed(self, job: Job, error: BaseException) -> None:
        record = record_of(job)
        if record is not None and record.state == RecordState.PLANNED:
            failed = Failed(str(error)[:500], "Look at the DNS connection and test it.", True)
            _give_up(record, domain_of(record), failed)


async def _add(work: ToChange) -> bool:
    provider = dialing.provider_for(work.source.kind, work.source.options)
    return await provider.add_value(work.zone, work.name, work.record_type, work.value, automatic.TTL)


def _never_written(record: AutomaticRecord, domain: str, failed: Failed) -> None:
    """The first and only try was refused: nothing stands in the zone, so there is nothing to remove."""
    _tell(record, domain, failed)
    AutomaticRecord.objects.filter(id=record.id).update(
        state=RecordState.REMOVED, removed_at=clock.real_now(), problem=failed.sentence[:2000]
    )


def _give_up(record: AutomaticRecord, domain: str, failed: Failed) -> None:
    """The manual way stays; what may have been written after all is removed."""
    _tell(record, domain, failed)
    AutomaticRecord.objects.filter(id=record.id).update(problem=failed.sentence[:2000])
    automatic.enqueue_remove(record)


def _tell(record: AutomaticRecord, domain: str, failed: Failed) -> None:
    step = " ".join(part for part in (failed.next_step, MANUAL) if part)
    automatic.note(
        record.application_id, domain, "WRITE", good=False, sentence=failed.sentence, next_step=step
    )


@handler(automatic.REMOVE, max_attempts=8, lock=LOCK)
class Remove(Handler[ToChange, "bool | Failed"]):
    """Takes exactly our value away, whatever else stands there. The house does it, by duty."""

    def load(self, job: Job) -> ToChange | None:
        record = record_of(job)
        if record is None or record.state == RecordState.REMOVED:
            return None
        if not record.problem and automatic.is_wanted(record, clock.now()):
            return None
        return change_of(record)

    async def perform(self, work: ToChange) -> "bool | Failed":
        return await tried(lambda: _take(work))

    def store(self, job: Job, work: ToChange, result: "bool | Failed") -> None:
        record = record_of(job)
        if record is None or record.state == RecordState.REMOVED:
            return
        if isinstance(result, Failed):
            _remove_later(record, result)
        else:
            _removed(record, result)


async def _take(work: ToChange) -> bool:
    provider = dialing.provider_for(work.source.kind, work.source.options)
    return await provider.remove_value(work.zone, work.name, work.record_type, work.value)


def _remove_later(record: AutomaticRecord, failed: Failed) -> None:
    """It is tried until it works; the reason is shown beside the connection and on the certificate."""
    pause = min(AGAIN * 2 ** min(record.tries, 10), LONGEST_PAUSE)
    AutomaticRecord.objects.filter(id=record.id).update(
        tries=F("tries") + 1, next_try_at=clock.real_now() + pause, problem=failed.sentence[:2000]
    )
    step = f"{failed.next_step} It is tried again by itself.".strip()
    automatic.note(
        record.application_id,
        domain_of(record),
        "REMOVE",
        good=False,
        sentence=failed.sentence,
        next_step=step,
    )


def _removed(record: AutomaticRecord, was_there: bool) -> None:
    """Gone; a write that was never confirmed is looked after once more, later."""
    unconfirmed = record.state == RecordState.PLANNED and record.tries == 0 and not was_there
    if unconfirmed:
        AutomaticRecord.objects.filter(id=record.id).update(
            tries=1, next_try_at=clock.real_now() + automatic.LATE_WRITE
        )
        return
    AutomaticRecord.objects.filter(id=record.id).update(
        state=RecordState.REMOVED, removed_at=clock.real_now(), problem=""
    )
    note_in_audit(record, "dns:recordset:delete")
    _begin_renewed(record)
    if was_there:
        sentence = f"The {record.record_type} value at {record.name} was removed again."
        automatic.note(record.application_id, domain_of(record), "REMOVE", good=True, sentence=sentence)


def _begin_renewed(record: AutomaticRecord) -> None:
    """The value was too old and another one is asked for now (DOM-11): that one is to be written too."""
    renewed = Challenge.objects.filter(
        id=record.challenge_id, verified_at__isnull=True, application__state=ApplicationState.OPEN
    ).exclude(value=record.value)
    for challenge in renewed.select_related("application"):
        if challenge.application is not None:
            automatic.begin(challenge.application)
