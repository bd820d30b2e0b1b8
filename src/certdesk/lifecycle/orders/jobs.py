"""Unpaid orders close by themselves after 24 hours of business time (ORD-3)."""

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs import registry
from certdesk.foundation.jobs.models import Job

from . import actions, queries

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
