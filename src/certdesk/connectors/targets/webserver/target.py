"""Web servers that read certificates from files: switch the files, let the server check them, let it reload.

A resource is a certificate file of the configuration, with the key beside it. What is live and what is on the
disk are the same here; until the switch is made the server is not told, and whatever it refuses is undone.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from certdesk.connectors.targets import disk, material
from certdesk.connectors.targets.options import LONGEST, Outside
from certdesk.connectors.targets.protocol import (
    Bundle,
    Reason,
    Resource,
    Snapshot,
    TargetCheck,
    TargetError,
)

from . import commands, layout, places
from .options import WebServerOptions
from .places import Pair, PlaceOfPair, Site


@dataclass(frozen=True, slots=True)
class Looked:
    """A configuration as read: its sites, where the server leaves its process number, what to know of it."""

    sites: tuple[Site, ...]
    pid_file: str = ""
    notes: tuple[str, ...] = ()


class Server(Protocol):
    """What differs from one web server to the next."""

    title: str

    async def look(self) -> Looked:
        """The configuration. Raises `TargetError`."""

    async def running(self) -> None:
        """Does it run? Raises `TargetError` (UNREACHABLE) when it surely does not."""

    async def check(self) -> None:
        """Would the server start with its files as they are? Raises `TargetError`."""

    async def reload(self) -> None:
        """Tells the running server to read its files again. Raises `TargetError`."""


class WebServer:
    """One web server on this machine."""

    def __init__(self, options: WebServerOptions, outside: Outside, server: Server) -> None:
        self._options, self._outside, self._server = options, outside, server
        self._known: dict[str, PlaceOfPair] = {}

    async def resources(self) -> tuple[Resource, ...]:
        return (await self._found())[0]

    async def snapshot(self, resource_id: str) -> Snapshot:
        """The texts of the files. They are taken only if they hold a certificate with its key."""
        place = await self._place(resource_id)
        files_ = layout.file_set(self._outside, place.pair.paths)
        contents = await asyncio.to_thread(files_.read)
        held = dict(zip(place.pair.paths, contents, strict=True))
        known = material.leaf_of(held[place.pair.certificate])
        if known is None or "PRIVATE KEY" not in held[place.pair.key]:
            raise TargetError(
                Reason.NO_WAY_BACK,
                f"{resource_id} and its key hold no certificate that could be put back.",
                "Put the certificate and key that are served now into these files, then try again.",
            )
        saved = {"paths": place.pair.paths, "contents": contents}
        return Snapshot(json.dumps(saved).encode(), known.sha256, place.names or known.names)

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        material.check_pair(bundle)
        place = await self._place(resource_id)
        files_ = layout.file_set(self._outside, place.pair.paths)
        before = await asyncio.to_thread(files_.read)
        switched = False
        try:
            await asyncio.to_thread(files_.switch, place.pair.contents(bundle))
            switched = True
            await asyncio.to_thread(material.check_files, place.pair.certificate, place.pair.key)
            await self._server.check()
            await self._server.reload()
        except BaseException as error:  # also a worker's end must not leave what the server has not taken
            if isinstance(error, TargetError) and not switched and files_.read() == before:
                error.touched = False
            else:
                files_.switch(before)
            raise

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        """The files last already; what is older than the previous one goes."""
        place = self._known.get(resource_id) or await self._place(resource_id)
        files_ = layout.file_set(self._outside, place.pair.paths)
        if await asyncio.to_thread(files_.read) != place.pair.contents(bundle):
            raise TargetError(
                Reason.REFUSED,
                f"Somebody else has changed {resource_id} meanwhile.",
                "See whether something else changes this target, then deploy again.",
            )
        await asyncio.to_thread(files_.prune)

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        """Without asking the configuration, which may be the thing that is broken."""
        saved = json.loads(snapshot.content)
        files_ = layout.file_set(self._outside, saved["paths"])
        await asyncio.to_thread(files_.switch, saved["contents"])
        await self._server.check()
        await self._server.reload()

    async def push(self, name: str, bundle: Bundle) -> Resource:
        folder = self._options.folder
        if folder is None:
            raise TargetError(
                Reason.OPTIONS,
                "This target has no folder for pushed certificates.",
                "Name one in its options, or deploy instead.",
            )
        material.check_pair(bundle)
        pair = _pushed(folder, name[:LONGEST])
        if any(one.pair.certificate == pair.certificate for one in await self._used()):
            raise TargetError(
                Reason.REFUSED, f"{pair.certificate} is in use.", "Deploy to it instead of pushing."
            )
        for path, text in zip(pair.paths, pair.contents(bundle), strict=True):
            await asyncio.to_thread(disk.write_text, self._outside, path, text)
        return Resource(pair.certificate, (), (), bundle.fingerprint_sha1)

    async def test(self) -> TargetCheck:
        try:
            found, notes = await self._found()
            await self._server.running()
            await asyncio.to_thread(self._writable, found)
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        if not self._options.folder:
            notes = (*notes, "Nothing can be pushed here: there is no folder for it.")
        if not any(one.fingerprint_sha1 for one in found):
            notes = (*notes, f"{self._server.title} has no certificate yet that could be replaced.")
        return TargetCheck(True, found, notes=notes)

    async def _found(self) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
        """What can be replaced, and notes of what cannot."""
        looked = await self._looked()
        notes, made = list(looked.notes), []
        for one in places.places(looked.sites, self._options.listeners):
            try:
                made.append(await asyncio.to_thread(self._resource, one))
            except TargetError as error:
                notes.append(error.message)
        known = {one.id for one in made}
        pushed = [one for one in await asyncio.to_thread(self._pushed_ones) if one.id not in known]
        bare = [Resource(f"{places.PLAIN}{name}", (name,), (), "") for name in _bare(looked)]
        return (*made, *pushed, *bare), tuple(notes)

    def _resource(self, place: PlaceOfPair) -> Resource:
        files_ = layout.file_set(self._outside, place.pair.paths)
        held = dict(zip(place.pair.paths, files_.read(), strict=True))
        known = material.leaf_of(held[place.pair.certificate])
        names = place.names or (known.names if known else ())
        return Resource(place.pair.certificate, names, place.listeners, known.sha1 if known else "")

    def _pushed_ones(self) -> list[Resource]:
        if self._options.folder is None:
            return []
        folder = self._outside.inside(self._options.folder, "folder")
        made = []
        for path in sorted(folder.glob("*.pem"))[:500]:
            known = material.leaf_of(disk.read_text(self._outside, str(path)) or "")
            if known is not None and path.with_suffix(".key").exists():
                made.append(Resource(f"{self._options.folder.rstrip('/')}/{path.name}", (), (), known.sha1))
        return made

    async def _looked(self) -> Looked:
        pairs = self._options.pairs
        if not pairs:
            return await self._server.look()
        split = [one.partition("=") for one in pairs]
        return Looked(tuple(Site((), self._options.listeners, (Pair(cert, key),)) for cert, _, key in split))

    async def _used(self) -> tuple[PlaceOfPair, ...]:
        return places.places((await self._looked()).sites, self._options.listeners)

    async def _place(self, resource_id: str) -> PlaceOfPair:
        if resource_id.startswith(places.PLAIN):
            raise TargetError(
                Reason.NOT_THERE,
                f"{self._server.title} serves {resource_id.removeprefix(places.PLAIN)} without HTTPS.",
                "Switch HTTPS on there first, with any certificate; then deploy.",
            )
        used = await self._used()
        found = next((one for one in used if one.pair.certificate == resource_id), None)
        if found is None:
            raise TargetError(
                Reason.NOT_THERE,
                f"{self._server.title} does not use the certificate {resource_id} (any more).",
                "Let the target be looked at again (discover).",
            )
        if found.pair.key in places.shared_keys(used):
            raise TargetError(
                Reason.NO_WAY_BACK,
                f"{found.pair.key} is the key of several certificates, which a new key would break.",
                "Give each certificate a key file of its own in the configuration.",
            )
        self._known[resource_id] = found
        return found

    def _writable(self, found: Sequence[Resource]) -> None:
        """Whether files could be put beside those that are there; nothing is written."""
        for one in found:
            if one.id.startswith("/"):
                file = layout.file_set(self._outside, (one.id,)).paths[0]
                folder = file.parent
                disk.check_owner(file)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise TargetError(
                        Reason.REFUSED,
                        f"This service may not write in {folder}.",
                        "Let its user write there: certificates are switched beside the old ones.",
                    )
        folder_ = self._options.folder
        if folder_ and not disk.is_folder(self._outside.inside(folder_, "folder")):
            raise TargetError(Reason.NOT_THERE, f"{folder_} is no folder.", "Make it, or name another one.")


def _pushed(folder: str, name: str) -> Pair:
    path = Path(folder) / name
    return Pair(f"{path}.pem", f"{path}.key")


def _bare(looked: Looked) -> tuple[str, ...]:
    return tuple(name for name in places.without_https(looked.sites) if len(name) < 200)


def with_sudo(options: WebServerOptions, *command: str) -> tuple[str, ...]:
    """The command as it is run. Raises `TargetError` where sudo is wanted and not installed."""
    if not options.sudo:
        return command
    return (program("sudo"), "-n", *command)


def check_running(title: str, pid_file: str) -> None:
    """Raises `TargetError` (UNREACHABLE) when the process that the file names is not there."""
    if commands.runs(pid_file) is False:
        raise TargetError(
            Reason.UNREACHABLE,
            f"{title} does not run.",
            "Start it, then try again: it is only told to reload.",
        )


def program(*names: str) -> str:
    """Raises `TargetError` (NOT_THERE) when none of them is installed."""
    found = commands.find(*names)
    if found is None:
        raise TargetError(
            Reason.NOT_THERE,
            f"The program {names[0]} is not installed on this machine.",
            "Install it, or connect the target from the machine where it runs.",
        )
    return found
