"""Zones and record sets over a connection (guide §3.2.2 step 3): each change is audited before it is sent."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from certdesk.connectors.dns.providers import zones as provider_zones
from certdesk.connectors.dns.providers.protocol import DnsError, Page, Provider, RecordSet, Zone
from certdesk.connectors.dns.providers.values import normal
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import CertdeskError, NotFound
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, Resource

from . import connections, dialing
from .models import AutomaticRecord, Challenge, DnsConnection, RecordState

LIST_ZONES = "scm:dnsConnection:listZones"
LIST, GET = "dns:recordset:list", "dns:recordset:get"
CREATE, UPDATE, DELETE = "dns:recordset:create", "dns:recordset:update", "dns:recordset:delete"
DEFAULT_TTL = 300
T = TypeVar("T")


def zones(principal: Principal, connection_id: str) -> tuple[Zone, ...]:
    """Every zone of the connection, asked now and kept for pages that do not ask.

    Raises:
        NotFound, Forbidden: as `connections.fetch` with `scm:dnsConnection:listZones`.
        CertdeskError: what the provider answered.
    """
    connection = connections.fetch(principal, LIST_ZONES, connection_id)
    provider = _provider(connection)
    try:
        found = dialing.call(lambda: provider_zones.all_zones(provider), "The list of zones")
    except CertdeskError as error:
        with short_transaction():
            connections.keep(connection.id, None, error.message, error.next_step)
        raise
    with short_transaction():
        connections.keep(connection.id, tuple(zone.name for zone in found))
    return found


def record_sets(principal: Principal, connection_id: str, zone: str, marker: str = "") -> Page[RecordSet]:
    """One page of a zone's record sets.

    Raises:
        NotFound, Forbidden: no such connection or zone, or no `dns:recordset:list`.
        CertdeskError: what the provider answered.
    """
    provider, found = _open(principal, LIST, connection_id, zone)
    return _ask(lambda: provider.record_sets(found, marker or None), f"The list of records of {found.name}")


def record_set(principal: Principal, connection_id: str, zone: str, name: str, record_type: str) -> RecordSet:
    """One record set as it is now.

    Raises:
        as `record_sets` with `dns:recordset:get`; NotFound when there is none.
    """
    provider, found = _open(principal, GET, connection_id, zone)
    seen = _ask(
        lambda: provider.record_set(found, _normal(name), record_type),
        f"The question for {name} {record_type}",
    )
    if seen is None:
        raise NotFound(
            f"The zone {found.name} has no {record_type} records at {name}.",
            next_step="Look for it in the list of record sets.",
        )
    return seen


def add(principal: Principal, connection_id: str, zone: str, new: RecordSet) -> None:
    """Adds a record set.

    Raises:
        as `record_sets` with `dns:recordset:create`; Conflict when the name has records of the type.
    """
    provider, found = _open(principal, CREATE, connection_id, zone)
    _change(
        principal, CREATE, connection_id, found, new, lambda: provider.add_record_set(found, new), new.values
    )


def modify(principal: Principal, connection_id: str, zone: str, new: RecordSet) -> None:
    """Replaces TTL and all values of a record set.

    Raises:
        as `record_sets` with `dns:recordset:update`; NotFound when there is nothing to replace.
    """
    provider, found = _open(principal, UPDATE, connection_id, zone)
    _change(
        principal,
        UPDATE,
        connection_id,
        found,
        new,
        lambda: provider.modify_record_set(found, new),
        new.values,
    )


def delete(principal: Principal, connection_id: str, zone: str, name: str, record_type: str) -> None:
    """Deletes a record set whole.

    Raises:
        as `record_sets` with `dns:recordset:delete`; NotFound when there was none.
    """
    provider, found = _open(principal, DELETE, connection_id, zone)
    gone = RecordSet(_normal(name), record_type, DEFAULT_TTL, ())
    done = _change(
        principal,
        DELETE,
        connection_id,
        found,
        gone,
        lambda: provider.delete_record_set(found, gone.name, record_type),
    )
    if not done:
        raise NotFound(
            f"The zone {found.name} has no {record_type} records at {name}.",
            next_step="Look for it in the list of record sets.",
        )


def needed_names(account_id: str) -> frozenset[str]:
    """Names at which a proof record of an open application stands or is asked for (DOM-6)."""
    asked = Challenge.objects.filter(account_id=account_id, application__state="OPEN").exclude(record_name="")
    written = AutomaticRecord.objects.filter(account_id=account_id).exclude(state=RecordState.REMOVED)
    return frozenset(asked.values_list("record_name", flat=True)) | frozenset(
        written.values_list("name", flat=True)
    )


def _open(principal: Principal, action: str, connection_id: str, zone: str) -> tuple[Provider, Zone]:
    """The connector and the zone, if the connection really has it.

    The connection is fetched with the right to see it; the record's own right is asked on the zone.
    """
    connection = connections.fetch(principal, LIST_ZONES, connection_id)
    principal.require(action, Resource("recordset", zone, connection.account_id))
    provider, wanted = _provider(connection), _normal(zone)
    found = _ask(lambda: provider_zones.all_zones(provider), "The list of zones")
    for one in found:
        if one.name == wanted:
            return provider, one
    raise NotFound(f"The connection has no zone {wanted}.", next_step="Look at the list of its zones.")


def _provider(connection: DnsConnection) -> Provider:
    try:
        return dialing.provider_of(connection)
    except DnsError as error:
        raise dialing.refusal(error) from None


def _ask(work: Callable[[], Awaitable[T]], what: str) -> T:
    return dialing.call(work, what)


def _normal(name: str) -> str:
    try:
        return normal(name)
    except ConnectorError as error:
        raise dialing.refusal(error, field="name") from None


def _change(
    principal: Principal,
    action: str,
    connection_id: str,
    zone: Zone,
    record_set: RecordSet,
    work: Callable[[], Awaitable[T]],
    values: tuple[str, ...] = (),
) -> T:
    """The intent is on record before anything is sent; what became of it follows."""
    about = {"zone": zone.name, "name": record_set.name, "type": record_set.type, "values": len(values)}

    def note(outcome: str) -> None:
        with short_transaction():
            audit.record(
                principal,
                action,
                resource=f"dnsConnection:{connection_id}",
                details={**about, "outcome": outcome},
            )

    note("sent")
    try:
        done = _ask(work, f"The change of {record_set.name} {record_set.type}")
    except CertdeskError as error:
        note(f"refused: {error.message}"[:300])
        raise
    note("done")
    return done
