"""Huawei Cloud Elastic Load Balance, API v3: certificate objects, changed in place.

A change of a certificate object holds for all listeners that use it at once (DEP-4), names included. ELB
gives private keys out unless the project has switched that off (`private-key-echo`): that is the way back.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

import pydantic

from certdesk.connectors.targets import calling, material, returning
from certdesk.connectors.targets.calling import BadShape
from certdesk.connectors.targets.options import LONGEST, Outside
from certdesk.connectors.targets.protocol import Bundle, Resource, Snapshot, TargetCheck, TargetError
from certdesk.connectors.targets.returning import WithoutWayBack
from certdesk.foundation.common import clock

from .access import Api, Listeners, ProjectOptions

_PAGE = 200
_TLS = frozenset({"HTTPS", "TERMINATED_HTTPS", "QUIC", "TLS"})


class ElbOptions(ProjectOptions):
    """As every service with a project, and where clients connect."""

    label: ClassVar[str] = "Huawei Cloud ELB"
    host: ClassVar[str] = "elb.{region}.myhuaweicloud.com"

    listeners: Listeners = pydantic.Field(
        (),
        title="Listeners",
        examples=["203.0.113.7:443"],
        description="host:port where clients connect, each looked at after a deployment. Empty: the load "
        "balancers' public addresses, as ELB tells them.",
    )
    without_way_back: WithoutWayBack = False


class Elb:
    """The certificates of one project's load balancers."""

    def __init__(
        self, options: ElbOptions, outside: Outside, now: Callable[[], datetime] = clock.real_now
    ) -> None:
        self._options = options
        self._api = Api(options, outside, now)
        self._root = f"/v3/{options.project_id}/elb"

    async def resources(self) -> tuple[Resource, ...]:
        used: dict[str, list[str]] = {}
        defaults: set[str] = set()
        for row in await self._listeners():
            default, others = row.get("default_tls_container_ref"), row.get("sni_container_refs") or ()
            defaults.add(str(default))
            for one in {default, *others} - {None, ""}:
                used.setdefault(str(one), []).extend(row["where"])
        rows = await self._list("certificates", {"type": "server"})
        try:
            return tuple(
                self._resource(row, used.get(str(row["id"])), str(row["id"]) in defaults) for row in rows
            )
        except BadShape:
            raise calling.no_such_api(self._api.host) from None

    def _resource(self, row: Any, listeners: Sequence[str] | None, default: bool) -> Resource:
        """A default certificate is served for its own names; one by SNI for those that ELB was told."""
        leaf = material.leaf_of(row.get("certificate") or "")
        sha1 = leaf.sha1 if leaf else ""
        if listeners is None:
            return Resource(str(row["id"]), (), (), sha1)
        names = _domains(row) or (leaf.names if leaf and default else ())
        return Resource(str(row["id"]), names, tuple(dict.fromkeys(listeners)), sha1)

    async def _listeners(self) -> list[dict[str, Any]]:
        """Those that end TLS, with `where`: their addresses as host:port."""
        rows = [row for row in await self._list("listeners", {}) if row.get("protocol") in _TLS]
        addresses: dict[str, list[str]] = {}
        for row in rows:
            row["where"] = list(self._options.listeners)
            for balancer in row.get("loadbalancers") or () if not self._options.listeners else ():
                found = str(balancer["id"])
                if found not in addresses:
                    addresses[found] = await self._addresses(found)
                row["where"] += [f"{one}:{row['protocol_port']}" for one in addresses[found]]
        return rows

    async def _addresses(self, balancer: str) -> list[str]:
        """Public ones where there are some, else the private one."""
        path = f"{self._root}/loadbalancers/{quote(balancer, safe='')}"
        try:
            row = (await self._api.ask("The look at a load balancer", "GET", path))["loadbalancer"]
            public = [str(one["eip_address"]) for one in row.get("eips") or () if one.get("eip_address")]
            return public or [str(row["vip_address"])]
        except BadShape:
            raise calling.no_such_api(self._api.host) from None

    async def _list(self, key: str, query: dict[str, str]) -> list[Any]:
        rows: list[Any] = []
        marker = ""
        while True:
            asked = {**query, "limit": str(_PAGE), **({"marker": marker} if marker else {})}
            found = await self._api.ask("The list", "GET", f"{self._root}/{key}", asked)
            try:
                rows += found[key]
                marker = str((found.get("page_info") or {}).get("next_marker") or "")
            except BadShape:
                raise calling.no_such_api(self._api.host) from None
            if not marker or not found[key]:
                return rows

    async def snapshot(self, resource_id: str) -> Snapshot:
        row = await self._one(resource_id)
        leaf = material.leaf_of(row.get("certificate") or "")
        names = _domains(row) or (leaf.names if leaf else ())
        if "PRIVATE KEY" not in str(row.get("private_key")):
            return returning.one_way(leaf, names, self._options.without_way_back)
        kept = {name: row.get(name) or "" for name in ("certificate", "private_key", "domain")}
        return Snapshot(json.dumps(kept).encode(), leaf.sha256 if leaf else "", names)

    async def snapshot_of(self, resource_id: str, previous: Bundle) -> Snapshot:
        row = await self._one(resource_id)
        leaf = material.leaf_of(row.get("certificate") or "")
        returning.same(leaf.sha1 if leaf else "", previous)
        kept = {**_fields(previous), "domain": row.get("domain") or ""}
        return Snapshot(json.dumps(kept).encode(), leaf.sha256 if leaf else "", previous.names)

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        await self._change(resource_id, {**_fields(bundle), "domain": ",".join(bundle.names)})

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        """What ELB took lasts."""

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        kept = json.loads(snapshot.content)
        if not kept:
            returning.unpacked(snapshot)
        await self._change(resource_id, kept)

    async def push(self, name: str, bundle: Bundle) -> Resource:
        given = {
            "name": name[:LONGEST],
            "type": "server",
            **_fields(bundle),
            "domain": ",".join(bundle.names),
        }
        body = {"certificate": given}
        made = await self._api.ask("The push", "POST", f"{self._root}/certificates", body=body)
        try:
            return Resource(str(made["certificate"]["id"]), (), (), bundle.fingerprint_sha1)
        except BadShape:
            raise calling.no_such_api(self._api.host) from None

    async def test(self) -> TargetCheck:
        try:
            found = await self.resources()
            echo = await self._api.ask(
                "The look at the settings", "GET", f"{self._root}/certificates/settings/private-key-echo"
            )
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        notes = ["The right to change certificates shows only when one is changed."]
        if not (isinstance(echo, dict) and echo.get("private_key_echo")):
            notes.append(
                "This project does not show private keys (private-key-echo is off): only certificates of "
                "this account can be put back."
            )
        return TargetCheck(True, found, notes=tuple(notes))

    async def _one(self, resource_id: str) -> dict[str, Any]:
        found = await self._api.ask("The look at the certificate", "GET", self._path(resource_id))
        try:
            return dict(found["certificate"])
        except BadShape:
            raise calling.no_such_api(self._api.host) from None

    async def _change(self, resource_id: str, fields: dict[str, Any]) -> None:
        body = {"certificate": fields}
        await self._api.ask("The change of the certificate", "PUT", self._path(resource_id), body=body)

    def _path(self, resource_id: str) -> str:
        return f"{self._root}/certificates/{quote(resource_id, safe='')}"


def _fields(bundle: Bundle) -> dict[str, str]:
    return {"certificate": bundle.leaf + bundle.chain, "private_key": bundle.key}


def _domains(row: Any) -> tuple[str, ...]:
    return tuple(one.strip() for one in str(row.get("domain") or "").split(",") if one.strip())
