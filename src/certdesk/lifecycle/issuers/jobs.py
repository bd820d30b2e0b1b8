"""Every few minutes each issuer that gets orders is tested; a test orders nothing."""

from dataclasses import dataclass

from certdesk.connectors.issuers.protocol import Capabilities, IssuerCheck, IssuerConnector
from certdesk.foundation.common import clock
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic

from . import actions, dialing
from .models import Issuer

LOOK = "issuers.look"
TEST = "issuers.test"
EVERY = 300.0  # seconds


@handler(LOOK, lock=LOOK, max_attempts=3)
class Look(Handler[bool, None]):
    """Sends a test for each issuer that is switched on."""

    def load(self, job: Job) -> bool | None:
        for issuer_id in Issuer.objects.filter(enabled=True).order_by("id").values_list("id", flat=True):
            enqueue(TEST, subject=issuer_id, dedupe_key=f"{TEST}:{issuer_id}")
        return None


@dataclass(frozen=True, slots=True)
class ToTest:
    """An issuer with its connector, or with why its options cannot be used.

    Attributes:
        secret_id: of the options that are tested.
    """

    slug: str
    secret_id: str
    made: IssuerConnector | IssuerCheck


@handler(TEST, max_attempts=3, lock=f"{TEST}:{{subject}}")
class Test(Handler[ToTest, tuple[IssuerCheck, Capabilities | None]]):
    """Whether one issuer can be reached and accepts our account."""

    def load(self, job: Job) -> ToTest | None:
        issuer = Issuer.objects.filter(id=job.subject, enabled=True).first()
        if issuer is None:
            return None
        return ToTest(issuer.slug, issuer.secret_id, dialing.connector_or_why(issuer))

    async def perform(self, work: ToTest) -> tuple[IssuerCheck, Capabilities | None]:
        if isinstance(work.made, IssuerCheck):
            return work.made, None
        found = await dialing.check(work.made)
        return found, work.made.capabilities

    def store(self, job: Job, work: ToTest, result: tuple[IssuerCheck, Capabilities | None]) -> None:
        found, able = result
        actions.note_test(work.slug, found, able, clock.real_now(), secret_id=work.secret_id)


periodic(LOOK, EVERY)
