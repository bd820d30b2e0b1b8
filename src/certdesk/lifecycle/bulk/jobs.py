"""Bulk actions in batches: a job each, which asks for the next; a worker that dies leaves whole batches."""

from certdesk.foundation.common import clock
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler

from . import actions, queries
from .models import BulkAction, State


class _Batch(Handler[BulkAction, None]):
    state: State

    def load(self, job: Job) -> BulkAction | None:
        return queries.open_one(job.subject, self.state)

    def failed(self, job: Job, error: BaseException) -> None:
        actions.give_up(job.subject, clock.now())


@handler(actions.LOOK, lock="bulk:{subject}", max_attempts=5)
class Look(_Batch):
    """Judges the next certificates of the selection."""

    state = State.LOOKING

    def store(self, job: Job, work: BulkAction, result: None) -> None:
        actions.look(rights.principal_for(job), work, clock.now())


@handler(actions.RUN, lock="bulk:{subject}", max_attempts=5)
class Run(_Batch):
    """Does the next certificates; the right of each is asked again."""

    state = State.RUNNING

    def store(self, job: Job, work: BulkAction, result: None) -> None:
        actions.run(rights.principal_for(job), work, clock.now())
