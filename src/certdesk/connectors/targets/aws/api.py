"""Signed calls to ACM (JSON), Elastic Load Balancing v2 (query, XML) and CloudFront (REST, XML)."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree

import pydantic

from certdesk.connectors.dns.providers.options import NO_SECRET, Secret
from certdesk.connectors.dns.providers.urls import ServerUrl, endpoint_of
from certdesk.connectors.http import Fetched
from certdesk.connectors.targets import calling
from certdesk.connectors.targets.calling import BadShape
from certdesk.connectors.targets.huawei.access import Listeners
from certdesk.connectors.targets.options import Outside, TargetOptions
from certdesk.connectors.targets.protocol import Reason, TargetError
from certdesk.connectors.targets.returning import WithoutWayBack

from .sigv4 import Key, sign

_BUSY = ("Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable")
_GONE = ("ResourceNotFoundException", "LoadBalancerNotFound", "ListenerNotFound", "NoSuchDistribution")


class AwsOptions(TargetOptions):
    """Region and access key."""

    label: ClassVar[str] = "AWS Certificate Manager"

    region: str = pydantic.Field(
        "us-east-1",
        pattern=r"^[a-z0-9-]{1,40}$",
        title="Cloud region",
        description="CloudFront takes certificates of us-east-1 alone.",
    )
    access_key: str = pydantic.Field(pattern=r"^[A-Za-z0-9_-]{1,128}$", title="Access key id")
    secret_key: Secret = pydantic.Field(title="Secret access key")
    session_token: Secret = pydantic.Field(
        NO_SECRET, title="Session token", description="Only with temporary keys."
    )
    service_url: ServerUrl | None = pydantic.Field(
        None,
        title="Service address",
        description="Empty: the region's own. One address for all three services.",
    )
    listeners: Listeners = pydantic.Field(
        (),
        title="Listeners",
        examples=["203.0.113.7:443"],
        description="host:port where clients connect, each looked at after a deployment. Empty: the load "
        "balancers and distributions that use the certificate.",
    )
    without_way_back: WithoutWayBack = False

    def base(self, service: str) -> str:
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        own = "cloudfront" if service == "cloudfront" else f"{service}.{self.region}"
        return self.service_url or f"https://{own}.{suffix}"

    def endpoint(self) -> tuple[str, int]:
        return endpoint_of(self.base("acm"))


class Api:
    """The three services of one account and region."""

    def __init__(self, options: AwsOptions, outside: Outside, now: Callable[[], datetime]) -> None:
        self._options, self._outside, self._now = options, outside, now
        secret, token = options.secret_key.get_secret_value(), options.session_token.get_secret_value()
        self._key = Key(options.access_key, secret, token)

    async def acm(self, what: str, action: str, given: dict[str, Any]) -> dict[str, Any]:
        """Raises `TargetError`, as the others here: by the service's code, or else by the status."""
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"CertificateManager.{action}",
        }
        answer = await self._send("acm", "POST", "/", headers, json.dumps(given).encode())
        try:
            code = str(json.loads(answer.body).get("__type", "")).rpartition("#")[2] if answer.body else ""
        except BadShape:
            code = ""
        _by_code(answer, what, code)
        found = calling.parsed(answer, what, self.host("acm"))
        if not isinstance(found, dict):
            raise calling.no_such_api(self.host("acm"))
        return found

    async def balancing(self, action: str, key: str, **given: str) -> list[ElementTree.Element]:
        """The members of list `key` of the answer, all pages."""
        rows: list[ElementTree.Element] = []
        marker = ""
        while True:
            asked = {
                "Action": action,
                "Version": "2015-12-01",
                **given,
                **({"Marker": marker} if marker else {}),
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
            body = urlencode(asked, quote_via=quote).encode()
            answer = await self._send("elasticloadbalancing", "POST", "/", headers, body)
            found = self._xml(answer, "The look at a load balancer", "elasticloadbalancing")
            rows += [one for one in found.iter(key) for one in one.findall("member")]
            marker = next((one.text or "" for one in found.iter("NextMarker")), "")
            if not marker:
                return rows

    async def distribution(self, distribution: str) -> ElementTree.Element:
        path = f"/2020-05-31/distribution/{quote(distribution, safe='')}"
        answer = await self._send("cloudfront", "GET", path, {}, b"")
        return self._xml(answer, "The look at a distribution", "cloudfront")

    def host(self, service: str) -> str:
        return urlsplit(self._options.base(service)).netloc

    async def _send(
        self, service: str, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> Fetched:
        region = self._options.region
        if service == "cloudfront":
            region = "cn-northwest-1" if region.startswith("cn-") else "us-east-1"
        url = self._options.base(service) + path
        scope = (region, service)
        signed = sign(method, url, self._key, scope, now=self._now(), headers=headers, body=body)
        return await calling.call(self._outside, method, url, signed, body)

    def _xml(self, answer: Fetched, what: str, service: str) -> ElementTree.Element:
        """The answer without namespaces. A document type is refused: entities could grow without end."""
        try:
            if b"<!" in answer.body:
                raise ValueError("a document type")
            found = ElementTree.fromstring(answer.body)  # noqa: S314 - without a document type
        except (ValueError, ElementTree.ParseError):
            calling.good(answer, what, self.host(service), "")
            raise calling.no_such_api(self.host(service)) from None
        for one in found.iter():
            one.tag = one.tag.rpartition("}")[2]
        _by_code(answer, what, found.findtext(".//Code") or "")
        calling.good(answer, what, self.host(service), found.findtext(".//Code") or "")
        return found


def _by_code(answer: Fetched, what: str, code: str) -> None:
    """Raises `TargetError` for codes that say more than their status."""
    if answer.status < 400:
        return
    if code in _BUSY:
        raise TargetError(Reason.BUSY, f"{what} failed: AWS answered {code}.")
    if code in _GONE:
        next_step = "Let the target be looked at again (discover)."
        raise TargetError(Reason.NOT_THERE, f"{what} failed: AWS answered {code}.", next_step)
