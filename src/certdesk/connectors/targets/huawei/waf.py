"""Huawei Cloud Web Application Firewall, API v1, in the default enterprise project (DEP-3, DEP-8).

A resource is a protected domain. The new certificate becomes an object of its own that is then applied to
the domain; the old object stays, so the way back is to apply it again. Unused objects have no names.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import pydantic

from certdesk.connectors.targets import calling, material
from certdesk.connectors.targets.calling import BadShape
from certdesk.connectors.targets.options import LONGEST, Outside
from certdesk.connectors.targets.protocol import Bundle, Reason, Resource, Snapshot, TargetCheck, TargetError
from certdesk.foundation.common import clock

from .access import Api, Listeners, ProjectOptions

_PAGE = 100
_EXPIRED = 1
_DEFAULT_PROJECT = "0"
_OURS = "certdesk-"
_HOST, _CERTIFICATE = "domain/", "certificate/"
_PAGING = ("page", "pagesize")


class WafOptions(ProjectOptions):
    """As every service with a project, which WAF it is, and where clients connect."""

    label: ClassVar[str] = "Huawei Cloud WAF"
    usual_service: ClassVar[str] = "WAF"
    host: ClassVar[str] = "waf.{region}.myhuaweicloud.com"

    edition: Literal["cloud", "premium"] = pydantic.Field(
        "cloud", title="Edition", description="cloud = cloud mode, premium = dedicated mode."
    )
    listeners: Listeners = pydantic.Field(
        (),
        title="Listeners",
        examples=["203.0.113.7:443"],
        description="host:port where clients connect, each looked at after a deployment. Empty: each domain "
        "at port 443, as its DNS records lead there.",
    )


class Waf:
    """The protected domains of one project."""

    def __init__(
        self, options: WafOptions, outside: Outside, now: Callable[[], datetime] = clock.real_now
    ) -> None:
        self._options = options
        self._api = Api(options, outside, now)
        self._root = f"/v1/{options.project_id}"
        cloud = options.edition == "cloud"
        self._hosts = f"{self._root}/waf/instance" if cloud else f"{self._root}/premium-waf/host"
        self._certificates = f"{self._root}/waf/certificate"

    async def resources(self) -> tuple[Resource, ...]:
        objects = {str(row["id"]): row for row in await self._list(self._certificates)}
        held: dict[str, str] = {}
        found = []
        for row in await self._list(self._hosts):
            host = await self._host(str(row["id"]))
            held_id = str(host.get("certificateid") or "") if _https(host) else ""
            if held_id and held_id not in held:
                held[held_id] = await self._sha1(held_id)
            found.append(self._resource(host, held.get(held_id, "")))
        for one in objects.keys() - held.keys():
            found.append(Resource(_CERTIFICATE + one, (), (), await self._sha1(one)))
        return tuple(found)

    def _resource(self, host: dict[str, Any], sha1: str) -> Resource:
        name, _, port = str(host["hostname"]).partition(":")
        where = self._options.listeners or (f"{name.replace('*', 'www', 1)}:{port or 443}",)
        return Resource(f"{_HOST}{host['id']}", (name,), where, sha1)

    async def _sha1(self, certificate: str) -> str:
        row = await self._one(f"{self._certificates}/{quote(certificate, safe='')}")
        leaf = material.leaf_of(str(row.get("content") or ""))
        return leaf.sha1 if leaf else ""

    async def snapshot(self, resource_id: str) -> Snapshot:
        host = await self._host(_inside(resource_id))
        _check_https(host)
        held = str(host.get("certificateid") or "")
        row = await self._one(f"{self._certificates}/{quote(held, safe='')}")
        leaf = material.leaf_of(str(row.get("content") or ""))
        if leaf is None:
            raise TargetError(
                Reason.NO_WAY_BACK,
                f"WAF does not show the certificate of {host['hostname']}, so it could not be put back.",
                "Choose a certificate for the domain in WAF once, then deploy.",
            )
        names = (str(host["hostname"]).partition(":")[0],)
        return Snapshot(json.dumps({"certificate": held}).encode(), leaf.sha256, names)

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        host = await self._host(_inside(resource_id))
        _check_https(host)
        name = f"{_OURS}{bundle.fingerprint_sha1[:24]}"
        there = [row for row in await self._list(self._certificates, name=name) if row.get("name") == name]
        made = str(there[0]["id"]) if there else (await self._create(name, bundle))
        await self._apply(made, str(host["id"]))

    async def _create(self, name: str, bundle: Bundle) -> str:
        body = {"name": name, "content": bundle.leaf + bundle.chain, "key": bundle.key}
        query = {"enterprise_project_id": _DEFAULT_PROJECT}
        made = await self._api.ask("The upload", "POST", self._certificates, query, body)
        try:
            return str(made["id"])
        except BadShape:
            raise calling.no_such_api(self._api.host) from None

    async def _apply(self, certificate: str, host: str) -> None:
        cloud = self._options.edition == "cloud"
        body = {"cloud_host_ids": [host] if cloud else [], "premium_host_ids": [] if cloud else [host]}
        path = f"{self._certificates}/{quote(certificate, safe='')}/apply-to-hosts"
        query = {"enterprise_project_id": _DEFAULT_PROJECT}
        await self._api.ask("The change of the domain's certificate", "POST", path, query, body)

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        """Lasts already; our objects that have expired and that no domain uses any more are removed."""
        for row in await self._list(self._certificates, exp_status=str(_EXPIRED)):
            ours = str(row.get("name") or "").startswith(_OURS)
            if ours and row.get("exp_status") == _EXPIRED and not row.get("bind_host"):
                path = f"{self._certificates}/{quote(str(row['id']), safe='')}"
                query = {"enterprise_project_id": _DEFAULT_PROJECT}
                await self._api.ask("The removal of an expired certificate", "DELETE", path, query)

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        await self._apply(str(json.loads(snapshot.content)["certificate"]), _inside(resource_id))

    async def push(self, name: str, bundle: Bundle) -> Resource:
        made = await self._create(name[:LONGEST], bundle)
        return Resource(_CERTIFICATE + made, (), (), bundle.fingerprint_sha1)

    async def test(self) -> TargetCheck:
        try:
            found = await self.resources()
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        return TargetCheck(
            True, found, notes=("The right to change certificates shows only when one is changed.",)
        )

    async def _host(self, host: str) -> dict[str, Any]:
        found = await self._one(f"{self._hosts}/{quote(host, safe='')}")
        if not found.get("hostname") or not found.get("id"):
            raise calling.no_such_api(self._api.host)
        return found

    async def _one(self, path: str) -> dict[str, Any]:
        query = {"enterprise_project_id": _DEFAULT_PROJECT}
        found = await self._api.ask("The look at the firewall", "GET", path, query)
        if not isinstance(found, dict):
            raise calling.no_such_api(self._api.host)
        return found

    async def _list(self, path: str, **query: str) -> list[dict[str, Any]]:
        asked = {"enterprise_project_id": _DEFAULT_PROJECT, **query}
        rows = [row async for row in self._api.numbered("The list", path, "items", _PAGE, _PAGING, **asked)]
        if not all(isinstance(row, dict) and row.get("id") for row in rows):
            raise calling.no_such_api(self._api.host)
        return rows


def _inside(resource_id: str) -> str:
    """The domain's id at WAF.

    Raises:
        TargetError: NOT_THERE for an unused certificate object.
    """
    if not resource_id.startswith(_HOST):
        raise TargetError(
            Reason.NOT_THERE,
            "No domain of WAF uses this certificate, so nothing would be served by a deployment.",
            "Deploy to one of the domains.",
        )
    return resource_id.removeprefix(_HOST)


def _https(host: dict[str, Any]) -> bool:
    servers = [one for one in host.get("server") or () if isinstance(one, dict)]
    return any(str(one.get("front_protocol")).upper() == "HTTPS" for one in servers)


def _check_https(host: dict[str, Any]) -> None:
    """DEP-3.

    Raises:
        TargetError: REFUSED.
    """
    if not _https(host):
        raise TargetError(
            Reason.REFUSED,
            f"The domain {host['hostname']} is in WAF without HTTPS.",
            "Turn HTTPS on for the domain in WAF, with any certificate, then deploy.",
        )
