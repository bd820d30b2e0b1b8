"""Runs approved requests; closes those that nobody decided or fetched."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs.errors import Permanent
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.foundation.jobs.rules import describe

from . import actions, persons, registry, rules
from .errors import Void
from .models import Request, State
from .rules import Target


@handler("approvals.run", lock="approval:{request_id}")
class Run(Handler[Request, None]):
    """Carries out the frozen request, once, for the person who asked.

    Effect, end of the request and end of the job are one transaction: killed before it, another worker runs
    it; killed after it, there is nothing left to do.
    """

    def load(self, job: Job) -> Request | None:
        found = Request.objects.select_for_update()
        return found.filter(id=job.payload["request_id"], state=State.APPROVED).first()

    def store(self, job: Job, work: Request, result: None) -> None:
        now = clock.now()
        executor = registry.find(work.operation)
        asked = persons.requester(work)
        _check_frozen(work, _target(executor, work, asked))
        persons.check_approvals(work)
        outcome = executor.run(work, asked, now)
        state = State.READY if outcome.ready else State.DONE
        actions.finish(asked, work, state, now, outcome.text)

    def failed(self, job: Job, error: BaseException) -> None:
        request = Request.objects.filter(id=job.payload["request_id"], state=State.APPROVED).first()
        if request is not None:
            state = State.VOID if isinstance(error, Void) else State.FAILED
            by = system_principal(request.account_id, job.kind)
            actions.finish(by, request, state, clock.now(), describe(error))


def _target(executor: registry.Executor, request: Request, asked: Principal) -> Target:
    try:
        return executor.target(request, asked)
    except CertdeskError as refusal:
        raise Void(str(refusal)) from None


def _check_frozen(request: Request, target: Target) -> None:
    """Raises:
    Permanent: somebody changed the stored request. Void: the target is not as it was.
    """
    then = Target(target.type, target.id, request.target_version, request.summary)
    if (
        rules.frozen_hash(request.account_id, request.operation, request.payload, then)
        != request.request_hash
    ):
        raise Permanent("The request is not the one that was approved: its content has changed.")
    if (target.version, target.summary) != (request.target_version, request.summary):
        raise Void("What it is about has changed since it was asked for.")


@handler("approvals.expire", lock="approvals.expire")
class Expire(Handler[bool, None]):
    """Business time decides what has expired; this job only looks every ten minutes."""

    def load(self, job: Job) -> bool:
        actions.expire(clock.now())
        return True


periodic("approvals.expire", 600)
