"""Automatic DNS: looks on the account's connections for the zone of each record (DOM-7)."""

import asyncio
from dataclasses import dataclass
from typing import cast

from certdesk.connectors.dns.providers import zones as provider_zones
from certdesk.connectors.dns.providers.delegation import Place, find_place
from certdesk.connectors.dns.providers.protocol import ProofType, Zone
from certdesk.foundation.common import clock, settings
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler
from certdesk.lifecycle.applications.models import Application

from . import automatic, connections, dialing, proofs
from .automatic_work import (
    AGAIN,
    LONGEST_PAUSE,
    MANUAL,
    Failed,
    Source,
    refused,
    source_of,
    tried,
)
from .models import AutomaticRecord, DnsConnection, RecordState


@dataclass(frozen=True, slots=True)
class Wanted:
    challenge_id: int
    domain: str
    record_name: str
    record_type: str
    value: str
    asked_id: int = 0

    @property
    def place(self) -> int:
        """Tells the records of one search apart."""
        return self.challenge_id or -self.asked_id


@dataclass(frozen=True, slots=True)
class ToFind:
    application_id: int
    wanted: tuple[Wanted, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """`zones`: what each connection told, or why it did not; `places`: connection and place, or why none."""

    zones: dict[str, tuple[Zone, ...] | Failed]
    places: dict[int, tuple[str, Place] | Failed]


@handler(automatic.FIND, max_attempts=50, lock="validation.auto_find:{application}")
class Find(Handler[ToFind, Found]):
    """Looks on the account's connections for the zone of each record; plans the writes."""

    def load(self, job: Job) -> ToFind | None:
        application_id = int(job.payload["application"])
        wanted = automatic.open_challenges(application_id)
        if not wanted:
            return None
        account_id = wanted[0].account_id
        if refused(job, application_id, account_id):
            return None
        sources = _sources(application_id, account_id)
        if not sources:
            return None
        looked_for = tuple(
            Wanted(one.id, one.authorization_domain, one.record_name, one.record_type, one.value)
            for one in wanted
        )
        return ToFind(application_id, looked_for, sources)

    async def perform(self, work: ToFind) -> Found:
        told = await asyncio.gather(*(tried(lambda one=one: _zones(one)) for one in work.sources))  # type: ignore[misc]
        zones = {source.id: answer for source, answer in zip(work.sources, told, strict=True)}
        owners: dict[Zone, str] = {}
        for source, answer in zip(work.sources, told, strict=True):
            if not isinstance(answer, Failed):
                for zone in answer:
                    owners.setdefault(zone, source.id)
        places = await asyncio.gather(*(_place(one, owners) for one in work.wanted))
        return Found(zones, {one.place: place for one, place in zip(work.wanted, places, strict=True)})

    def store(self, job: Job, work: ToFind, result: Found) -> None:
        for connection_id, zones in result.zones.items():
            if isinstance(zones, Failed):
                connections.keep(connection_id, None, zones.sentence, zones.next_step)
            else:
                connections.keep(connection_id, tuple(zone.name for zone in zones))
        application = proofs.lock(work.application_id)
        if application is None:
            return
        labels = {source.id: source.label for source in work.sources}
        again = [_plan(application, one, result, labels) for one in work.wanted]
        if any(again):
            _find_again(job, application)


def _sources(application_id: int, account_id: str) -> tuple[Source, ...]:
    found = DnsConnection.objects.filter(account_id=account_id).order_by("created_at", "id")
    sources = tuple(source_of(one) for one in found)
    if not sources:
        sentence = "The account has no DNS connection any more."
        automatic.note(application_id, "", "FIND", good=False, sentence=sentence, next_step=MANUAL)
    return sources


async def _zones(source: Source) -> tuple[Zone, ...]:
    return await provider_zones.all_zones(dialing.provider_for(source.kind, source.options))


async def _place(wanted: Wanted, owners: dict[Zone, str]) -> tuple[str, Place] | Failed:
    configured = settings.get()
    place = await tried(
        lambda: find_place(
            wanted.record_name,
            cast(ProofType, wanted.record_type),
            owners,
            resolvers=configured.dns_resolvers,
            allow_networks=configured.allow_networks,
        )
    )
    return place if isinstance(place, Failed) else (owners[place.zone], place)


def _plan(application: Application, one: Wanted, result: Found, labels: dict[str, str]) -> bool:
    """The row of a write to come, or the reason why there is none; True when it is worth looking again."""
    found = result.places[one.place]
    if isinstance(found, Failed):
        silent = [answer for answer in result.zones.values() if isinstance(answer, Failed)]
        told = " ".join([found.sentence, *(answer.sentence for answer in silent)])
        step = " ".join(part for part in (found.next_step, MANUAL) if part)
        automatic.note(application.id, one.domain, "FIND", good=False, sentence=told, next_step=step)
        return not found.permanent or any(not answer.permanent for answer in silent)
    connection_id, place = found
    record, made = AutomaticRecord.objects.get_or_create(
        challenge_id=one.challenge_id,
        asked_id=one.asked_id,
        value=one.value,
        defaults={
            "account_id": application.account_id,
            "certificate_id": application.certificate_id,
            "application_id": application.id,
            "connection_id": connection_id,
            "zone": place.zone.name,
            "zone_id": place.zone.id,
            "name": place.name,
            "record_type": one.record_type,
            "created_at": clock.real_now(),
        },
    )
    if not made and record.state == RecordState.REMOVED:  # given up before, and now there is a way again
        made = True
        AutomaticRecord.objects.filter(id=record.id).update(
            state=RecordState.PLANNED,
            connection_id=connection_id,
            zone=place.zone.name,
            zone_id=place.zone.id,
            name=place.name,
            problem="",
            tries=0,
            next_try_at=None,
            removed_at=None,
        )
    if made:
        through = f" ({one.record_name} leads there by CNAME)" if place.aliases else ""
        sentence = f"{place.name}{through} is in the zone {place.zone.name} of {labels[connection_id]}."
        automatic.note(application.id, one.domain, "FIND", good=True, sentence=sentence)
        automatic.enqueue_write(
            record,
            {"record": record.id, "user_id": application.submitted_by, "account_id": application.account_id},
        )
    return False


def _find_again(job: Job, application: Application) -> None:
    tries = int(job.payload.get("tries", 0)) + 1
    jobs.enqueue(
        job.kind,
        {**job.payload, "tries": tries},
        subject=application.certificate_id,
        run_at=clock.real_now() + min(AGAIN * 2 ** min(tries, 10), LONGEST_PAUSE),
        dedupe_key=f"{job.kind}:{application.id}",
    )


@handler(automatic.FIND_ASKED, max_attempts=50, lock="validation.auto_find:{application}")
class FindAsked(Find):
    """The same for records that a CA outside wants to see."""

    def load(self, job: Job) -> ToFind | None:
        application_id = int(job.payload["application"])
        wanted = automatic.asked_without_place(application_id)
        if not wanted or refused(job, application_id, wanted[0].account_id):
            return None
        sources = _sources(application_id, wanted[0].account_id)
        if not sources:
            return None
        looked_for = tuple(
            Wanted(0, one.record_name, one.record_name, one.record_type, one.value, one.id) for one in wanted
        )
        return ToFind(application_id, looked_for, sources)
