"""The workers of desired state: what follows a newer version, and who looks whether it is still served."""

from collections import defaultdict
from datetime import timedelta

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.errors import Permanent
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic, subscribe
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance.followup import REPLACED

from . import actions, following, looking, reconciling
from .looking import Found, ToLook
from .models import Target
from .states import Cause

RECONCILE = "deployment.reconcile"
EVERY = 60  # seconds


@handler(following.FOLLOW, lock=following.FOLLOW + ":{subject}")
class Follow(Handler[bool, None]):
    """A certificate has a new version (reissue, further names): it goes where the old one is wanted."""

    def load(self, job: Job) -> bool | None:
        certificate = Certificate.objects.filter(id=str(job.payload["subject"])).first()
        places = following.behind(certificate) if certificate is not None else []
        if certificate is not None and places and following.possible(certificate, places):
            following.send(certificate, places, Cause.FOLLOW)
        return None


@handler(following.REDEPLOY)
class Redeploy(Handler[bool, None]):
    """Deploys for whoever deployed there last, if he still may."""

    def load(self, job: Job) -> bool | None:
        places, busy = following.still(job.payload)
        if places:
            principal = rights.principal_for(job)
            started = actions.deploy_to(
                principal, str(job.payload["certificate"]), places, cause=Cause(job.payload["cause"])
            )
            by_reason: dict[str, list[str]] = defaultdict(list)
            for one, why in started.refused:
                by_reason[why].append(one)
            busy += by_reason.pop(actions.BUSY, [])
            for why, refused in by_reason.items():
                following.refused({**job.payload, "bindings": refused}, why)
        if busy:
            following.later(job.payload, busy)
        return None

    def failed(self, job: Job, error: BaseException) -> None:
        told = (
            str(error) if isinstance(error, CertdeskError | Permanent) else "The worker could not finish it."
        )
        following.refused(job.payload, told)


@handler(RECONCILE, lock=RECONCILE, max_attempts=3)
class Reconcile(Handler[bool, None]):
    """Sends the looks that are due, within the budget of a minute."""

    def load(self, job: Job) -> bool | None:
        now, done = clock.real_now(), int(job.payload.get("done", 0))
        sent = reconciling.send_due(now)
        if sent == reconciling.PAGE and done + sent < reconciling.BUDGET:
            enqueue(RECONCILE, {"done": done + sent}, dedupe_key=f"{RECONCILE}:more")
        elif settings.get().look_seconds < EVERY:
            again = now + timedelta(seconds=settings.get().look_seconds)
            enqueue(RECONCILE, dedupe_key=f"{RECONCILE}:again", run_at=again)
        return None


@handler(reconciling.LOOK, max_attempts=3)
class Look(Handler[ToLook, tuple[Found, ...]]):
    """What the places of one target serve now."""

    def load(self, job: Job) -> ToLook | None:
        target = Target.objects.filter(id=str(job.payload["target"])).first()
        return reconciling.work_of(target, job.payload["bindings"]) if target is not None else None

    async def perform(self, work: ToLook) -> tuple[Found, ...]:
        return await looking.look(work)

    def store(self, job: Job, work: ToLook, result: tuple[Found, ...]) -> None:
        now = clock.real_now()
        for one in result:
            reconciling.keep(one, now)


subscribe(REPLACED, following.FOLLOW)
periodic(RECONCILE, EVERY)
