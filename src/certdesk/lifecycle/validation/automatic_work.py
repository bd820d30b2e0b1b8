"""What the jobs of automatic DNS share: a connection and a value as plain values, refusals as results."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

from certdesk.connectors.dns.providers.protocol import ProofType, Zone
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Resource, system_principal
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.errors import Permanent
from certdesk.foundation.jobs.models import Job

from . import automatic, dialing
from .models import AutomaticRecord, Challenge, DnsConnection

CALL_SECONDS = 90.0
AGAIN = timedelta(seconds=20)
LONGEST_PAUSE = timedelta(hours=1)
LOCK = "validation.automatic:{record}"
MANUAL = "Set the record yourself meanwhile: it counts just as well."
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


@dataclass(frozen=True, slots=True)
class ToChange:
    """One value at one place, and the connection to it."""

    record_id: int
    source: Source
    zone: Zone
    name: str
    record_type: ProofType
    value: str


def source_of(connection: DnsConnection) -> Source:
    return Source(connection.id, connection.label, connection.kind, dialing.options_of(connection))


async def tried(work: Callable[[], Awaitable[T]]) -> T | Failed:
    """The result, or the refusal in words; nothing here waits for ever."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            return await work()
    except ConnectorError as error:
        return Failed(error.message, dialing.step_of(error), error.permanent)
    except TimeoutError:
        return Failed(f"The DNS provider was not done after {CALL_SECONDS:g} s.", "It is tried again.", False)


def refused(job: Job, application_id: int, account_id: str) -> bool:
    """The right of who applied, asked again now (law 5); a refusal is told and ends the automatic way."""
    try:
        rights.require(job, automatic.RIGHT, Resource("recordset", "", account_id))
    except (CertdeskError, Permanent) as error:
        rights.record_refusal(job, error)
        automatic.note(application_id, "", "FIND", good=False, sentence=str(error), next_step=MANUAL)
        return True
    return False


def record_of(job: Job) -> AutomaticRecord | None:
    return AutomaticRecord.objects.filter(id=int(job.payload["record"])).first()


def change_of(record: AutomaticRecord) -> ToChange | None:
    connection = DnsConnection.objects.filter(id=record.connection_id).first()
    if connection is None:  # `connections.remove` does not allow it while the row is open
        return None
    zone = Zone(record.zone, record.zone_id)
    record_type = cast(ProofType, record.record_type)
    return ToChange(record.id, source_of(connection), zone, record.name, record_type, record.value)


def domain_of(record: AutomaticRecord) -> str:
    found = Challenge.objects.filter(id=record.challenge_id).values_list("authorization_domain", flat=True)
    return found.first() or ""


def note_in_audit(record: AutomaticRecord, action: str) -> None:
    audit.record(
        system_principal(record.account_id, "validation.automatic"),
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
