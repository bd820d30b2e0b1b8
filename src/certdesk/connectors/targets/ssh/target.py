"""A host by SSH: the desk's key may run one forced command there, the helper (`agents/host.py forced`).

A resource is a place of the host's own configuration: folder, names and the command after a change stand
there and never come from here. The way back stays on the host as a version folder; its key does not travel
again. Files and reload are one step there, so what is installed lasts at once and `keep` clears old versions.
"""

import json
import re
from typing import Annotated, Any, ClassVar

import pydantic
from pydantic import SecretStr

from certdesk.connectors.targets.options import Listener, Outside, TargetOptions
from certdesk.connectors.targets.protocol import Bundle, Reason, Resource, Snapshot, TargetCheck, TargetError

from . import shell

_PIN = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
MOST_KEY = 16 * 1024
Host = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$")]
User = Annotated[str, pydantic.Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
_LISTENERS = pydantic.TypeAdapter(tuple[Listener, ...])


def _private_key(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if len(text) > MOST_KEY or "PRIVATE KEY-----" not in text or not text.isascii():
        raise ValueError("it is no private key of OpenSSH")
    return secret


def _pin(text: str) -> str:
    if text and not _PIN.fullmatch(text):
        raise ValueError("it is SHA256: and 43 characters, as ssh-keygen -l shows it")
    return text


class SshOptions(TargetOptions):
    """Where, as whom, by which keys."""

    label: ClassVar[str] = "Host by SSH"

    host: Host = pydantic.Field(title="Host name or address", examples=["web1.example.com"])
    port: Annotated[int, pydantic.Field(ge=1, le=65535)] = pydantic.Field(22, title="Port of its SSH server")
    user: User = pydantic.Field("certdesk", title="User on the host")
    host_key: Annotated[str, pydantic.AfterValidator(_pin)] = pydantic.Field(
        "",
        title="Fingerprint of its host key",
        description="SHA256:…; leave it empty to see what the host shows, compare, then enter it.",
    )
    key: Annotated[SecretStr, pydantic.AfterValidator(_private_key)] = pydantic.Field(
        title="Private key of this service",
        description="OpenSSH format without passphrase; its public half has the forced command on the host.",
        json_schema_extra={"kind": "secret_block"},
    )
    listeners: Annotated[tuple[Listener, ...], pydantic.Field(max_length=20)] = pydantic.Field(
        (),
        title="Listeners",
        examples=["web1.example.com:443"],
        description="host:port where clients connect, looked at after deploying; empty = as the host says.",
    )

    def endpoint(self) -> tuple[str, int]:
        return self.host.lower(), self.port


class SshHost:
    """One host."""

    def __init__(self, options: SshOptions, outside: Outside) -> None:
        self._options, self._outside = options, outside
        secret = options.key.get_secret_value()
        self._login = shell.Login(options.host, options.port, options.user, options.host_key, secret)

    async def resources(self) -> tuple[Resource, ...]:
        answer = await self._ask("list")
        try:
            return tuple(self._resource(one) for one in answer["places"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _strange() from None

    def _resource(self, place: dict[str, Any]) -> Resource:
        listeners = self._options.listeners or _LISTENERS.validate_python(place["listeners"])
        names = tuple(map(str, place["names"]))
        return Resource(str(place["name"]), names, listeners, str(place["fingerprint"]))

    async def snapshot(self, resource_id: str) -> Snapshot:
        answer = await self._ask("snapshot", place=resource_id)
        try:
            content = json.dumps({"version": str(answer["version"])}).encode()
            return Snapshot(content, str(answer["sha256"]), tuple(map(str, answer["names"])))
        except (KeyError, TypeError):
            raise _strange() from None

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        given = {"leaf": bundle.leaf, "chain": bundle.chain, "key": bundle.key}
        await self._ask("install", place=resource_id, **given)

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        await self._ask("keep", place=resource_id)

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        await self._ask("restore", place=resource_id, **json.loads(snapshot.content))

    async def push(self, name: str, bundle: Bundle) -> Resource:
        raise TargetError(
            Reason.NOT_ALLOWED,
            "A host has the places of its own configuration only, so nothing can be pushed to it.",
            "Add a place on the host, then deploy to it.",
        )

    async def test(self) -> TargetCheck:
        try:
            found = await self.resources()
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        return TargetCheck(True, found)

    async def _ask(self, verb: str, **given: str) -> dict[str, Any]:
        content = json.dumps(given).encode()
        text = await shell.run(self._login, self._outside, f"certdesk {verb}", content)
        try:
            answer: dict[str, Any] = json.loads(text[text.index("{") :])
            ok = answer["ok"]
        except (ValueError, KeyError, TypeError):
            raise _strange() from None
        if not ok:
            reason = str(answer.get("reason", ""))
            known = Reason(reason) if reason in Reason.__members__ else Reason.REFUSED
            raise TargetError(
                known, str(answer.get("message", ""))[:500], str(answer.get("next_step", ""))[:300]
            )
        return answer


def _strange() -> TargetError:
    return TargetError(
        Reason.BAD_ANSWER,
        "What answered by SSH is not the helper of this service.",
        "Check the forced command of its key in authorized_keys on the host.",
    )
