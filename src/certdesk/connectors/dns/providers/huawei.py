"""Huawei Cloud DNS v2: public zones and their record sets of the default line, signed with an access key.

Changes are taken up first (PENDING_CREATE, PENDING_UPDATE, PENDING_DELETE) and done a little later: a verb
ends when the service says ACTIVE, or that the set is gone.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

import pydantic

from certdesk.connectors.dns.providers import gate
from certdesk.connectors.dns.providers.answers import BadShape, error_code, parsed, problem
from certdesk.connectors.dns.providers.options import ProviderOptions, Secret
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
from certdesk.connectors.http import Fetched
from certdesk.foundation.common import clock
from certdesk.foundation.common.sdk_signature import sign

PAGE = 500  # the most that the service gives at once
_POLLS = 30
_TAKEN = "DNS.0312"  # "Attribute 'name' conflicts with Record Set …"
_LEAVING = "PENDING_DELETE"


class HuaweiOptions(ProviderOptions):
    """Region and access key."""

    label: ClassVar[str] = "Huawei Cloud DNS"

    region: str = pydantic.Field("cn-north-4", pattern=r"^[a-z0-9-]{1,40}$", title="Region")
    access_key: str = pydantic.Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", title="Access key (AK)")
    secret_key: Secret = pydantic.Field(title="Secret key (SK)")
    project_id: str = pydantic.Field(
        "",
        pattern=r"^[A-Za-z0-9]{0,64}$",
        title="Project id",
        description="Only if the key is for one project.",
    )
    service_url: ServerUrl | None = pydantic.Field(
        None, title="Service address", description="Empty: the region's own. Set it for a private cloud."
    )

    @property
    def base(self) -> str:
        return self.service_url or f"https://dns.{self.region}.myhuaweicloud.com"

    def endpoint(self) -> tuple[str, int]:
        return endpoint_of(self.base)


class Huawei(WholeSets):
    """`Provider` over Huawei Cloud DNS."""

    def __init__(
        self, options: HuaweiOptions, outside: Outside, now: Callable[[], datetime] = clock.real_now
    ) -> None:
        self.outside = outside
        self._options = options
        self._host = urlsplit(options.base).netloc
        self._now = now

    @property
    def place(self) -> str:
        return self._options.base

    async def zones(self, marker: str | None = None) -> Page[Zone]:
        rows, following = await self._list("/v2/zones", {"type": "public"}, marker, "zones")
        try:
            return Page(tuple(Zone(normal(row["name"]), str(row["id"])) for row in rows), following)
        except BadShape:
            raise self._bad_shape() from None

    async def record_sets(self, zone: Zone, marker: str | None = None) -> Page[RecordSet]:
        rows, following = await self._list(_sets(zone), {}, marker, "recordsets")
        return Page(tuple(self._record_set(row) for row in rows), following)

    async def record_set(self, zone: Zone, name: str, record_type: str) -> RecordSet | None:
        found = [one for one in await self._named(zone, name) if one.type == record_type]
        return next((one for one in found if _status(one) != _LEAVING), None)

    async def _named(self, zone: Zone, name: str) -> list[RecordSet]:
        name = inside(zone, name)
        query = {"name": f"{name}.", "search_mode": "equal"}
        rows, _ = await self._list(_sets(zone), query, None, "recordsets")
        return [one for one in map(self._record_set, rows) if one.name == name]

    async def write(self, zone: Zone, old: RecordSet | None, new: RecordSet) -> None:
        body = {"name": f"{new.name}.", "type": new.type, "ttl": new.ttl, "records": list(new.values)}
        what = f"The change of {new.name} {new.type}"
        method, path = ("POST", _sets(zone)) if old is None else ("PUT", _one(zone, _id(old)))
        answer = await self._send(method, path, body)
        if error_code(answer) == _TAKEN:
            raise await self._taken(zone, new, answer, what)
        if answer.status == 404 and old is not None:
            raise problem(answer, what, self._host, Reason.CONTENDED)
        row = parsed(answer, what, self._host)
        await self._settled(zone, self._record_set(row) if row else new)

    async def _taken(self, zone: Zone, new: RecordSet, answer: Fetched, what: str) -> DnsError:
        """Somebody was faster or an old set is still leaving; or another type stands in the way."""
        if any(one.type == new.type for one in await self._named(zone, new.name)):
            return problem(answer, what, self._host, Reason.CONTENDED)
        return problem(answer, what, self._host, Reason.CONFLICT, "Remove what stands there, or use TXT.")

    async def erase(self, zone: Zone, old: RecordSet) -> None:
        answer = await self._send("DELETE", _one(zone, _id(old)))
        if answer.status == 404:
            return
        parsed(answer, f"The deletion of {old.name} {old.type}", self._host)
        await self._settled(zone, old, gone=True)

    async def _settled(self, zone: Zone, record_set: RecordSet, *, gone: bool = False) -> None:
        """Until the set is ACTIVE, or gone.

        Raises:
            DnsError: TIMEOUT when it stays pending; CONFLICT when it is switched off; BAD_ANSWER for ERROR.
        """
        what = f"The change of {record_set.name} {record_set.type}"
        for _ in range(_POLLS):
            answer = await self._send("GET", _one(zone, _id(record_set)))
            if answer.status == 404 and gone:
                return
            status = _status(self._record_set(parsed(answer, what, self._host)))
            if status == "ACTIVE" and not gone:
                return
            if not status.startswith(("PENDING", "ACTIVE")):
                raise self._stuck(what, status)
            await asyncio.sleep(self.outside.settle)
        raise DnsError(Reason.TIMEOUT, f"{what} is still not done at {self._host}.")

    def _stuck(self, what: str, status: str) -> DnsError:
        if status in ("DISABLE", "FREEZE"):
            return DnsError(
                Reason.CONFLICT, f"{what}: the record set is {status}.", "Enable it at the provider."
            )
        return DnsError(Reason.BAD_ANSWER, f"{what} ended as {status:.40} at {self._host}.", "Look there.")

    async def test(self) -> ConnectionCheck:
        """Lists the zones and the first one's record sets; whether they can be changed shows only then."""
        try:
            zones = (await self.zones()).items
            if not zones:
                return ConnectionCheck(False, (), "The account has no public zone.", "Create the zone first.")
            await self.record_set(zones[0], zones[0].name, "SOA")
        except DnsError as error:
            return ConnectionCheck(False, (), error.message, error.next_step)
        note = "The right to change records shows only when one is changed (policy DNS Administrator)."
        return ConnectionCheck(True, tuple(zone.name for zone in zones), notes=(note,))

    async def _list(
        self, path: str, query: Mapping[str, str], marker: str | None, key: str
    ) -> tuple[list[Any], str | None]:
        asked = {**query, "limit": str(PAGE), **({"marker": marker} if marker else {})}
        answer = await self._send("GET", f"{path}?{urlencode(asked, quote_via=quote)}")
        if answer.status == 404:
            raise problem(answer, "The list", self._host, Reason.NO_ZONE, "Check the zone.")
        try:
            rows = list(parsed(answer, "The list", self._host)[key])
            return rows, str(rows[-1]["id"]) if len(rows) >= PAGE else None
        except BadShape:
            raise self._bad_shape() from None

    async def _send(self, method: str, path: str, body: object = None) -> Fetched:
        url = self._options.base + path
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self._options.project_id:
            headers["X-Project-Id"] = self._options.project_id
        secret = self._options.secret_key.get_secret_value()
        signed = sign(
            method, url, self._options.access_key, secret, now=self._now(), body=raw, headers=headers
        )
        return await gate.call(self.outside, method, url, signed, raw)

    def _record_set(self, row: Any) -> RecordSet:
        try:
            values = tuple(map(str, row["records"]))
            return RecordSet(normal(row["name"]), str(row["type"]), int(row["ttl"]), values, row)
        except BadShape:
            raise self._bad_shape() from None

    def _bad_shape(self) -> DnsError:
        return DnsError(
            Reason.BAD_ANSWER, f"{self._host} did not answer as Huawei Cloud DNS does.", "Check the address."
        )


def _sets(zone: Zone) -> str:
    return f"/v2/zones/{quote(zone.id, safe='')}/recordsets"


def _one(zone: Zone, record_set_id: str) -> str:
    return f"{_sets(zone)}/{quote(record_set_id, safe='')}"


def _id(record_set: RecordSet) -> str:
    native: Any = record_set.native
    return str(native["id"]) if native else ""


def _status(record_set: RecordSet) -> str:
    native: Any = record_set.native
    return str(native.get("status", "")) if native else ""
