"""Receivers that are told to install a certificate and answer little: the shared half of webhook and command.

There are two events, `install` and `test`. What is served is seen by a look of our own at the first listener;
the way back is the account's own copy of what is served there (`returning`), sent as another `install`.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import pydantic

from certdesk.connectors import serving, starttls
from certdesk.connectors.protocol import ConnectorError
from certdesk.connectors.targets import calling, material, returning
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.placed import LISTENERS, Listeners
from certdesk.connectors.targets.protocol import Bundle, Reason, Resource, Snapshot, TargetCheck, TargetError
from certdesk.pki.x509.certificates import CertificateFacts, facts
from certdesk.pki.x509.errors import BadCertificate

RESOURCE = "certificate"
INSTALL, TEST = "install", "test"
DnsName = Annotated[str, pydantic.Field(pattern=r"^(\*\.)?[A-Za-z0-9_.-]{1,250}$")]

Message = Mapping[str, Any]


ToldListeners = Annotated[
    Listeners,
    pydantic.Field(
        title="Listeners",
        description=f"{LISTENERS}; with smtp://, imap://, pop3:// or postgresql:// in front where TLS begins "
        "later.",
        examples=["10.0.0.5:443"],
    ),
]
ToldNames = Annotated[
    tuple[DnsName, ...],
    pydantic.Field(
        max_length=100,
        title="Domain names",
        description="The names served there. Empty: those of the certificate that is served.",
        examples=["www.example.com"],
    ),
]


class ToldOptions(Protocol):
    """What every receiver's options have; each kind says where they stand among its own."""

    @property
    def listeners(self) -> tuple[str, ...]: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def without_way_back(self) -> bool: ...


class Told:
    """The target without its way to the receiver, which a kind gives as `deliver`."""

    def __init__(self, options: ToldOptions, outside: Outside) -> None:
        self._told, self._outside = options, outside

    async def deliver(self, event: str, message: Message) -> None:
        """Hands one message over.

        Args:
            message: names, fingerprint_sha1, and for INSTALL certificate, chain and key in PEM.

        Raises:
            TargetError: it was not taken.
        """
        raise NotImplementedError

    async def resources(self) -> tuple[Resource, ...]:
        leaf = await self._served()
        names = self._told.names or leaf.names
        return (Resource(RESOURCE, names, self._told.listeners, leaf.sha1),)

    async def snapshot(self, resource_id: str) -> Snapshot:
        self._known(resource_id)
        leaf = await self._served()
        return returning.one_way(leaf, self._told.names or leaf.names, self._told.without_way_back)

    async def snapshot_of(self, resource_id: str, previous: Bundle) -> Snapshot:
        self._known(resource_id)
        returning.same((await self._served()).sha1, previous)
        return returning.packed(previous)

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        self._known(resource_id)
        material.check_pair(bundle)
        await self.deliver(
            INSTALL,
            {
                "names": list(bundle.names),
                "fingerprint_sha1": bundle.fingerprint_sha1,
                "certificate": bundle.leaf,
                "chain": bundle.chain,
                "key": bundle.key,
            },
        )

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        """To install is to keep: the receiver was told once."""
        self._known(resource_id)

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        await self.install(resource_id, returning.unpacked(snapshot))

    async def push(self, name: str, bundle: Bundle) -> Resource:
        raise TargetError(
            Reason.OPTIONS,
            "This target has one certificate only: nothing can be pushed here.",
            "Deploy instead.",
        )

    async def test(self) -> TargetCheck:
        try:
            found = await self.resources()
            await self.deliver(TEST, {"names": list(found[0].names), "fingerprint_sha1": ""})
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        return TargetCheck(True, found)

    async def _served(self) -> CertificateFacts:
        """What the first listener shows, for the first name.

        Raises:
            TargetError: NOT_ALLOWED, UNREACHABLE or BAD_ANSWER.
        """
        text = self._told.listeners[0]
        where, _, port = text.rpartition(":")
        name = next((one for one in self._told.names if "*" not in one), "")
        networks, resolver = self._outside.allow_networks, self._outside.resolver
        try:
            protocol, host = starttls.split(where)
            host = host.strip("[]")
            found = await serving.ask(
                host, int(port), name, protocol, allow_networks=networks, resolver=resolver
            )
        except ConnectorError as error:
            raise calling.refusal(error, "listeners") from None
        seen = next((one for one in found if one.chain), None)
        if seen is None:
            raise TargetError(
                Reason.UNREACHABLE,
                found[0].sentence,
                "Check that the server runs and can be reached from here.",
            )
        try:
            return facts(seen.chain[0])
        except BadCertificate:
            raise TargetError(
                Reason.BAD_ANSWER,
                f"The certificate that {seen.address} serves cannot be read.",
                "Let the server serve a certificate that its clients can read, then try again.",
            ) from None

    def _known(self, resource_id: str) -> None:
        if resource_id != RESOURCE:
            raise TargetError(
                Reason.NOT_THERE,
                f"This target has no certificate {resource_id} any more.",
                "Let the target be looked at again (discover).",
            )


def written(event: str, message: Message) -> bytes:
    """The message as JSON."""
    return json.dumps({"version": 1, "event": event, **message}, indent=1).encode()
