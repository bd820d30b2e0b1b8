"""OpenBao or Vault: certificates in a KV store of version 2, from where servers fetch them.

Each change is a version of its own, written only if the version that was read is still the newest
(check-and-set); the previous one stays in the store too. The store does not look at what it holds:
certificate and key are compared here.
"""

import json
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import pydantic

from certdesk.connectors.dns.providers.options import NO_SECRET, Secret
from certdesk.connectors.http import Fetched
from certdesk.connectors.targets import calling, material, servers
from certdesk.connectors.targets.calling import BadShape
from certdesk.connectors.targets.options import LONGEST, Outside
from certdesk.connectors.targets.protocol import Bundle, Reason, Resource, Snapshot, TargetCheck, TargetError
from certdesk.connectors.targets.servers import ServerOptions

_TRIES = 4
_MARK = "certdesk"
_PUSHED = "pushed"
_PATH = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,100}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,100}){0,8}$"


class VaultOptions(ServerOptions):
    """Where in the store, and how it knows us."""

    label: ClassVar[str] = "OpenBao or Vault"
    usual_service: ClassVar[str] = "OTHER"

    token: Secret = pydantic.Field(NO_SECRET, title="Token", description="Empty with an AppRole.")
    role_id: str = pydantic.Field("", max_length=200, pattern=r"^[\x21-\x7e]*$", title="AppRole: role id")
    secret_id: Secret = pydantic.Field(NO_SECRET, title="AppRole: secret id")
    role_mount: str = pydantic.Field("approle", pattern=_PATH, title="AppRole: mount")
    namespace: str = pydantic.Field(
        "", max_length=200, pattern=r"^[\x21-\x7e]*$", title="Namespace", description="Empty for the root."
    )
    mount: str = pydantic.Field("secret", pattern=_PATH, title="Mount of the KV store")
    folder: str = pydantic.Field(
        "certificates", pattern=_PATH, title="Folder", description="Each secret in it is one certificate."
    )
    certificate_field: str = pydantic.Field(
        "certificate",
        pattern=r"^[A-Za-z0-9_.-]{1,100}$",
        title="Field of the certificate",
        description="It holds the certificate and those above it, in PEM.",
    )
    key_field: str = pydantic.Field(
        "private_key", pattern=r"^[A-Za-z0-9_.-]{1,100}$", title="Field of the private key"
    )

    @pydantic.model_validator(mode="after")
    def _one_way_in(self) -> "VaultOptions":
        if not self.token.get_secret_value() and not (self.role_id and self.secret_id.get_secret_value()):
            raise ValueError("give a token, or role id and secret id")
        return self


class Vault:
    """One folder of one KV store."""

    def __init__(self, options: VaultOptions, outside: Outside) -> None:
        self._options, self._outside = options, outside
        self._tls = servers.context(options.ca)
        self._host = urlsplit(options.server_url).netloc
        self._token = options.token.get_secret_value()

    async def resources(self) -> tuple[Resource, ...]:
        path = f"{self._options.mount}/metadata/{self._options.folder}?list=true"
        answer = await self._send("GET", path)
        if answer.status == 404:  # an empty folder is none
            return ()
        found = calling.parsed(answer, "The list", self._host)
        try:
            names = [str(one) for one in found["data"]["keys"] if not str(one).endswith("/")]
        except BadShape:
            raise calling.no_such_api(self._host) from None
        rows = [(name, await self._read(name, gone=True)) for name in names]
        return tuple(self._resource(name, row) for name, row in rows if row is not None)

    def _resource(self, name: str, row: dict[str, Any]) -> Resource:
        leaf = material.leaf_of(self._certificate(row))
        mark = (row["metadata"].get("custom_metadata") or {}).get(_MARK)
        names = leaf.names if leaf and mark != _PUSHED else ()
        return Resource(name, names, self._options.listeners if names else (), leaf.sha1 if leaf else "")

    def _certificate(self, row: dict[str, Any]) -> str:
        return str(row["data"].get(self._options.certificate_field) or "")

    async def snapshot(self, resource_id: str) -> Snapshot:
        row = await self._known(resource_id)
        leaf = material.leaf_of(self._certificate(row))
        if leaf is None or not row["data"].get(self._options.key_field):
            raise TargetError(
                Reason.NO_WAY_BACK,
                f"The secret {resource_id} holds no certificate with a key, so it could not be put back.",
                "Put one into it, then deploy.",
            )
        return Snapshot(json.dumps(row["data"]).encode(), leaf.sha256, leaf.names)

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        await self._write(resource_id, self._fields(servers.checked(bundle)))

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        """What the store took lasts."""

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        await self._write(resource_id, json.loads(snapshot.content))

    async def push(self, name: str, bundle: Bundle) -> Resource:
        name, fields = name[:LONGEST], self._fields(servers.checked(bundle))
        mark = {"custom_metadata": {_MARK: _PUSHED}}
        there = await self._read(name, gone=True)
        if there is None:
            path = f"{self._options.mount}/metadata/{self._options.folder}/{quote(name, safe='')}"
            calling.parsed(await self._send("POST", path, mark), "The push", self._host)
            body = {"options": {"cas": 0}, "data": fields}
            calling.parsed(await self._send("POST", self._path(name), body), "The push", self._host)
        elif self._resource(name, there).names:
            raise TargetError(
                Reason.REFUSED, f"The secret {name} is there already and in use.", "Deploy to it instead."
            )
        else:
            await self._write(name, fields)
        return Resource(name, (), (), bundle.fingerprint_sha1)

    async def test(self) -> TargetCheck:
        folder = f"{self._options.mount}/data/{self._options.folder}/x"
        try:
            found = await self.resources()
            answer = await self._send("POST", "sys/capabilities-self", {"paths": [folder]})
            allowed = calling.parsed(answer, "The question for our rights", self._host)["data"][folder]
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        except BadShape:
            wrong = calling.no_such_api(self._host)
            return TargetCheck(False, (), wrong.message, wrong.next_step)
        denied = not {"root", "update"} & set(allowed)
        notes = ("The folder may be read, but not changed.",) if denied else ()
        return TargetCheck(True, found, notes=notes)

    def _fields(self, bundle: Bundle) -> dict[str, str]:
        return {
            self._options.certificate_field: bundle.leaf + bundle.chain,
            self._options.key_field: bundle.key,
        }

    async def _known(self, name: str) -> dict[str, Any]:
        row = await self._read(name)
        if row is None:  # pragma: no cover - `_read` raises for it
            raise calling.no_such_api(self._host)
        return row

    async def _read(self, name: str, *, gone: bool = False) -> dict[str, Any] | None:
        """`data` and `metadata` of the newest version; None (with `gone`) where there is none."""
        answer = await self._send("GET", self._path(name))
        if answer.status == 404 and gone:
            return None
        found = calling.parsed(answer, "The look at the secret", self._host)
        try:
            row = {"data": dict(found["data"]["data"]), "metadata": dict(found["data"]["metadata"])}
            int(row["metadata"]["version"])
        except BadShape:
            raise calling.no_such_api(self._host) from None
        return row

    async def _write(self, name: str, fields: dict[str, Any]) -> None:
        """A new version with these fields, other fields as they are; again when somebody else was faster.

        Raises:
            TargetError: BUSY when that happens again and again.
        """
        for _ in range(_TRIES):
            row = await self._known(name)
            body = {"options": {"cas": row["metadata"]["version"]}, "data": {**row["data"], **fields}}
            answer = await self._send("POST", self._path(name), body)
            if answer.status != 400 or b"check-and-set" not in answer.body:
                calling.parsed(answer, "The change of the secret", self._host)
                return
        raise TargetError(Reason.BUSY, f"The secret {name} is changed by somebody else all the time.")

    def _path(self, name: str) -> str:
        return f"{self._options.mount}/data/{self._options.folder}/{quote(name, safe='')}"

    async def _send(self, method: str, path: str, body: object = None) -> Fetched:
        """One call; signs in first where an AppRole is used."""
        if not self._token:
            self._token = await self._signed_in()
        return await self._call(method, path, body, {"X-Vault-Token": self._token})

    async def _signed_in(self) -> str:
        given = {
            "role_id": self._options.role_id,
            "secret_id": self._options.secret_id.get_secret_value(),
        }
        answer = await self._call("POST", f"auth/{self._options.role_mount}/login", given, {})
        if answer.status == 400:
            raise TargetError(
                Reason.REFUSED, f"{self._host} does not accept the AppRole.", "Check role id and secret id."
            )
        found = calling.parsed(answer, "The sign-in", self._host)
        try:
            return str(found["auth"]["client_token"])
        except BadShape:
            raise calling.no_such_api(self._host) from None

    async def _call(self, method: str, path: str, body: object, headers: dict[str, str]) -> Fetched:
        sent = {**headers, "X-Vault-Request": "true", "Content-Type": "application/json"}
        if self._options.namespace:
            sent["X-Vault-Namespace"] = self._options.namespace
        raw = b"" if body is None else json.dumps(body).encode()
        url = f"{self._options.server_url}/v1/{path}"
        return await calling.call(self._outside, method, url, sent, raw, self._tls)
