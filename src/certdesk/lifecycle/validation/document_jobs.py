"""Documents go with the end of their application."""

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic

from . import documents
from .models import OrganizationDocument

KIND = "validation.documents"
BATCH = 4  # documents of up to 20 parts each (law 13)


@handler(KIND, lock=KIND)
class ClearDocuments(Handler[list[OrganizationDocument], None]):
    """One batch; asks for another run when there may be more."""

    def load(self, job: Job) -> list[OrganizationDocument] | None:
        return documents.due(BATCH) or None

    def store(self, job: Job, work: list[OrganizationDocument], result: None) -> None:
        documents.clear(work, clock.now())
        for document in work:
            audit.record(
                system_principal(document.account_id, KIND),
                "organization.document_cleared",
                resource=f"cert:{document.verification.certificate_id}",
                details={"document": document.id, "sha256": document.sha256},
            )
        if len(work) == BATCH:
            jobs.enqueue(KIND)


periodic(KIND, 300, at_start=True)
