"""The machine looks every half minute what is to be replaced, and goes on with what has begun."""

from certdesk.foundation.common import clock
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic, subscribe
from certdesk.lifecycle.issuance.followup import REPLACED, ROLLOVER_FAILED
from certdesk.lifecycle.notifications import successions

from . import planning, succeeding, succession, working

LOOK = "renewal.look"
FAILED = "renewal.rollover_failed"
SUCCEED = "renewal.succeed"
EVERY = 30  # seconds


@handler(LOOK, lock=LOOK, max_attempts=3)
class Look(Handler[bool, None]):
    """Opens what is due and sends what can go on; a full batch looks again at once."""

    def load(self, job: Job) -> bool | None:
        now = clock.now()
        if max(planning.begin(now), planning.send_ready(now)) >= planning.BATCH:
            jobs.enqueue(LOOK, {"again": True}, dedupe_key=f"{LOOK}:again")
        return None


@handler(planning.STEP, lock="renewal:{renewal}")
class Step(Handler[bool, None]):
    """One renewal; whatever a kill took is found again by the next look."""

    def load(self, job: Job) -> bool | None:
        working.advance(int(job.payload["renewal"]), clock.now())
        return None


@handler(FAILED)
class RolloverFailed(Handler[bool, None]):
    """A refusal is written down at once, not with the next look."""

    def load(self, job: Job) -> bool | None:
        planning.send_ready(clock.now())
        return None


@handler(SUCCEED)
class Succeed(Handler[bool, None]):
    """A certificate that was bought to renew another takes its place where the policy says so (REN-3)."""

    def load(self, job: Job) -> bool | None:
        succeeding.begin(str(job.payload["subject"]))
        return None


subscribe(ROLLOVER_FAILED, FAILED)
subscribe(REPLACED, SUCCEED)
successions.register(succession.of)
periodic(LOOK, EVERY, at_start=True)
