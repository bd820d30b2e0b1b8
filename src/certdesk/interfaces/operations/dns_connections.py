"""DNS connections, their zones and record sets (API §10); record sets stand as in Huawei DNS v2."""

from certdesk.connectors.dns.providers.protocol import RecordSet
from certdesk.foundation.common.clock import wire
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.validation import connections, zones
from certdesk.lifecycle.validation.models import DnsConnection

from . import paging
from .registry import operation
from .schemas import ConnectionChange, ForceQuery, NewConnection, NewRecordSet, PageQuery, RecordSetChange
from .shapes import Shape

BASE = "/v3/scm/dns-connections"
ONE = f"{BASE}/{{id}}"
RECORD_SETS = f"{ONE}/zones/{{zone}}/recordsets"
C = "scm:dnsConnection"


def _shape(one: DnsConnection) -> Shape:
    """Secrets are `***` for good: they go in and never come out."""
    return {
        "id": one.id,
        "provider": one.kind,
        "label": one.label,
        "options": one.shown,
        "zones": one.zones,
        "problem": say(one.problem),
        "next_step": say(one.next_step),
        "notes": [say(note) for note in one.notes],
        "asked_at": wire(one.asked_at),
        "created_at": wire(one.created_at),
        "updated_at": wire(one.updated_at),
    }


@operation("dns_connections.list", "GET", BASE, f"{C}:list", query=PageQuery)
def listed(principal: Principal, query: PageQuery) -> Shape:
    """The account's DNS connections, oldest first."""
    found = connections.listed(principal)
    rows, behind = paging.after(found, query.limit, query.marker)
    return {"items": [_shape(one) for one in rows], "next_marker": behind}


@operation("dns_connections.create", "POST", BASE, f"{C}:create", request=NewConnection, success=201)
def create(principal: Principal, body: NewConnection) -> Shape:
    """Connects a DNS provider: rfc2136, powerdns, huawei or lexicon. Nothing is asked before the test."""
    return {"id": connections.add(principal, body.provider, body.label, body.options).id}


@operation("dns_connections.show", "GET", ONE, f"{C}:get")
def show(principal: Principal, id: str) -> Shape:  # noqa: A002 the path parameter of the contract
    """One connection, its secrets as `***`."""
    return _shape(connections.fetch(principal, connections.GET, id))


@operation("dns_connections.update", "PUT", ONE, f"{C}:update", request=ConnectionChange)
def update(principal: Principal, id: str, body: ConnectionChange) -> Shape:  # noqa: A002
    """New name or options; `***` keeps a stored secret, unless the server changes."""
    return _shape(connections.edit(principal, id, body.label, body.options))


@operation("dns_connections.delete", "DELETE", ONE, f"{C}:delete", query=ForceQuery, success=204)
def delete(principal: Principal, id: str, query: ForceQuery) -> None:  # noqa: A002
    """Removes a connection and destroys its secrets; refused while records written through it stand."""
    connections.remove(principal, id, force=query.force)


@operation("dns_connections.test", "POST", f"{ONE}/test", f"{C}:test")
def test(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Asks the provider whether zones can be reached and written; changes nothing there."""
    found = connections.test(principal, id)
    return {
        "ok": found.ok,
        "zones": list(found.zones),
        "problem": say(found.problem),
        "next_step": say(found.next_step),
        "notes": [say(note) for note in found.notes],
    }


@operation("dns_connections.zones", "GET", f"{ONE}/zones", f"{C}:listZones", query=PageQuery)
def zone_list(principal: Principal, id: str, query: PageQuery) -> Shape:  # noqa: A002
    """The public zones of a connection, by name."""
    found = sorted(zones.zones(principal, id), key=lambda zone: zone.name)
    rows, more = paging.cut([zone for zone in found if zone.name > query.marker], query.limit)
    items = [{"id": zone.id or zone.name, "name": f"{zone.name}.", "status": "ACTIVE"} for zone in rows]
    return {"items": items, "next_marker": rows[-1].name if more else None}


@operation("recordsets.list", "GET", RECORD_SETS, zones.LIST, query=PageQuery)
def record_sets(principal: Principal, id: str, zone: str, query: PageQuery) -> Shape:  # noqa: A002
    """The record sets of a zone; how many stand on a page is the provider's to say."""
    page = zones.record_sets(principal, id, zone, query.marker)
    return {"items": [_record_set(one, zone) for one in page.items], "next_marker": page.next_marker}


@operation("recordsets.create", "POST", RECORD_SETS, zones.CREATE, request=NewRecordSet, success=201)
def create_record_set(principal: Principal, id: str, zone: str, body: NewRecordSet) -> Shape:  # noqa: A002
    """Adds a record set; TXT values stand in quotation marks."""
    new = RecordSet(body.name, body.type.upper(), body.ttl, tuple(body.records))
    zones.add(principal, id, zone, new)
    return {"id": _id(new)}


@operation("recordsets.show", "GET", f"{RECORD_SETS}/{{recordset_id}}", zones.GET)
def show_record_set(principal: Principal, id: str, zone: str, recordset_id: str) -> Shape:  # noqa: A002
    """One record set as the provider has it now."""
    name, record_type = _read_id(recordset_id)
    return _record_set(zones.record_set(principal, id, zone, name, record_type), zone)


@operation(
    "recordsets.update", "PUT", f"{RECORD_SETS}/{{recordset_id}}", zones.UPDATE, request=RecordSetChange
)
def update_record_set(
    principal: Principal,
    id: str,  # noqa: A002
    zone: str,
    recordset_id: str,
    body: RecordSetChange,
) -> Shape:
    """Replaces TTL and all values of a record set."""
    name, record_type = _read_id(recordset_id)
    new = RecordSet(name, record_type, body.ttl, tuple(body.records))
    zones.modify(principal, id, zone, new)
    return _record_set(new, zone)


@operation("recordsets.delete", "DELETE", f"{RECORD_SETS}/{{recordset_id}}", zones.DELETE, success=204)
def delete_record_set(principal: Principal, id: str, zone: str, recordset_id: str) -> None:  # noqa: A002
    """Deletes a record set whole."""
    name, record_type = _read_id(recordset_id)
    zones.delete(principal, id, zone, name, record_type)


def _id(one: RecordSet) -> str:
    return f"{one.type}@{one.name.rstrip('.')}"


def _read_id(text: str) -> tuple[str, str]:
    """Type and name of an id such as `TXT@_dnsauth.example.com`."""
    record_type, at, name = text.partition("@")
    if not at or not name or not record_type.isalnum():
        raise BadParameter(
            f"{text!r:.80} is no id of a record set.",
            next_step="Take one of the list, e.g. TXT@_dnsauth.example.com.",
            field="recordset_id",
        )
    return name, record_type.upper()


def _record_set(one: RecordSet, zone: str) -> Shape:
    return {
        "id": _id(one),
        "name": f"{one.name.rstrip('.')}.",
        "zone_name": f"{zone.rstrip('.')}.",
        "type": one.type,
        "ttl": one.ttl,
        "records": list(one.values),
        "status": "ACTIVE",
    }
