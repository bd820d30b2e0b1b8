"""Tells people about requests that need them or came to an end; declares what approved requests run."""

from certdesk.foundation.approvals.actions import ASKED, ENDED
from certdesk.foundation.approvals.models import Request, State
from certdesk.foundation.common import clock
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, subscribe
from certdesk.lifecycle.overview.jobs import DUE as MAIL_DUE

from . import approval_mails, overview_mails, two_person_running

two_person_running.declare()


@handler("operations.tell_deciders")
class TellDeciders(Handler[Request, None]):
    """Once a request is asked for."""

    def load(self, job: Job) -> Request | None:
        return Request.objects.filter(id=job.payload["subject"], state=State.PENDING).first()

    def store(self, job: Job, work: Request, result: None) -> None:
        approval_mails.tell_deciders(work)


@handler("operations.tell_requester")
class TellRequester(Handler[Request, None]):
    """Once it has ended, or can be fetched."""

    def load(self, job: Job) -> Request | None:
        return Request.objects.filter(id=job.payload["subject"]).first()

    def store(self, job: Job, work: Request, result: None) -> None:
        approval_mails.tell_requester(work)


@handler("operations.weekly_mail", lock="weekly:{subject}")
class WeeklyMail(Handler[overview_mails.Due, None]):
    """The overview of one user, when its turn has come."""

    def load(self, job: Job) -> overview_mails.Due | None:
        return overview_mails.find(job.payload["subject"])

    def store(self, job: Job, work: overview_mails.Due, result: None) -> None:
        overview_mails.send(work, clock.now())


subscribe(MAIL_DUE, "operations.weekly_mail")
subscribe(ASKED, "operations.tell_deciders")
subscribe(ENDED, "operations.tell_requester")
