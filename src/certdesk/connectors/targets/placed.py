"""A server with one certificate in a file or two: the shared half of keystores, PostgreSQL, Postfix, Envoy.

A resource is the first file's path. The files are replaced whole; then the server is told. What was in them
before is the way back, so a server whose files hold no readable certificate is left alone.
"""

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from typing import Annotated

import pydantic
from pydantic import JsonValue

from certdesk.connectors.targets import disk, material, running
from certdesk.connectors.targets.options import Listener, Outside, TargetOptions
from certdesk.connectors.targets.protocol import Bundle, Reason, Resource, Snapshot, TargetCheck, TargetError
from certdesk.pki.x509.certificates import CertificateFacts

PathText = Annotated[str, pydantic.Field(pattern=r"^/[\x21-\x7e]{1,250}$")]
Argument = Annotated[str, pydantic.Field(min_length=1, max_length=1000)]
Command = Annotated[tuple[Argument, ...], pydantic.Field(max_length=16)]
Listeners = Annotated[tuple[Listener, ...], pydantic.Field(min_length=1, max_length=20)]
LISTENERS = "host:port where clients connect, each looked at after a deployment"
COMMAND = "One argument a line, the program first, no shell. It must be named in CERTDESK_TARGET_PROGRAMS. "
LINES: dict[str, JsonValue] = {"kind": "lines"}


class PlacedOptions(TargetOptions):
    """What every such server has; `path` is the file that holds the certificate."""

    path: PathText
    listeners: Listeners


class Placed:
    """The target without its server: kinds say what the files hold and how the server is told."""

    def __init__(self, options: PlacedOptions, outside: Outside) -> None:
        self._path, self._listeners, self._outside = options.path, options.listeners, outside

    def rendered(self, bundle: Bundle) -> Mapping[str, bytes]:
        """The content of each file, in the order in which they are replaced."""
        raise NotImplementedError

    def paths(self) -> tuple[str, ...]:
        """The files, the one with the certificate first."""
        return (self._path,)

    def leaf(self, content: bytes) -> CertificateFacts | None:
        """Of the certificate in the first file; None when there is none that can be read."""
        return material.leaf_of(content.decode("ascii", "replace"))

    async def told(self) -> None:
        """Makes the server read its files again; nothing where it looks by itself.

        Raises:
            TargetError: it does not.
        """

    async def checked(self) -> tuple[str, ...]:
        """Notes for a test that changes nothing.

        Raises:
            TargetError: the server could not be told.
        """
        return ()

    async def resources(self) -> tuple[Resource, ...]:
        content = await asyncio.to_thread(disk.read, self._outside, self._path)
        held = self.leaf(content) if content is not None else None
        if held is None:
            return ()
        return (Resource(self._path, held.names, self._listeners, held.sha1),)

    async def snapshot(self, resource_id: str) -> Snapshot:
        self._known(resource_id)
        found = {path: await asyncio.to_thread(disk.read, self._outside, path) for path in self.paths()}
        first = found[self._path]
        held = self.leaf(first) if first is not None else None
        if held is None or any(content is None for content in found.values()):
            raise TargetError(
                Reason.NO_WAY_BACK,
                f"{self._path} does not hold a certificate that can be read, so it could not be put back.",
                "Let the server work with a certificate of its own first, then try again.",
            )
        packed = {path: base64.b64encode(content or b"").decode() for path, content in found.items()}
        return Snapshot(json.dumps(packed).encode(), held.sha256, held.names)

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        self._known(resource_id)
        material.check_pair(bundle)
        await self._replace(self.rendered(bundle))

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        """The files are what a restart reads: nothing is left to do."""
        self._known(resource_id)

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        self._known(resource_id)
        saved = {path: base64.b64decode(text) for path, text in json.loads(snapshot.content).items()}
        held = {path: await asyncio.to_thread(disk.read, self._outside, path) for path in saved}
        # A file that is as it was needs no room: on a full disk nothing was written.
        await self._replace({path: content for path, content in saved.items() if held[path] != content})

    async def _replace(self, wanted: Mapping[str, bytes]) -> None:
        for number, (path, content) in enumerate(wanted.items()):
            try:
                await asyncio.to_thread(disk.write, self._outside, path, content)
            except TargetError as error:
                held = await asyncio.to_thread(disk.read, self._outside, path)
                error.touched = number > 0 or held == content
                raise
        await self.told()

    async def push(self, name: str, bundle: Bundle) -> Resource:
        raise TargetError(
            Reason.OPTIONS,
            "This target has one certificate only: nothing can be pushed here.",
            "Deploy instead.",
        )

    async def test(self) -> TargetCheck:
        try:
            for path in self.paths():
                await asyncio.to_thread(disk.check_writable, self._outside, path)
            found = await self.resources()
            if not found:
                return TargetCheck(False, (), *_nothing(self._path))
            return TargetCheck(True, found, notes=await self.checked())
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)

    def _known(self, resource_id: str) -> None:
        if resource_id != self._path:
            raise TargetError(
                Reason.NOT_THERE,
                f"This target has no certificate {resource_id} any more.",
                "Let the target be looked at again (discover).",
            )


def _nothing(path: str) -> tuple[str, str]:
    return (
        f"{path} does not hold a certificate that can be read.",
        "Put the first certificate there by hand, so that there is one to go back to.",
    )


async def reload(outside: Outside, command: Sequence[str], secrets: Sequence[str] = ()) -> None:
    """Runs the command; nothing when there is none.

    Raises:
        TargetError: as `running.succeed`.
    """
    if command:
        await running.succeed(outside, command, "reload the server", secrets=secrets, field="reload")


def reloadable(outside: Outside, command: Sequence[str]) -> tuple[str, ...]:
    """A note where there is no command.

    Raises:
        TargetError: as `running.program`.
    """
    if not command:
        return ("There is no command: the server has to see the new file by itself within seconds.",)
    running.program(outside, command[0], "reload")
    return ()
