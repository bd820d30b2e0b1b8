"""Looks every hour which certificates come to a stage of their end, and tells people once (NTF-1)."""

from certdesk.foundation.common import clock
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic

from . import actions, queries
from .queries import Candidate

LOOK = "notifications.look"
TELL = "notifications.tell"
BATCH = 100  # law 13: rows of one transaction
EVERY = 3_600  # seconds


@handler(LOOK)
class Look(Handler[list[str], None]):
    """One job an account."""

    def load(self, job: Job) -> list[str] | None:
        return queries.accounts() or None

    def store(self, job: Job, work: list[str], result: None) -> None:
        for account_id in work:
            jobs.enqueue(TELL, {"account_id": account_id}, dedupe_key=f"{TELL}:{account_id}")


@handler(TELL, lock="notifications:{account_id}")
class Tell(Handler[list[Candidate], None]):
    """One page of certificates; the next one is a job of its own."""

    def load(self, job: Job) -> list[Candidate] | None:
        after = (int(job.payload.get("expiry", 0)), str(job.payload.get("id", "")))
        found = queries.near_their_end(job.payload["account_id"], clock.now(), after, BATCH)
        return found or None

    def store(self, job: Job, work: list[Candidate], result: None) -> None:
        now = clock.now()
        for one in work:
            stage = one.due(now)
            if stage is not None:
                actions.tell(one, stage, now)
        if len(work) == BATCH:
            last = work[-1]
            payload = {
                "account_id": last.account_id,
                "expiry": clock.to_micros(last.not_after),
                "id": last.id,
            }
            jobs.enqueue(TELL, payload, dedupe_key=f"{TELL}:{last.account_id}:{last.id}")


periodic(LOOK, EVERY, at_start=True)
