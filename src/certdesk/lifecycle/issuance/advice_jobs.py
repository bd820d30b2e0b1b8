"""CAs outside are asked when their certificates should be replaced (ARI, RFC 9773), each in its time."""

import asyncio
from dataclasses import dataclass

from certdesk.connectors.issuers.protocol import Advice as Told
from certdesk.connectors.issuers.protocol import Advises, IssuerError, Reason
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic, subscribe
from certdesk.lifecycle.certificates.models import Version

from . import advice, outside
from . import advice_rules as rules
from .models import Advice

LOOK = "issuance.look_for_advice"
ASK_AGAIN = "issuance.ask_for_advice_again"
EVERY = 60.0  # seconds; as long as the shortest pause between two questions
CALL_SECONDS = 60.0


@handler(LOOK, lock=LOOK, max_attempts=3)
class Look(Handler[bool, None]):
    """Sends the questions that are due; a full batch looks again at once."""

    def load(self, job: Job) -> bool | None:
        if advice.send_due(clock.real_now()) >= advice.BATCH:
            jobs.enqueue(LOOK, {"again": True}, dedupe_key=f"{LOOK}:again")
        return None


@dataclass(frozen=True, slots=True)
class ToAsk:
    """One certificate (DER) and the CA that issued it."""

    reference: str
    ca: Advises
    der: bytes


@handler(advice.ASK, max_attempts=3, lock=f"{advice.ASK}:{{reference}}")
class AskAdvice(Handler[ToAsk, "Told | IssuerError"]):
    """When one certificate should be replaced. A failure says nothing about how its CA issues."""

    def load(self, job: Job) -> ToAsk | None:
        row = _row(str(job.payload["reference"]))
        if row is None:
            return None
        now, version = clock.real_now(), _version(row)
        if version is None or not rules.is_asked_for(row.certificate, row.version, clock.now()):
            advice.end(row)
            return None
        if not outside.advises(row.order.issuer):
            advice.postpone(row, now, None)
            return None
        ca = _adviser(row.order.issuer)
        if ca is None:  # its options can be mended
            advice.postpone(row, now, rules.USUAL)
            return None
        return ToAsk(row.order_id, ca, bytes(version.der))

    async def perform(self, work: ToAsk) -> "Told | IssuerError":
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await work.ca.advice(work.der)
        except IssuerError as error:
            return error
        except TimeoutError:
            return IssuerError(Reason.TIMEOUT, f"The CA was not done after {CALL_SECONDS:g} s.")

    def store(self, job: Job, work: ToAsk, result: "Told | IssuerError") -> None:
        row = _row(work.reference)
        version = _version(row) if row is not None else None
        if row is None or version is None:
            return
        if isinstance(result, IssuerError):
            advice.note_failure(row, result, clock.real_now())
        else:
            advice.note(row, version, result, clock.real_now())


def _row(reference: str) -> Advice | None:
    return Advice.objects.select_related("order", "certificate").filter(order_id=reference).first()


def _version(row: Advice) -> Version | None:
    found = Version.objects.filter(certificate_id=row.certificate_id, number=row.version, revoked_at=None)
    return found.first()


def _adviser(slug: str) -> Advises | None:
    """The CA, if it can be asked as it is set up."""
    try:
        found = outside.connect(slug)
    except CertdeskError:
        return None
    return found if isinstance(found, Advises) else None


@handler(ASK_AGAIN, lock=ASK_AGAIN)
class AskAgain(Handler[bool, None]):
    """A CA has learnt to advise: a page of what it issued is asked for."""

    def load(self, job: Job) -> bool | None:
        slug, after = str(job.payload["subject"]), str(job.payload.get("after", ""))
        end = advice.begin_again(slug, clock.real_now(), after)
        if end:
            jobs.enqueue(ASK_AGAIN, {"subject": slug, "after": end}, subject=slug)
        return None


subscribe(outside.ADVISES, ASK_AGAIN)
periodic(LOOK, EVERY, at_start=True)
