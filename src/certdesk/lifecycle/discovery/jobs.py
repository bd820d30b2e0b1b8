"""Scans by pages: a job each, which asks for the next; a worker that dies leaves whole pages behind."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.errors import UserGone
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.models import State as JobState
from certdesk.foundation.jobs.registry import Handler, handler, periodic

from . import actions, adopting, queries, scans, telling, work
from .models import Scan, ScanState
from .work import Looked, Page

LOOK = "discovery.look"
EVERY = 60  # seconds
DUE_AT_ONCE = 20


@handler(scans.PAGE, lock="scans:{account_id}", max_attempts=5)
class OnePage(Handler[Page, tuple[Looked, ...]]):
    """The next places of a run; of one account one page at a time, so that its pace is kept."""

    def load(self, job: Job) -> Page | None:
        scan = _running(job)
        if scan is None:
            return None
        rights.require(job, scans.RUN, queries.resource_of(scan.account_id, scan.id))
        return scans.page_of(scan)

    async def perform(self, work_: Page) -> tuple[Looked, ...]:
        return await work.look(work_)

    def store(self, job: Job, work_: Page, result: tuple[Looked, ...]) -> None:
        scan = _running(job)
        if scan is not None and scan.marker == work_.start:
            actions.keep(scan, work_, result)

    def failed(self, job: Job, error: BaseException) -> None:
        told = "The worker could not finish it."
        if isinstance(error, CertdeskError | UserGone):
            told = str(error)
        scans.give_up(job.subject, int(job.payload["run"]), told, clock.now())


def _running(job: Job) -> Scan | None:
    found = Scan.objects.select_for_update().filter(id=job.subject, state=ScanState.RUNNING)
    return found.filter(run=int(job.payload["run"])).first()


@handler(LOOK, lock=LOOK, max_attempts=3)
class Look(Handler[bool, None]):
    """Begins what is due, gives a run that lost its job another one, deploys what was waited for."""

    def load(self, job: Job) -> bool | None:
        now = clock.now()
        for scan in queries.due(now, DUE_AT_ONCE):
            try:
                scans.begin(scan, scan.runs_as, now)
            except CertdeskError as refused:
                scans.put_off(scan, refused, now)
        for scan in Scan.objects.filter(state=ScanState.RUNNING):
            alive = Job.objects.filter(
                kind=scans.PAGE,
                subject=scan.id,
                state__in=(JobState.READY, JobState.RUNNING),
                payload__run=scan.run,
            )
            if not alive.exists():
                scans.send(scan)
        for certificate_id in adopting.ready():
            enqueue(
                adopting.DEPLOY,
                subject=certificate_id,
                dedupe_key=f"{adopting.DEPLOY}:{certificate_id}",
            )
        return None


@handler(scans.FORGET)
class Forget(Handler[bool, None]):
    """What a deleted scan found goes piece by piece, also when whoever deleted it died just then."""

    def load(self, job: Job) -> bool | None:
        scans.forget(job.subject)
        return None


@handler(telling.TELL, lock="scans.tell:{subject}")
class Tell(Handler[bool, None]):
    """One mail a run about what is new, whatever the number of endpoints."""

    def load(self, job: Job) -> bool | None:
        scan = Scan.objects.filter(id=job.subject).first()
        if scan is not None:
            telling.tell(scan, int(job.payload["run"]), clock.now(), again=bool(job.payload.get("again")))
        return None


@handler(adopting.DEPLOY, max_attempts=5)
class Deploy(Handler[bool, None]):
    """The successor of an adopted certificate is issued: it goes to where the old one was."""

    def load(self, job: Job) -> bool | None:
        for user_id, account_id, binding_ids in adopting.waiting(job.subject):
            principal = rights.principal_of_user(user_id, account_id)
            adopting.deploy(principal, job.subject, binding_ids)
        return None

    def failed(self, job: Job, error: BaseException) -> None:
        adopting.forget(job.subject)


periodic(LOOK, EVERY, at_start=True)
