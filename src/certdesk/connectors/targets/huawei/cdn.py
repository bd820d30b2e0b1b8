"""Huawei Cloud CDN: the certificate of an acceleration domain, in its configuration (API v1.0 and v1.1).

CDN has no certificates apart from its domains, and changes take minutes to reach its nodes.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

import pydantic

from certdesk.connectors.targets import calling, material, returning
from certdesk.connectors.targets.options import LONGEST, Outside
from certdesk.connectors.targets.protocol import Bundle, Reason, Resource, Snapshot, TargetCheck, TargetError
from certdesk.connectors.targets.returning import WithoutWayBack
from certdesk.foundation.common import clock

from .access import Api, HuaweiOptions, Listeners

_PAGE = 100
_OWN = 0
_PAGING = ("page_number", "page_size")


class CdnOptions(HuaweiOptions):
    """As every service, and where clients connect."""

    label: ClassVar[str] = "Huawei Cloud CDN"
    usual_service: ClassVar[str] = "CDN"
    host: ClassVar[str] = "cdn.myhuaweicloud.com"

    listeners: Listeners = pydantic.Field(
        (),
        title="Listeners",
        examples=["203.0.113.7:443"],
        description="host:port where clients connect, each looked at after a deployment. Empty: each domain "
        "at port 443, as its DNS records lead there.",
    )
    without_way_back: WithoutWayBack = False


class Cdn:
    """The acceleration domains of one account."""

    def __init__(
        self, options: CdnOptions, outside: Outside, now: Callable[[], datetime] = clock.real_now
    ) -> None:
        self._options = options
        self._api = Api(options, outside, now)

    async def resources(self) -> tuple[Resource, ...]:
        https = {str(row.get("domain_name")): row for row in await self._https()}
        path, found = "/v1.0/cdn/domains", []
        async for row in self._api.numbered("The list", path, "domains", _PAGE, _PAGING):
            name = str(row.get("domain_name") or "")
            leaf = material.leaf_of(str(https.get(name, {}).get("certificate") or ""))
            where = self._options.listeners or (f"{name.replace('*', 'www', 1)}:443",)
            found.append(Resource(name, (name,), where, leaf.sha1 if leaf else ""))
        return tuple(found)

    async def snapshot(self, resource_id: str) -> Snapshot:
        row = await self._one(resource_id)
        leaf = material.leaf_of(str(row.get("certificate") or ""))
        if "PRIVATE KEY" not in str(row.get("private_key")):
            return returning.one_way(leaf, (resource_id,), self._options.without_way_back)
        kept = _https(str(row.get("cert_name") or ""), str(row["certificate"]), str(row["private_key"]))
        return Snapshot(json.dumps(kept).encode(), leaf.sha256 if leaf else "", (resource_id,))

    async def snapshot_of(self, resource_id: str, previous: Bundle) -> Snapshot:
        row = await self._one(resource_id)
        leaf = material.leaf_of(str(row.get("certificate") or ""))
        returning.same(leaf.sha1 if leaf else "", previous)
        kept = _https(str(row.get("cert_name") or ""), previous.leaf + previous.chain, previous.key)
        return Snapshot(json.dumps(kept).encode(), leaf.sha256 if leaf else "", (resource_id,))

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        await self._one(resource_id)
        name = f"certdesk-{bundle.fingerprint_sha1[:24]}"
        await self._change(resource_id, _https(name, bundle.leaf + bundle.chain, bundle.key))

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        """What CDN took lasts."""

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        kept = json.loads(snapshot.content)
        if not kept:
            returning.unpacked(snapshot)
        await self._change(resource_id, kept)

    async def push(self, name: str, bundle: Bundle) -> Resource:
        raise TargetError(
            Reason.REFUSED,
            "CDN keeps no certificates apart from its domains.",
            "Deploy it to the domain instead.",
        )

    async def test(self) -> TargetCheck:
        try:
            found = await self.resources()
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        return TargetCheck(
            True, found, notes=("The right to change certificates shows only when one is changed.",)
        )

    async def _https(self, **query: str) -> list[dict[str, Any]]:
        path = "/v1.0/cdn/domains/https-certificate-info"
        rows = [row async for row in self._api.numbered("The list", path, "https", _PAGE, _PAGING, **query)]
        if not all(isinstance(row, dict) for row in rows):
            raise calling.no_such_api(self._api.host)
        return rows

    async def _one(self, domain: str) -> dict[str, Any]:
        """The domain's HTTPS as it is.

        Raises:
            TargetError: REFUSED when it has none.
        """
        for row in await self._https(domain_name=domain):
            if row.get("domain_name") == domain and row.get("certificate"):
                return row
        raise TargetError(
            Reason.REFUSED,
            f"The domain {domain} is in CDN without HTTPS, or not at all.",
            "Turn HTTPS on for the domain in CDN, with any certificate, then deploy.",
        )

    async def _change(self, domain: str, https: dict[str, Any]) -> None:
        path = f"/v1.1/cdn/configuration/domains/{quote(domain, safe='')}/configs"
        body = {"configs": {"https": https}}
        await self._api.ask("The change of the domain's certificate", "PUT", path, body=body)


def _https(name: str, certificate: str, key: str) -> dict[str, Any]:
    """The part of a domain's configuration; everything else of it stays."""
    return {
        "https_status": "on",
        "certificate_source": _OWN,
        "certificate_name": name[:LONGEST],
        "certificate_value": certificate,
        "private_key": key,
    }
