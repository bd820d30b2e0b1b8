"""Orders that count against no limit of a CA any more are forgotten."""

from datetime import timedelta

from certdesk.foundation.common import clock
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic

from . import limits

FORGET = "issuance.forget_counted"
EVERY = 3600.0  # seconds; what stays longer counts no more all the same
PAUSE = timedelta(milliseconds=2)


@handler(FORGET, lock=FORGET)
class ForgetCounted(Handler[bool, None]):
    """100 of them, then it adds itself again while there are more (law 13)."""

    def load(self, job: Job) -> bool | None:
        return limits.forget(clock.real_now()) == limits.CHUNK or None

    def store(self, job: Job, work: bool, result: None) -> None:
        jobs.enqueue(FORGET, run_at=clock.real_now() + PAUSE, dedupe_key=FORGET)


periodic(FORGET, EVERY)
