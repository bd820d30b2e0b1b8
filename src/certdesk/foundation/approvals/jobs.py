"""Runs approved requests; closes those that nobody decided."""

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.errors import Permanent
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.foundation.jobs.rules import describe

from . import actions, registry, rules
from .models import Request, State


@handler("approvals.run", lock="approval:{request_id}")
class Run(Handler[Request, None]):
    """Gives the frozen request to its executor, once, for the person who asked."""

    def load(self, job: Job) -> Request | None:
        return Request.objects.filter(id=job.payload["request_id"], state=State.APPROVED).first()

    def store(self, job: Job, work: Request, result: None) -> None:
        if rules.frozen_hash(work.operation, work.payload) != work.request_hash:
            raise Permanent("The request is not the one that was approved: its content has changed.")
        run = registry.executors.get(work.operation)
        if run is None:
            raise Permanent(f"Nothing here can carry out {work.operation}.")
        principal = rights.principal_of_user(work.requester_id)
        actions.close(principal, work, State.DONE, run(work, principal, clock.now()))

    def failed(self, job: Job, error: BaseException) -> None:
        request = Request.objects.filter(id=job.payload["request_id"]).first()
        if request is not None:
            actions.close(
                system_principal(request.account_id, job.kind), request, State.FAILED, describe(error)
            )


@handler("approvals.expire", lock="approvals.expire")
class Expire(Handler[bool, None]):
    """Business time decides what has expired; this job only looks every ten minutes."""

    def load(self, job: Job) -> bool:
        actions.expire(clock.now())
        return True


periodic("approvals.expire", 600)
