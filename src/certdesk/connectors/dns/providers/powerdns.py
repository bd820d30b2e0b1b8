"""PowerDNS Authoritative Server, HTTP API v1 (https://doc.powerdns.com/authoritative/http-api/)."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import pydantic

from certdesk.connectors.dns.providers import gate
from certdesk.connectors.dns.providers.answers import BadShape, parsed, problem
from certdesk.connectors.dns.providers.options import ProviderOptions, Secret
from certdesk.connectors.dns.providers.paging import page_of
from certdesk.connectors.dns.providers.protocol import (
    ConnectionCheck,
    DnsError,
    Outside,
    Page,
    Reason,
    RecordSet,
    Zone,
)
from certdesk.connectors.dns.providers.sets import WholeSets
from certdesk.connectors.dns.providers.urls import ServerUrl, endpoint_of
from certdesk.connectors.dns.providers.values import inside, normal

# Copies of another server's zone are not written here.
_COPIES = frozenset({"slave", "secondary", "consumer"})
_SENDS_NOTIFY = frozenset({"master", "primary", "producer"})


class PowerDnsOptions(ProviderOptions):
    """Where the API is, and its key."""

    label: ClassVar[str] = "PowerDNS"

    url: ServerUrl = pydantic.Field(
        title="API address", description="For example https://ns1.example.com:8081"
    )
    api_key: Secret = pydantic.Field(title="API key")
    server_id: str = pydantic.Field(
        "localhost",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        title="Server id",
        description="Almost always localhost.",
    )

    def endpoint(self) -> tuple[str, int]:
        return endpoint_of(self.url)


class PowerDns(WholeSets):
    """`Provider` over the PowerDNS API."""

    def __init__(self, options: PowerDnsOptions, outside: Outside) -> None:
        self.outside = outside
        self._host = urlsplit(options.url).netloc
        self._base = f"{options.url}/api/v1/servers/{options.server_id}"
        self._key = options.api_key

    @property
    def place(self) -> str:
        return self._base

    async def zones(self, marker: str | None = None) -> Page[Zone]:
        return page_of(await self._zones(), marker)

    async def _zones(self) -> tuple[Zone, ...]:
        answer = await self._call("GET", "/zones", what="The list of zones")
        try:
            found = [
                Zone(normal(one["name"]), str(one["id"]))
                for one in answer
                if str(one["kind"]).lower() not in _COPIES and one["name"] != "."
            ]
        except BadShape:
            raise self._bad_shape() from None
        return tuple(sorted(found, key=lambda zone: zone.name))

    async def record_sets(self, zone: Zone, marker: str | None = None) -> Page[RecordSet]:
        found = await self._read(zone, "")
        return page_of(tuple(sorted(found, key=lambda one: (one.name, one.type))), marker)

    async def record_set(self, zone: Zone, name: str, record_type: str) -> RecordSet | None:
        name = inside(zone, name)
        query = f"?rrset_name={quote(name)}.&rrset_type={quote(record_type)}"
        # a server that does not know the filter sends all of them
        found = await self._read(zone, query)
        return next((one for one in found if (one.name, one.type) == (name, record_type)), None)

    async def _read(self, zone: Zone, query: str) -> list[RecordSet]:
        answer = await self._call("GET", _path(zone) + query, what=f"The records of {zone.name}")
        try:
            return [_record_set(one) for one in answer["rrsets"]]
        except BadShape:
            raise self._bad_shape() from None

    async def write(self, zone: Zone, old: RecordSet | None, new: RecordSet) -> None:
        known = _records(old.native) if old else {}
        records = [known.get(value, {"content": value, "disabled": False}) for value in new.values]
        # those that are switched off are no values; they stay as they are
        records += [one for one in known.values() if one["disabled"] and one not in records]
        await self._patch(
            zone,
            {
                "name": f"{new.name}.",
                "type": new.type,
                "ttl": new.ttl,
                "changetype": "REPLACE",
                "records": records,
            },
        )

    async def erase(self, zone: Zone, old: RecordSet) -> None:
        off = [one for one in _records(old.native).values() if one["disabled"]]
        change = "REPLACE" if off else "DELETE"
        await self._patch(
            zone,
            {"name": f"{old.name}.", "type": old.type, "ttl": old.ttl, "changetype": change, "records": off},
        )

    async def _patch(self, zone: Zone, rrset: Mapping[str, Any]) -> None:
        what = f"The change of {rrset['name']} {rrset['type']}"
        await self._call("PATCH", _path(zone), {"rrsets": [rrset]}, what=what)
        await self._notify(zone)

    async def _notify(self, zone: Zone) -> None:
        """Tells the secondaries now, not at the server's next round; the change stands without it."""
        with contextlib.suppress(DnsError):
            answer = await self._call("GET", f"{_path(zone)}?rrsets=false", what=f"The zone {zone.name}")
            if isinstance(answer, dict) and str(answer.get("kind", "")).lower() in _SENDS_NOTIFY:
                await self._call("PUT", f"{_path(zone)}/notify", {}, what=f"The notification of {zone.name}")

    async def test(self) -> ConnectionCheck:
        """Reads the list of zones and the first one: an API key of PowerDNS may do everything or nothing."""
        try:
            zones = await self._zones()
            if not zones:
                return ConnectionCheck(
                    False, (), "The server has no zone that can be written.", "Create the zone first."
                )
            await self.record_set(zones[0], zones[0].name, "SOA")
        except DnsError as error:
            return ConnectionCheck(False, (), error.message, error.next_step)
        return ConnectionCheck(True, tuple(zone.name for zone in zones))

    async def _call(self, method: str, path: str, body: object = None, *, what: str) -> Any:
        headers = {"X-API-Key": self._key.get_secret_value(), "Accept": "application/json"}
        raw = b"" if body is None else json.dumps(body).encode()
        if raw:
            headers["Content-Type"] = "application/json"
        answer = await gate.call(self.outside, method, self._base + path, headers, raw)
        if answer.status == 422 and b"onflict" in answer.body:
            raise problem(answer, what, self._host, Reason.CONFLICT, "Remove what stands there, or use TXT.")
        if answer.status == 404:
            raise problem(answer, what, self._host, Reason.NO_ZONE, "Check the zone and the server id.")
        return parsed(answer, what, self._host)

    def _bad_shape(self) -> DnsError:
        return DnsError(
            Reason.BAD_ANSWER, f"{self._host} did not answer as PowerDNS does.", "Check the API address."
        )


def _path(zone: Zone) -> str:
    return f"/zones/{quote(zone.id or zone.name + '.', safe='.=-_')}"


def _record_set(rrset: Mapping[str, Any]) -> RecordSet:
    values = tuple(str(one["content"]) for one in rrset["records"] if not one["disabled"])
    return RecordSet(normal(rrset["name"]), str(rrset["type"]), int(rrset["ttl"]), values, rrset)


def _records(native: Any) -> dict[str, dict[str, Any]]:
    """The records as they came, by content."""
    return {str(one["content"]): one for one in native["records"]} if native else {}
