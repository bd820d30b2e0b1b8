"""The workers' looks at domain names: load, look, store; again with growing pauses (DOM-11)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certdesk.foundation.common import clock
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.applications.purposes import is_proving
from certdesk.lifecycle.certificates.models import Certificate

from . import actions, ahead_jobs, automatic_jobs, document_jobs, mails, proofs
from .models import Challenge
from .perspectives import Look, Sight, look_all

SWEEP = automatic_jobs.SWEEP  # importing these rooms' modules declares their handlers
__all__ = ["SWEEP", "CheckNames", "ahead_jobs", "document_jobs"]

LOOK_SECONDS = 40.0
_TOLERANCE = timedelta(seconds=1)  # a challenge due within a second is looked at together with the others


@dataclass(frozen=True, slots=True)
class Work:
    looks: tuple[Look, ...]
    now: datetime


@handler(actions.CHECK, max_attempts=1_000_000, lock="validation:{application}")
class CheckNames(Handler[Work, list[Sight]]):
    """Looks at the unproved names of one application that are due; ends when all are proved."""

    def load(self, job: Job) -> Work | None:
        application, certificate = _read(job)
        if application is None or certificate is None:
            return None
        if not is_proving(application.purpose, certificate.state):
            return None
        now = clock.now()
        renewed = proofs.renew_old_values(application, now)
        mails.send_records(certificate, application, renewed, now)
        if not proofs.unproved(application.id):
            actions.advance(certificate, application, now)
            return None
        waiting = proofs.looked_at(application.id)
        if not waiting:
            return None  # mails: the answer carries the certificate on
        moment = max(job.run_at, clock.real_now()) + _TOLERANCE
        due = [one for one in waiting if _is_due(one, moment)]
        if not due:
            _plan_next(application)
            return None
        return Work(proofs.looks(due), now)

    async def perform(self, work: Work) -> list[Sight]:
        return await look_all(work.looks, work.now, deadline=LOOK_SECONDS)

    def store(self, job: Job, work: Work, result: list[Sight]) -> None:
        certificate_id, application_id = job.subject, int(job.payload["application"])
        if actions.store(certificate_id, application_id, result, clock.now()):
            return
        application = proofs.lock(application_id)
        if application is not None:
            _plan_next(application)


def _read(job: Job) -> tuple[Application | None, Certificate | None]:
    application = proofs.lock(int(job.payload["application"]))
    return application, Certificate.objects.filter(id=job.subject).first()


def _is_due(challenge: Challenge, moment: datetime) -> bool:
    return challenge.next_check_at is None or challenge.next_check_at <= moment


def _plan_next(application: Application) -> None:
    """At the earliest moment at which one of the unproved names is due; none left = at once, to carry on."""
    times = [one.next_check_at for one in proofs.unproved(application.id) if one.next_check_at]
    actions.schedule(application, min(times) if times else clock.real_now())
