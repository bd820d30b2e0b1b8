"""Looks every quarter of an hour whose weekly mail is due."""

from certdesk.foundation.common import clock
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic

from . import mailing

LOOK = "overview.look"
DUE = "overview.mail_due"
EVERY = 900  # seconds


@handler(LOOK)
class Look(Handler[tuple[list[str], str], None]):
    """One page of users; the next one is a job of its own."""

    def load(self, job: Job) -> tuple[list[str], str] | None:
        users, more = mailing.due(str(job.payload.get("after", "")), clock.now())
        return (users, more) if users or more else None

    def store(self, job: Job, work: tuple[list[str], str], result: None) -> None:
        users, more = work
        for user_id in users:
            jobs.emit(DUE, user_id)
        if more:
            jobs.enqueue(LOOK, {"after": more}, dedupe_key=f"{LOOK}:{more}")


periodic(LOOK, EVERY, at_start=True)
