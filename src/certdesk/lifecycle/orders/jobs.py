"""Unpaid orders close by themselves after 24 hours (ORD-3); unsubscriptions are reviewed (UNS-6)."""

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs import registry, rights
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.rules import describe
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State

from . import actions, queries, unsubscribing

KIND = "orders.close_unpaid"
BATCH = 100  # law 13: rows of one transaction


@registry.handler(KIND)
class CloseUnpaid(registry.Handler[list[tuple[str, str]], None]):
    """One batch of orders; asks for another run when there may be more."""

    def load(self, job: Job) -> list[tuple[str, str]] | None:
        return queries.due_to_close(clock.now(), BATCH) or None

    def store(self, job: Job, work: list[tuple[str, str]], result: None) -> None:
        for order_id, account_id in work:
            principal = system_principal(account_id, KIND)
            actions.close(principal, order_id, account_id, "closed by itself after 24 hours")
        if len(work) == BATCH:
            jobs.enqueue(KIND)


registry.periodic(KIND, 60)


@registry.handler(unsubscribing.REVIEW, max_attempts=3)
class ReviewUnsubscription(registry.Handler[str, None]):
    """The rules were checked when it was asked for; here the right is asked again, then refunded."""

    def load(self, job: Job) -> str | None:
        found = Certificate.objects.filter(id=job.subject, state=State.UNSUBSCRIBING)
        return job.subject if found.exists() else None

    def store(self, job: Job, work: str, result: None) -> None:
        unsubscribing.approve(rights.principal_for(job), work, clock.now())

    def failed(self, job: Job, error: BaseException) -> None:
        house = system_principal(str(job.payload.get("account_id", "")), job.kind)
        unsubscribing.end_review(house, job.subject, clock.now(), describe(error))
