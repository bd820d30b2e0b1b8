"""The workers' looks at names proved ahead of any order: until seen, or until the value is too old."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Resource
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.errors import Permanent
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler
from certdesk.foundation.jobs.rules import describe

from . import ahead, proofs, rules
from .perspectives import Look, Sight, look_all

LOOK_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Work:
    looks: tuple[Look, ...]
    now: datetime


@handler(ahead.JOB, max_attempts=1_000_000, lock="validation-ahead:{challenge}")
class ProveAhead(Handler[Work, list[Sight]]):
    """One look; the next one is planned as for the names of applications (DOM-11)."""

    def load(self, job: Job) -> Work | None:
        challenge, now = proofs.lock_ahead(int(job.payload["challenge"])), clock.now()
        if challenge is None or challenge.verified_at or rules.value_is_old(challenge.value_made_at, now):
            return None
        asker = rights.principal_of_user(challenge.asked_by, challenge.account_id)  # he may have lost it
        asker.require(ahead.PROVE, Resource("domain", "", challenge.account_id))
        return Work(proofs.looks([challenge]), now)

    async def perform(self, work: Work) -> list[Sight]:
        return await look_all(work.looks, work.now, deadline=LOOK_SECONDS)

    def store(self, job: Job, work: Work, result: list[Sight]) -> None:
        waiting = ahead.store(int(job.payload["challenge"]), result, clock.now())
        if waiting is not None:
            ahead.schedule(waiting, waiting.next_check_at or clock.real_now() + rules.FIRST_DELAY)

    def failed(self, job: Job, error: BaseException) -> None:
        if isinstance(error, CertdeskError | Permanent):
            ahead.tell_end(int(job.payload["challenge"]), describe(error), clock.now())
