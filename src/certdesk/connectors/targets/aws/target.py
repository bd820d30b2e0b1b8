"""AWS Certificate Manager: imported certificates, replaced under the same ARN.

What uses the ARN (listeners of Elastic Load Balancing v2, CloudFront) then serves the new one. ACM gives
no private key of an import out: the way back is ours (`returning`).
"""

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

from certdesk.connectors.targets import calling, material, returning
from certdesk.connectors.targets.calling import BadShape
from certdesk.connectors.targets.options import LONGEST, Outside
from certdesk.connectors.targets.protocol import Bundle, Resource, Snapshot, TargetCheck, TargetError
from certdesk.foundation.common import clock

from .api import Api, AwsOptions

_PAGE = 100
_IMPORTED = "IMPORTED"
_TLS = frozenset({"HTTPS", "TLS"})
# Without them ACM lists RSA keys of up to 2048 bits alone.
_KEY_TYPES = ["RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1"]


class Aws:
    """The imported certificates of one account and region."""

    def __init__(
        self, options: AwsOptions, outside: Outside, now: Callable[[], datetime] = clock.real_now
    ) -> None:
        self._options = options
        self._api = Api(options, outside, now)

    async def resources(self) -> tuple[Resource, ...]:
        edges: dict[str, dict[str, list[str]]] = {}
        return tuple([await self._resource(arn, edges) for arn in await self._imported()])

    async def _imported(self) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            asked = {"Includes": {"keyTypes": _KEY_TYPES}, "MaxItems": _PAGE}
            page = await self._api.acm(
                "The list", "ListCertificates", {**asked, **({"NextToken": token} if token else {})}
            )
            try:
                rows = page["CertificateSummaryList"]
                found += [str(row["CertificateArn"]) for row in rows if row.get("Type") == _IMPORTED]
            except BadShape:
                raise calling.no_such_api(self._api.host("acm")) from None
            token = str(page.get("NextToken") or "")
            if not token:
                return found

    async def _resource(self, arn: str, edges: dict[str, dict[str, list[str]]]) -> Resource:
        described = await self._api.acm(
            "The look at the certificate", "DescribeCertificate", {"CertificateArn": arn}
        )
        try:
            users = [str(one) for one in described["Certificate"].get("InUseBy") or ()]
        except BadShape:
            raise calling.no_such_api(self._api.host("acm")) from None
        leaf = material.leaf_of(await self._pem(arn))
        listeners = list(self._options.listeners) if users else []
        for user in users if not self._options.listeners else ():
            if user not in edges:
                edges[user] = await self._edges(user)
            listeners += edges[user].get(arn, edges[user].get("", []))
        names = leaf.names if leaf and users else ()
        return Resource(arn, names, tuple(dict.fromkeys(listeners)), leaf.sha1 if leaf else "")

    async def _edges(self, user: str) -> dict[str, list[str]]:
        """host:port by certificate (empty = whichever) of a load balancer or a distribution, else nothing."""
        if ":distribution/" in user:
            found = await self._api.distribution(user.rpartition("/")[2])
            name = found.findtext(".//DomainName")
            return {"": [f"{name}:443"]} if name else {}
        if ":loadbalancer/app/" not in user and ":loadbalancer/net/" not in user:
            return {}
        rows = await self._api.balancing(
            "DescribeLoadBalancers", "LoadBalancers", **{"LoadBalancerArns.member.1": user}
        )
        host = rows[0].findtext("DNSName") if rows else ""
        edges: dict[str, list[str]] = {}
        for row in await self._api.balancing("DescribeListeners", "Listeners", LoadBalancerArn=user):
            if host and row.findtext("Protocol") in _TLS:
                used = await self._api.balancing(
                    "DescribeListenerCertificates",
                    "Certificates",
                    ListenerArn=row.findtext("ListenerArn") or "",
                )
                for one in used:
                    place = f"{host}:{row.findtext('Port')}"
                    edges.setdefault(one.findtext("CertificateArn") or "", []).append(place)
        return edges

    async def _pem(self, arn: str) -> str:
        given = {"CertificateArn": arn}
        found = await self._api.acm("The look at the certificate", "GetCertificate", given)
        return str(found.get("Certificate") or "")

    async def snapshot(self, resource_id: str) -> Snapshot:
        leaf = material.leaf_of(await self._pem(resource_id))
        return returning.one_way(leaf, leaf.names if leaf else (), self._options.without_way_back)

    async def snapshot_of(self, resource_id: str, previous: Bundle) -> Snapshot:
        leaf = material.leaf_of(await self._pem(resource_id))
        returning.same(leaf.sha1 if leaf else "", previous)
        return returning.packed(previous)

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        await self._pem(resource_id)  # an ARN that is gone is told as that
        given = {"CertificateArn": resource_id, **_fields(bundle)}
        await self._api.acm("The change of the certificate", "ImportCertificate", given)

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        """What ACM took lasts."""

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        await self.install(resource_id, returning.unpacked(snapshot))

    async def push(self, name: str, bundle: Bundle) -> Resource:
        given: dict[str, Any] = {**_fields(bundle), "Tags": [{"Key": "Name", "Value": name[:LONGEST]}]}
        made = await self._api.acm("The push", "ImportCertificate", given)
        try:
            return Resource(str(made["CertificateArn"]), (), (), bundle.fingerprint_sha1)
        except BadShape:
            raise calling.no_such_api(self._api.host("acm")) from None

    async def test(self) -> TargetCheck:
        try:
            found = await self.resources()
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        note = "The right to change certificates shows only when one is changed."
        return TargetCheck(True, found, notes=(note,))


def _fields(bundle: Bundle) -> dict[str, Any]:
    """The parts as ACM takes them: each PEM in Base64; no chain at all rather than an empty one."""
    parts = {"Certificate": bundle.leaf, "PrivateKey": bundle.key, "CertificateChain": bundle.chain}
    return {name: base64.b64encode(text.encode()).decode() for name, text in parts.items() if text.strip()}
