"""Kubernetes: Secrets of the type kubernetes.io/tls, changed in place.

A change names the resourceVersion that was read, so nobody's change in between is lost. The API server does
not look at what a Secret holds: certificate and key are compared here.
"""

import base64
import binascii
import json
from typing import Annotated, Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

import pydantic

from certdesk.connectors.dns.providers.options import NO_SECRET, Secret
from certdesk.connectors.http import Fetched
from certdesk.connectors.targets import calling, material, servers
from certdesk.connectors.targets.calling import BadShape
from certdesk.connectors.targets.options import LONGEST, Outside
from certdesk.connectors.targets.protocol import Bundle, Reason, Resource, Snapshot, TargetCheck, TargetError
from certdesk.connectors.targets.servers import Pem, PemKey, ServerOptions

_PAGE = 200
_TRIES = 4
_TYPE = "kubernetes.io/tls"
_CERTIFICATE, _KEY = "tls.crt", "tls.key"
_MANAGED, _PUSHED = "app.kubernetes.io/managed-by", "certdesk.io/pushed"
_CONFLICT = 409
Name = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class KubernetesOptions(ServerOptions):
    """Whose Secrets, and how the API server knows us."""

    label: ClassVar[str] = "Kubernetes TLS secrets"
    usual_service: ClassVar[str] = "OTHER"

    token: Secret = pydantic.Field(
        NO_SECRET, title="Bearer token", description="Of a service account. Empty with a client certificate."
    )
    client_certificate: Pem = pydantic.Field(
        "",
        title="Client certificate",
        description="PEM, in place of the token.",
        json_schema_extra={"kind": "block"},
    )
    client_key: PemKey = pydantic.Field(
        NO_SECRET, title="Key of the client certificate", json_schema_extra={"kind": "secret_block"}
    )
    namespaces: Annotated[tuple[Name, ...], pydantic.Field(min_length=1, max_length=50)] = pydantic.Field(
        title="Namespaces",
        examples=["default"],
        description="Whose Secrets are listed; a push goes to the first one.",
    )
    selector: str = pydantic.Field(
        "",
        max_length=250,
        pattern=r"^[\x21-\x7e]*$",
        title="Label selector",
        description="Only Secrets with these labels, e.g. team=web. Empty: all TLS Secrets.",
    )

    @pydantic.model_validator(mode="after")
    def _one_way_in(self) -> "KubernetesOptions":
        if not self.token.get_secret_value() and not self.client_certificate:
            raise ValueError("give a bearer token or a client certificate")
        return self


class Kubernetes:
    """The TLS Secrets of some namespaces."""

    def __init__(self, options: KubernetesOptions, outside: Outside) -> None:
        self._options, self._outside = options, outside
        key = options.client_key.get_secret_value()
        self._tls = servers.context(options.ca, options.client_certificate, key)
        self._host = urlsplit(options.server_url).netloc

    async def resources(self) -> tuple[Resource, ...]:
        found = []
        for namespace in self._options.namespaces:
            hosts = await self._hosts(namespace)
            query = {"fieldSelector": f"type={_TYPE}"}
            if self._options.selector:
                query["labelSelector"] = self._options.selector
            for row in await self._list(f"/api/v1/namespaces/{namespace}/secrets", query):
                found.append(self._resource(namespace, row, hosts))
        return tuple(found)

    def _resource(self, namespace: str, row: Any, hosts: dict[str, tuple[str, ...]]) -> Resource:
        """Names: of the Ingresses that use it, else its own; what was pushed and is not used yet has none."""
        try:
            name = str(row["metadata"]["name"])
            pushed = _PUSHED in (row["metadata"].get("labels") or {})
            leaf = material.leaf_of(_text(row.get("data") or {}, _CERTIFICATE))
        except BadShape:
            raise calling.no_such_api(self._host) from None
        own = leaf.names if leaf and not pushed else ()
        names = hosts.get(name) or own
        listeners = self._options.listeners if names else ()
        return Resource(f"{namespace}/{name}", names, listeners, leaf.sha1 if leaf else "")

    async def _hosts(self, namespace: str) -> dict[str, tuple[str, ...]]:
        """Hosts by Secret, of the namespace's Ingresses; nothing where we may not list them."""
        try:
            rows = await self._list(f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses", {})
        except TargetError as error:
            if error.reason in (Reason.REFUSED, Reason.NOT_THERE):
                return {}
            raise
        found: dict[str, tuple[str, ...]] = {}
        try:
            for row in rows:
                for one in row["spec"].get("tls") or ():
                    name = str(one.get("secretName") or "")
                    found[name] = found.get(name, ()) + tuple(map(str, one.get("hosts") or ()))
        except BadShape:
            raise calling.no_such_api(self._host) from None
        return {name: tuple(dict.fromkeys(hosts)) for name, hosts in found.items()}

    async def _list(self, path: str, query: dict[str, str]) -> list[Any]:
        rows: list[Any] = []
        after = ""
        while True:
            asked = {**query, "limit": str(_PAGE), **({"continue": after} if after else {})}
            found = await self._ask("The list", "GET", f"{path}?{urlencode(asked, quote_via=quote)}")
            try:
                rows += found["items"]
                after = str(found["metadata"].get("continue") or "")
            except BadShape:
                raise calling.no_such_api(self._host) from None
            if not after:
                return rows

    async def snapshot(self, resource_id: str) -> Snapshot:
        row = await self._read(resource_id)
        try:
            kept = {name: str(row["data"][name]) for name in (_CERTIFICATE, _KEY)}
            leaf = material.leaf_of(_text(kept, _CERTIFICATE))
        except BadShape:
            leaf = None
        if leaf is None:
            raise TargetError(
                Reason.NO_WAY_BACK,
                f"The Secret {resource_id} holds no certificate with a key, so it could not be put back.",
                "Put one into it, then deploy.",
            )
        return Snapshot(json.dumps(kept).encode(), leaf.sha256, leaf.names)

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        await self._write(resource_id, _data(servers.checked(bundle)))

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        """What the API server took lasts."""

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        await self._write(resource_id, json.loads(snapshot.content))

    async def push(self, name: str, bundle: Bundle) -> Resource:
        namespace, name = self._options.namespaces[0], name[:LONGEST].lower()
        data = _data(servers.checked(bundle))
        labels = {_MANAGED: "certdesk", _PUSHED: "true"}
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": _TYPE,
            "metadata": {"name": name, "labels": labels},
            "data": data,
        }
        path = f"/api/v1/namespaces/{namespace}/secrets"
        answer = await self._send("POST", path, body, "application/json")
        resource = Resource(f"{namespace}/{name}", (), (), bundle.fingerprint_sha1)
        if answer.status == _CONFLICT and await self._ours(resource.id):
            await self._write(resource.id, data)
        else:
            calling.parsed(answer, "The push", self._host)
        return resource

    async def _ours(self, resource_id: str) -> bool:
        """Whether it was pushed by us and is not used yet."""
        row = await self._read(resource_id)
        return _PUSHED in (row.get("metadata", {}).get("labels") or {})

    async def test(self) -> TargetCheck:
        try:
            found = await self.resources()
            denied = [one for one in self._options.namespaces if not await self._may_change(one)]
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        notes = (f"Secrets of {', '.join(denied)} may be read, but not changed.",) if denied else ()
        return TargetCheck(True, found, notes=notes)

    async def _may_change(self, namespace: str) -> bool:
        """The API server's own word (SelfSubjectAccessReview, which changes nothing)."""
        attributes = {"namespace": namespace, "verb": "patch", "resource": "secrets"}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = await self._send("POST", path, body, "application/json")
        found = calling.parsed(answer, "The question for our rights", self._host)
        try:
            return bool(found["status"]["allowed"])
        except BadShape:
            raise calling.no_such_api(self._host) from None

    async def _read(self, resource_id: str) -> dict[str, Any]:
        found = await self._ask("The look at the Secret", "GET", _path(resource_id))
        if not isinstance(found, dict):
            raise calling.no_such_api(self._host)
        return found

    async def _write(self, resource_id: str, data: dict[str, str]) -> None:
        """Both parts in one change; read and tried again when somebody else was faster.

        Raises:
            TargetError: BUSY when that happens again and again.
        """
        what = "The change of the Secret"
        for last in (False,) * (_TRIES - 1) + (True,):
            row = await self._read(resource_id)
            try:
                version = str(row["metadata"]["resourceVersion"])
            except BadShape:
                raise calling.no_such_api(self._host) from None
            body = {"metadata": {"resourceVersion": version}, "data": data}
            answer = await self._send("PATCH", _path(resource_id), body, "application/merge-patch+json")
            if answer.status != _CONFLICT or last:
                calling.parsed(answer, what, self._host)
                return

    async def _ask(self, what: str, method: str, path: str) -> Any:
        return calling.parsed(await self._send(method, path), what, self._host)

    async def _send(self, method: str, path: str, body: object = None, kind: str = "") -> Fetched:
        headers = {"Accept": "application/json", **({"Content-Type": kind} if kind else {})}
        token = self._options.token.get_secret_value()
        if token:
            headers["Authorization"] = " ".join(("Bearer", token))
        raw = b"" if body is None else json.dumps(body).encode()
        url = self._options.server_url + path
        return await calling.call(self._outside, method, url, headers, raw, self._tls)


def _path(resource_id: str) -> str:
    namespace, _, name = resource_id.partition("/")
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets/{quote(name, safe='')}"


def _data(bundle: Bundle) -> dict[str, str]:
    found = {_CERTIFICATE: bundle.leaf + bundle.chain, _KEY: bundle.key}
    return {name: base64.b64encode(text.encode()).decode() for name, text in found.items()}


def _text(data: dict[str, Any], name: str) -> str:
    try:
        return base64.b64decode(str(data.get(name) or "")).decode("utf-8", "replace")
    except binascii.Error:
        return ""
