"""The workers of automatic DNS: find the zone, write the value, wait until it is seen, remove it (DOM-7).

`perform` asks providers and name servers and touches no database. A provider's no is a result, not an error
of the job: it is kept and shown, and the manual way stays open.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

from django.db.models import F

from certdesk.connectors.dns.providers import zones as provider_zones
from certdesk.connectors.dns.providers.delegation import Place, find_place
from certdesk.connectors.dns.providers.protocol import ProofType, Zone
from certdesk.connectors.dns.visible import Visibility, Waiting, wait_until_visible
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal, Resource, system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.errors import Permanent
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.lifecycle.applications.models import Application, ApplicationState

from . import actions, automatic, connections, dialing, elsewhere, proofs
from .models import AutomaticRecord, Challenge, DnsConnection, RecordState

SWEEP = "validation.auto_sweep"
SWEEP_SECONDS = 5.0
CALL_SECONDS = 90.0
WAIT_SECONDS = 20.0
WAIT_PAUSE = timedelta(seconds=15)
MOST_WAITS = 120
"""After half an hour nobody waits any more; the usual checks go on looking."""

MOST_WRITES = 8
_LONGEST_PAUSE = timedelta(hours=1)
_AGAIN = timedelta(seconds=20)
_LOCK = "validation.automatic:{record}"
_MANUAL = "Set the record yourself meanwhile: it counts just as well."
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """A connection as `perform` needs it. `options` hold secrets: not in `repr`."""

    id: str
    label: str
    kind: str
    options: "dict[str, Any]"

    def __repr__(self) -> str:
        return f"Source({self.id!r}, {self.kind!r})"


@dataclass(frozen=True, slots=True)
class Failed:
    """A connector's no, in words."""

    sentence: str
    next_step: str
    permanent: bool


def _source(connection: DnsConnection) -> Source:
    return Source(connection.id, connection.label, connection.kind, dialing.options_of(connection))


async def _tried(work: Callable[[], Awaitable[T]]) -> T | Failed:
    """The result, or the refusal in words; nothing here waits for ever."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            return await work()
    except ConnectorError as error:
        return Failed(error.message, dialing.step_of(error), error.permanent)
    except TimeoutError:
        return Failed(f"The DNS provider was not done after {CALL_SECONDS:g} s.", "It is tried again.", False)


# --- find ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    challenge_id: int
    domain: str
    record_name: str
    record_type: str
    value: str


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
        if _refused(job, application_id, account_id):
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
        told = await asyncio.gather(*(_tried(lambda one=one: _zones(one)) for one in work.sources))  # type: ignore[misc]
        zones = {source.id: answer for source, answer in zip(work.sources, told, strict=True)}
        owners: dict[Zone, str] = {}
        for source, answer in zip(work.sources, told, strict=True):
            if not isinstance(answer, Failed):
                for zone in answer:
                    owners.setdefault(zone, source.id)
        places = await asyncio.gather(*(_place(one, owners) for one in work.wanted))
        return Found(zones, {one.challenge_id: place for one, place in zip(work.wanted, places, strict=True)})

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


def _refused(job: Job, application_id: int, account_id: str) -> bool:
    """The right of who applied, asked again now (law 5); a refusal is told and ends the automatic way."""
    try:
        rights.require(job, automatic.RIGHT, Resource("recordset", "", account_id))
    except (CertdeskError, Permanent) as error:
        automatic.note(application_id, "", "FIND", good=False, sentence=str(error), next_step=_MANUAL)
        return True
    return False


def _sources(application_id: int, account_id: str) -> tuple[Source, ...]:
    found = DnsConnection.objects.filter(account_id=account_id).order_by("created_at", "id")
    sources = tuple(_source(one) for one in found)
    if not sources:
        sentence = "The account has no DNS connection any more."
        automatic.note(application_id, "", "FIND", good=False, sentence=sentence, next_step=_MANUAL)
    return sources


async def _zones(source: Source) -> tuple[Zone, ...]:
    return await provider_zones.all_zones(dialing.provider_for(source.kind, source.options))


async def _place(wanted: Wanted, owners: dict[Zone, str]) -> tuple[str, Place] | Failed:
    configured = settings.get()
    place = await _tried(
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
    found = result.places[one.challenge_id]
    if isinstance(found, Failed):
        silent = [answer for answer in result.zones.values() if isinstance(answer, Failed)]
        told = " ".join([found.sentence, *(answer.sentence for answer in silent)])
        step = " ".join(part for part in (found.next_step, _MANUAL) if part)
        automatic.note(application.id, one.domain, "FIND", good=False, sentence=told, next_step=step)
        return not found.permanent or any(not answer.permanent for answer in silent)
    connection_id, place = found
    record, made = AutomaticRecord.objects.get_or_create(
        challenge_id=one.challenge_id,
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
        automatic.enqueue_write(record, {"record": record.id, "user_id": application.submitted_by})
    return False


def _find_again(job: Job, application: Application) -> None:
    tries = int(job.payload.get("tries", 0)) + 1
    jobs.enqueue(
        automatic.FIND,
        {**job.payload, "tries": tries},
        subject=application.certificate_id,
        run_at=clock.real_now() + min(_AGAIN * 2 ** min(tries, 10), _LONGEST_PAUSE),
        dedupe_key=f"{automatic.FIND}:{application.id}",
    )


# --- write ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToChange:
    """One value at one place, and the connection to it."""

    record_id: int
    source: Source
    zone: Zone
    name: str
    record_type: ProofType
    value: str


@handler(automatic.WRITE, max_attempts=8, lock=_LOCK)
class Write(Handler[ToChange, "bool | Failed"]):
    """Adds the value beside others; the row that says so was committed by `Find`."""

    def load(self, job: Job) -> ToChange | None:
        record = _record(job)
        if (
            record is None
            or record.state != RecordState.PLANNED
            or not automatic.is_wanted(record, clock.now())
        ):
            return None
        if _refused(job, record.application_id, record.account_id):
            # not simply dropped: an earlier run may have written it and been killed before it could say so
            AutomaticRecord.objects.filter(id=record.id).update(problem="The right to write it is gone.")
            automatic.enqueue_remove(record)
            return None
        return _change(record)

    async def perform(self, work: ToChange) -> "bool | Failed":
        return await _tried(lambda: _add(work))

    def store(self, job: Job, work: ToChange, result: "bool | Failed") -> None:
        record = _record(job)
        if record is None or record.state != RecordState.PLANNED:
            return
        domain = _domain(record)
        if isinstance(result, Failed):
            tries = int(job.payload.get("tries", 0)) + 1
            if result.permanent and tries == 1 and job.attempts <= 1:
                _never_written(record, domain, result)
            elif result.permanent or tries >= MOST_WRITES:
                _give_up(record, domain, result)
            else:
                _tell(record, domain, result)
                automatic.enqueue_write(
                    record, {**job.payload, "tries": tries}, _AGAIN * 2 ** min(tries - 1, 5)
                )
            return
        AutomaticRecord.objects.filter(id=record.id).update(
            state=RecordState.THERE, written_at=clock.real_now(), problem=""
        )
        said = "was added" if result else "stood there already"
        sentence = f"The {record.record_type} value at {record.name} {said} (TTL {automatic.TTL})."
        automatic.note(record.application_id, domain, "WRITE", good=True, sentence=sentence)
        _audit(record, "dns:recordset:create")
        _wait_next(record, 0)

    def failed(self, job: Job, error: BaseException) -> None:
        record = _record(job)
        if record is not None and record.state == RecordState.PLANNED:
            failed = Failed(str(error)[:500], "Look at the DNS connection and test it.", True)
            _give_up(record, _domain(record), failed)


async def _add(work: ToChange) -> bool:
    provider = dialing.provider_for(work.source.kind, work.source.options)
    return await provider.add_value(work.zone, work.name, work.record_type, work.value, automatic.TTL)


def _record(job: Job) -> AutomaticRecord | None:
    return AutomaticRecord.objects.filter(id=int(job.payload["record"])).first()


def _change(record: AutomaticRecord) -> ToChange | None:
    connection = DnsConnection.objects.filter(id=record.connection_id).first()
    if connection is None:  # `connections.remove` does not allow it while the row is open
        return None
    zone = Zone(record.zone, record.zone_id)
    record_type = cast(ProofType, record.record_type)
    return ToChange(record.id, _source(connection), zone, record.name, record_type, record.value)


def _domain(record: AutomaticRecord) -> str:
    found = Challenge.objects.filter(id=record.challenge_id).values_list("authorization_domain", flat=True)
    return found.first() or ""


def _never_written(record: AutomaticRecord, domain: str, failed: Failed) -> None:
    """The first and only try was refused: nothing stands in the zone, so there is nothing to remove."""
    _tell(record, domain, failed)
    AutomaticRecord.objects.filter(id=record.id).update(
        state=RecordState.REMOVED, removed_at=clock.real_now(), problem=failed.sentence[:2000]
    )


def _give_up(record: AutomaticRecord, domain: str, failed: Failed) -> None:
    """The manual way stays; what may have been written after all is removed."""
    _tell(record, domain, failed)
    AutomaticRecord.objects.filter(id=record.id).update(problem=failed.sentence[:2000])
    automatic.enqueue_remove(record)


def _tell(record: AutomaticRecord, domain: str, failed: Failed) -> None:
    step = " ".join(part for part in (failed.next_step, _MANUAL) if part)
    automatic.note(
        record.application_id, domain, "WRITE", good=False, sentence=failed.sentence, next_step=step
    )


# --- wait ----------------------------------------------------------------------------------------


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
        record = _record(job)
        if (
            record is None
            or record.state != RecordState.THERE
            or not automatic.is_wanted(record, clock.now())
        ):
            return None
        challenge = Challenge.objects.filter(id=record.challenge_id, verified_at__isnull=True).first()
        if challenge is None:
            return None
        change = _change(record) if int(job.payload.get("waits", 0)) else None
        return ToSee(challenge.record_name, cast(ProofType, record.record_type), record.value, change)

    async def perform(self, work: ToSee) -> Awaited:
        configured = settings.get()
        seen = await _tried(
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
        cause = await _tried(lambda: _wrong_platform(change)) if change is not None else ""
        told = cause if isinstance(cause, str) else ""
        return Awaited(False, f"{seen.sentence} {told}".strip(), elsewhere.FIX if told else "")

    def store(self, job: Job, work: ToSee, result: Awaited) -> None:
        record = _record(job)
        if record is None or record.state != RecordState.THERE:
            return
        automatic.note(
            record.application_id,
            _domain(record),
            "WAIT",
            good=result.done,
            sentence=result.sentence,
            next_step=result.next_step,
        )
        if result.done:
            _check_now(record)
        elif int(job.payload.get("waits", 0)) < MOST_WAITS:
            _wait_next(record, int(job.payload.get("waits", 0)) + 1)


async def _wrong_platform(change: ToChange) -> str:
    """Table 3-5, row 1, found by comparing the NS records."""
    provider = dialing.provider_for(change.source.kind, change.source.options)
    return await elsewhere.sentence(provider, change.zone, change.source.label)


def _wait_next(record: AutomaticRecord, waits: int) -> None:
    jobs.enqueue(
        automatic.WAIT,
        {"record": record.id, "waits": waits},
        subject=record.certificate_id,
        run_at=clock.real_now() + (WAIT_PAUSE if waits else timedelta(0)),
        dedupe_key=f"{automatic.WAIT}:{record.id}",
    )


def _check_now(record: AutomaticRecord) -> None:
    """The usual check decides; here it is only made due."""
    application = proofs.lock(record.application_id)
    if application is not None:
        Challenge.objects.filter(id=record.challenge_id).update(next_check_at=None)
        actions.schedule(application)


# --- remove --------------------------------------------------------------------------------------


@handler(automatic.REMOVE, max_attempts=8, lock=_LOCK)
class Remove(Handler[ToChange, "bool | Failed"]):
    """Takes exactly our value away, whatever else stands there. The house does it, by duty."""

    def load(self, job: Job) -> ToChange | None:
        record = _record(job)
        if record is None or record.state == RecordState.REMOVED:
            return None
        if not record.problem and automatic.is_wanted(record, clock.now()):
            return None
        return _change(record)

    async def perform(self, work: ToChange) -> "bool | Failed":
        return await _tried(lambda: _take(work))

    def store(self, job: Job, work: ToChange, result: "bool | Failed") -> None:
        record = _record(job)
        if record is None or record.state == RecordState.REMOVED:
            return
        if isinstance(result, Failed):
            _remove_later(record, result)
        else:
            _removed(record, result)


async def _take(work: ToChange) -> bool:
    provider = dialing.provider_for(work.source.kind, work.source.options)
    return await provider.remove_value(work.zone, work.name, work.record_type, work.value)


def _remove_later(record: AutomaticRecord, failed: Failed) -> None:
    """It is tried until it works; the reason is shown beside the connection and on the certificate."""
    pause = min(_AGAIN * 2 ** min(record.tries, 10), _LONGEST_PAUSE)
    AutomaticRecord.objects.filter(id=record.id).update(
        tries=F("tries") + 1, next_try_at=clock.real_now() + pause, problem=failed.sentence[:2000]
    )
    step = f"{failed.next_step} It is tried again by itself.".strip()
    automatic.note(
        record.application_id, _domain(record), "REMOVE", good=False, sentence=failed.sentence, next_step=step
    )


def _removed(record: AutomaticRecord, was_there: bool) -> None:
    """Gone; a write that was never confirmed is looked after once more, later."""
    unconfirmed = record.state == RecordState.PLANNED and record.tries == 0 and not was_there
    if unconfirmed:
        AutomaticRecord.objects.filter(id=record.id).update(
            tries=1, next_try_at=clock.real_now() + automatic.LATE_WRITE
        )
        return
    AutomaticRecord.objects.filter(id=record.id).update(
        state=RecordState.REMOVED, removed_at=clock.real_now(), problem=""
    )
    _audit(record, "dns:recordset:delete")
    _begin_renewed(record)
    if was_there:
        sentence = f"The {record.record_type} value at {record.name} was removed again."
        automatic.note(record.application_id, _domain(record), "REMOVE", good=True, sentence=sentence)


def _begin_renewed(record: AutomaticRecord) -> None:
    """The value was too old and another one is asked for now (DOM-11): that one is to be written too."""
    renewed = Challenge.objects.filter(
        id=record.challenge_id, verified_at__isnull=True, application__state=ApplicationState.OPEN
    ).exclude(value=record.value)
    for challenge in renewed.select_related("application"):
        automatic.begin(challenge.application)


def _audit(record: AutomaticRecord, action: str) -> None:
    audit.record(
        _house(record),
        action,
        resource=f"dnsConnection:{record.connection_id}",
        account_id=record.account_id,
        details={
            "zone": record.zone,
            "name": record.name,
            "type": record.record_type,
            "certificate": record.certificate_id,
        },
    )


def _house(record: AutomaticRecord) -> Principal:
    return system_principal(record.account_id, "validation.automatic")


# --- sweep ---------------------------------------------------------------------------------------


@handler(SWEEP, max_attempts=3, lock=SWEEP, short_lease=True)
class Sweep(Handler[bool, None]):
    """Finds values that nobody needs any more: issued, refused, withdrawn, too old, or left by a kill."""

    def load(self, job: Job) -> bool | None:
        for record in automatic.unwanted(clock.now(), clock.real_now()):
            automatic.enqueue_remove(record)
        return None


periodic(SWEEP, SWEEP_SECONDS, at_start=True)
