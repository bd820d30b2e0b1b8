"""Automatic DNS: waits until the value is seen at the authoritative servers (DOM-7)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from certdesk.connectors.dns.providers.protocol import ProofType
from certdesk.connectors.dns.visible import Visibility, Waiting, wait_until_visible
from certdesk.foundation.common import clock, settings
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler

from . import actions, automatic, dialing, elsewhere, proofs
from .automatic_work import (
    ToChange,
    change_of,
    domain_of,
    record_of,
    tried,
)
from .models import AutomaticRecord, Challenge, RecordState

WAIT_SECONDS = 20.0
WAIT_PAUSE = timedelta(seconds=15)
MOST_WAITS = 120
"""After half an hour nobody waits any more; the usual checks go on looking."""


@dataclass(frozen=True, slots=True)
class ToSee:
    """`change` is there once the wait has begun to be long: then the cause is looked for."""

    owner: str
    record_type: ProofType
    value: str
    change: ToChange | None


@dataclass(frozen=True, slots=True)
class Awaited:
    done: bool
    sentence: str
    next_step: str = ""


@handler(automatic.WAIT, max_attempts=20, lock="validation.auto_wait:{record}")
class Wait(Handler[ToSee, Awaited]):
    """Waits at the authoritative servers, then has the name checked at once."""

    def load(self, job: Job) -> ToSee | None:
        record = record_of(job)
        if (
            record is None
            or record.state != RecordState.THERE
            or not automatic.is_wanted(record, clock.now())
        ):
            return None
        challenge = Challenge.objects.filter(id=record.challenge_id, verified_at__isnull=True).first()
        if challenge is None:
            return None
        change = change_of(record) if int(job.payload.get("waits", 0)) else None
        return ToSee(challenge.record_name, cast(ProofType, record.record_type), record.value, change)

    async def perform(self, work: ToSee) -> Awaited:
        configured = settings.get()
        seen = await tried(
            lambda: wait_until_visible(
                owner=work.owner,
                record_type=work.record_type,
                value=work.value,
                resolvers=configured.dns_resolvers,
                allow_networks=configured.allow_networks,
                waiting=Waiting(seconds=WAIT_SECONDS),
            )
        )
        if isinstance(seen, Visibility) and seen.done:
            return Awaited(True, seen.sentence)
        change = work.change
        cause = await tried(lambda: _wrong_platform(change)) if change is not None else ""
        told = cause if isinstance(cause, str) else ""
        return Awaited(False, f"{seen.sentence} {told}".strip(), elsewhere.FIX if told else "")

    def store(self, job: Job, work: ToSee, result: Awaited) -> None:
        record = record_of(job)
        if record is None or record.state != RecordState.THERE:
            return
        automatic.note(
            record.application_id,
            domain_of(record),
            "WAIT",
            good=result.done,
            sentence=result.sentence,
            next_step=result.next_step,
        )
        if result.done:
            _check_now(record)
        elif int(job.payload.get("waits", 0)) < MOST_WAITS:
            automatic.enqueue_wait(record, int(job.payload.get("waits", 0)) + 1, WAIT_PAUSE)


async def _wrong_platform(change: ToChange) -> str:
    """Table 3-5, row 1, found by comparing the NS records."""
    provider = dialing.provider_for(change.source.kind, change.source.options)
    return await elsewhere.sentence(provider, change.zone, change.source.label)


def _check_now(record: AutomaticRecord) -> None:
    """The usual check decides; here it is only made due."""
    application = proofs.lock(record.application_id)
    if application is not None:
        Challenge.objects.filter(id=record.challenge_id).update(next_check_at=None)
        actions.schedule(application)
