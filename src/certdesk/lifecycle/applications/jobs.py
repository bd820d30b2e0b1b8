"""What a deleted certificate leaves behind: keys made for applications that came to nothing (DEL-3)."""

from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, subscribe
from certdesk.pki.keystore import actions as keystore

from .models import Application, Draft

FORGET_KEYS = "applications.forget_keys"
FORGET_DRAFT = "applications.forget_draft"


@handler(FORGET_KEYS)
class ForgetKeys(Handler[list[str], None]):
    """The versions' own keys went with the deletion itself."""

    def load(self, job: Job) -> list[str] | None:
        made = Application.objects.filter(certificate_id=job.subject).exclude(key_id="")
        return list(made.values_list("key_id", flat=True)) or None

    def store(self, job: Job, work: list[str], result: None) -> None:
        for key_id in work:
            keystore.destroy(key_id)


@handler(FORGET_DRAFT)
class ForgetDraft(Handler[bool, None]):
    """What was saved for a certificate that nobody will apply for any more."""

    def load(self, job: Job) -> bool | None:
        return Draft.objects.filter(certificate_id=job.subject).exists() or None

    def store(self, job: Job, work: bool, result: None) -> None:
        Draft.objects.filter(certificate_id=job.subject).delete()


subscribe("certificate.deleted", FORGET_KEYS)
subscribe("certificate.deleted", FORGET_DRAFT)
