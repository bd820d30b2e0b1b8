"""HAProxy as a load balancer: certificates replaced in the running process, then in the files behind it.

A resource is a certificate's path. Order: Runtime API, look by TLS (the caller's), disk; so until the new
one is really served, a restart brings the old one back, and the file is the snapshot to return to.
"""

import asyncio
import json
from typing import Annotated, ClassVar

import pydantic

from certdesk.connectors.targets import disk, material
from certdesk.connectors.targets.options import LISTENER, LONGEST, Outside, TargetOptions, in_range
from certdesk.connectors.targets.protocol import (
    Bundle,
    Reason,
    Resource,
    Snapshot,
    TargetCheck,
    TargetError,
    without_blanks,
)

from . import listing
from .runtime import Runtime

PathText = Annotated[str, pydantic.Field(pattern=r"^/[\x21-\x7e]{1,254}$")]
Listener = Annotated[
    str,
    pydantic.Field(pattern=rf"^{LISTENER}(=/[\x21-\x7e]{{1,254}})?$"),
    pydantic.AfterValidator(in_range),
]


class HaProxyOptions(TargetOptions):
    """Socket, listeners, folder."""

    label: ClassVar[str] = "HAProxy"

    socket: PathText = pydantic.Field(
        title="Runtime API socket", description="Path of the stats socket with level admin."
    )
    listeners: Annotated[tuple[Listener, ...], pydantic.Field(min_length=1, max_length=20)] = pydantic.Field(
        title="Listeners",
        examples=["10.0.0.5:443"],
        description="host:port where clients connect, each looked at after a deployment; host:port=/path for "
        "one that uses that crt-list alone.",
    )
    folder: PathText | None = pydantic.Field(
        None, title="Folder for pushed certificates", description="Empty when nothing is pushed here."
    )


class HaProxy:
    """One HAProxy process on this machine."""

    def __init__(self, options: HaProxyOptions, outside: Outside) -> None:
        self._options, self._outside = options, outside
        self._runtime = Runtime(options.socket, outside)

    async def resources(self) -> tuple[Resource, ...]:
        found = await self._runtime.lists()
        made = []
        for path in await self._runtime.paths():
            stored = await self._runtime.stored(path)
            if stored is not None and stored.status != "Empty":
                made.append(self._resource(path, stored, found))
        return tuple(made)

    def _resource(
        self, path: str, stored: listing.Stored, found: dict[str, tuple[listing.Entry, ...]]
    ) -> Resource:
        using = {file for file, lines in found.items() if any(one.path == path for one in lines)}
        listeners = []
        for text in self._options.listeners:
            address, _, file = text.partition("=")
            if not file or file in using:
                listeners.append(address)
        names = listing.names_of(path, stored, (one for lines in found.values() for one in lines))
        return Resource(path, names, tuple(listeners) if names else (), stored.sha1)

    async def snapshot(self, resource_id: str) -> Snapshot:
        """The files behind the certificate, once it is sure that they hold what is served."""
        stored = await self._known(resource_id)
        text = await asyncio.to_thread(disk.read_text, self._outside, resource_id)
        known = material.leaf_of(text or "")
        if text is None or known is None or known.sha1 != stored.sha1:
            raise TargetError(
                Reason.NO_WAY_BACK,
                f"The file {resource_id} does not hold what HAProxy serves, so it could not be put back.",
                "Put the certificate and key that are served now into this file, then try again.",
            )
        lists, names = await self._lists_on_disk(resource_id)
        content = json.dumps({"pem": text, "lists": lists, "names": names})
        return Snapshot(content.encode(), known.sha256, tuple(names) or known.names)

    async def _lists_on_disk(self, path: str) -> tuple[dict[str, str], list[str]]:
        """The crt-lists with a line of the certificate, as files, and the SNI filters of these lines."""
        lists: dict[str, str] = {}
        names: list[str] = []
        for file in await self._runtime.lists():
            text = await asyncio.to_thread(disk.read_text, self._outside, file)
            filters = listing.filters_of(text or "", path)
            if text is not None and filters:
                lists[file] = text
                names += filters
        return lists, list(dict.fromkeys(names))

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        await self._known(resource_id)
        await self._runtime.replace(resource_id, bundle.whole)
        await self._runtime.rename(resource_id, bundle.names)

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        for file, found in (await self._runtime.lists()).items():
            if any(one.path == resource_id and one.filters for one in found):
                await asyncio.to_thread(self._rewrite, file, resource_id, bundle.names)
        await asyncio.to_thread(disk.write_text, self._outside, resource_id, bundle.whole)

    def _rewrite(self, file: str, path: str, names: tuple[str, ...]) -> None:
        text = disk.read_text(self._outside, file)
        if text is not None:
            changed = listing.rewritten(text, path, names)
            if changed != text:
                disk.write_text(self._outside, file, changed)

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        saved = json.loads(snapshot.content)
        for file, text in {**saved["lists"], resource_id: saved["pem"]}.items():
            if await asyncio.to_thread(disk.read_text, self._outside, file) != text:
                await asyncio.to_thread(disk.write_text, self._outside, file, text)
        await self._runtime.replace(resource_id, without_blanks(saved["pem"]))
        if saved["names"]:
            await self._runtime.rename(resource_id, tuple(saved["names"]))

    async def push(self, name: str, bundle: Bundle) -> Resource:
        if self._options.folder is None:
            raise TargetError(
                Reason.OPTIONS,
                "This target has no folder for pushed certificates.",
                "Name one in its options, or deploy instead.",
            )
        path = f"{self._options.folder.rstrip('/')}/{name[:LONGEST]}.pem"
        await asyncio.to_thread(disk.write_text, self._outside, path, bundle.whole)
        await self._runtime.create(path, bundle.whole)
        return Resource(path, (), (), bundle.fingerprint_sha1)

    async def test(self) -> TargetCheck:
        try:
            found = await self.resources()
            await asyncio.to_thread(self._writable, found)
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        notes = [] if self._options.folder else ["Nothing can be pushed here: there is no folder for it."]
        return TargetCheck(True, found, notes=tuple(notes))

    def _writable(self, found: tuple[Resource, ...]) -> None:
        """Whether what is served could be put back: the files are where they must be."""
        for one in found:
            disk.read_text(self._outside, one.id)
        if self._options.folder and not disk.is_folder(self._outside.inside(self._options.folder, "folder")):
            raise TargetError(
                Reason.NOT_THERE, f"{self._options.folder} is no folder.", "Make it, or name another one."
            )

    async def _known(self, path: str) -> listing.Stored:
        stored = await self._runtime.stored(path)
        if stored is None:
            raise TargetError(
                Reason.NOT_THERE,
                f"HAProxy has no certificate {path} any more.",
                "Let the target be looked at again (discover).",
            )
        return stored
