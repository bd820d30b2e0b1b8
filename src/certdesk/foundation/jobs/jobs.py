"""The room's own job: old finished jobs leave the table."""

from datetime import timedelta

from certdesk.foundation.common import clock
from certdesk.foundation.iam import assuming, links, throttle, tokens
from certdesk.foundation.iam import requests as signed_requests

from . import queries
from .actions import enqueue
from .models import Job
from .registry import Handler, handler, periodic

KEPT = timedelta(days=7)
CHUNK = 100
PAUSE = timedelta(milliseconds=2)


@handler("jobs.prune", lock="jobs.prune")
class Prune(Handler[bool, None]):
    """Deletes at most 100 rows, then adds itself again while there are more (law 13)."""

    def load(self, job: Job) -> bool | None:
        return queries.prune(clock.real_now() - KEPT, CHUNK) == CHUNK or None

    def store(self, job: Job, work: bool, result: None) -> None:
        enqueue("jobs.prune", run_at=clock.real_now() + PAUSE, dedupe_key="jobs.prune")


@handler("iam.prune", lock="iam.prune")
class PruneRequests(Handler[bool, None]):
    """Used signatures and Idempotency-Keys leave when they have run out; iam stands below this room."""

    def load(self, job: Job) -> bool | None:
        now = clock.real_now()
        gone = [signed_requests.prune(now), tokens.prune(now), throttle.prune(now), links.prune(now)]
        gone.append(assuming.prune(now))
        return max(gone) >= CHUNK or None

    def store(self, job: Job, work: bool, result: None) -> None:
        enqueue("iam.prune", run_at=clock.real_now() + PAUSE, dedupe_key="iam.prune")


periodic("jobs.prune", 3600)
periodic("iam.prune", 60)
