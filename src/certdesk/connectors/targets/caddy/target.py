"""Caddy by its admin API: certificates loaded as PEM (`apps.tls.certificates.load_pem`).

Each is one entry of a list, replaced in place; Caddy checks the whole configuration and keeps the old one if
the new one is no good. The list is written with its ETag, so that nobody's change in between is lost.
"""

import json
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pydantic

from certdesk.connectors.dns.providers.urls import ServerUrl, endpoint_of
from certdesk.connectors.targets import calling, material
from certdesk.connectors.targets.calling import BadShape
from certdesk.connectors.targets.options import Outside, TargetOptions
from certdesk.connectors.targets.placed import LISTENERS, Listeners
from certdesk.connectors.targets.protocol import (
    Bundle,
    Reason,
    Resource,
    Snapshot,
    TargetCheck,
    TargetError,
    without_blanks,
)

_LIST = "/config/apps/tls/certificates/load_pem"
_TAG, _PLACE = "tag:", "load_pem/"
_NO_PATH, _CHANGED = 400, 412
_RESTART = (
    "A Caddy that is started with its old configuration serves the old certificate again: start it with "
    "--resume."
)
_RESETS = (
    "With each change Caddy opens its ports anew, and Linux may reset connections that wait there just then: "
    "set the sysctl net.ipv4.tcp_migrate_req to 1 on its machine."
)
Entry = dict[str, Any]


class CaddyOptions(TargetOptions):
    """Address of the admin API, listeners."""

    label: ClassVar[str] = "Caddy"

    url: ServerUrl = pydantic.Field(
        "http://127.0.0.1:2019",
        title="Address of the admin API",
        description="As in Caddy's global option admin. The operator must have allowed it "
        "(CERTDESK_ALLOW_NETWORKS).",
    )
    listeners: Listeners = pydantic.Field(
        title="Listeners", description=f"{LISTENERS}.", examples=["10.0.0.5:443"]
    )

    def endpoint(self) -> tuple[str, int]:
        return endpoint_of(self.url)


class Caddy:
    """One Caddy."""

    def __init__(self, options: CaddyOptions, outside: Outside) -> None:
        self._options, self._outside = options, outside
        self._host = urlsplit(options.url).hostname or ""

    async def resources(self) -> tuple[Resource, ...]:
        entries, _ = await self._entries()
        found = []
        for place, one in enumerate(entries):
            leaf = material.leaf_of(str(one.get("certificate", "")))
            if leaf is not None:
                found.append(Resource(_id(place, one), leaf.names, self._options.listeners, leaf.sha1))
        return tuple(found)

    async def snapshot(self, resource_id: str) -> Snapshot:
        entries, _ = await self._entries()
        one = entries[_place(resource_id, entries)]
        leaf = material.leaf_of(str(one.get("certificate", "")))
        if leaf is None or not one.get("key"):
            raise TargetError(
                Reason.NO_WAY_BACK,
                f"Caddy does not show certificate and key of {resource_id}, so they could not be put back.",
                "Load them as PEM text, not from a file.",
            )
        return Snapshot(json.dumps(one).encode(), leaf.sha256, leaf.names)

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        material.check_pair(bundle)
        pem = {
            "certificate": without_blanks(f"{bundle.leaf}\n{bundle.chain}"),
            "key": without_blanks(bundle.key),
        }
        await self._replace(resource_id, pem)

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        """Caddy writes its autosave itself; it is read by a Caddy that is started with --resume."""

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        await self._replace(resource_id, json.loads(snapshot.content))

    async def push(self, name: str, bundle: Bundle) -> Resource:
        raise TargetError(
            Reason.OPTIONS,
            "Caddy uses every certificate that it has, so none can be laid there unused.",
            "Deploy instead.",
        )

    async def test(self) -> TargetCheck:
        try:
            found = await self.resources()
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        if not found:
            return TargetCheck(
                False,
                (),
                "Caddy has no certificate that was loaded as PEM.",
                "Put the first one into apps.tls.certificates.load_pem of its configuration.",
            )
        return TargetCheck(True, found, notes=(_RESTART, _RESETS))

    async def _replace(self, resource_id: str, changes: Entry) -> None:
        """Writes the entry's part; others' changes since it was read make Caddy refuse (412)."""
        entries, etag = await self._entries()
        place = _place(resource_id, entries)
        entries[place] = {**entries[place], **changes}
        headers = {"Content-Type": "application/json", **({"If-Match": etag} if etag else {})}
        body = json.dumps(entries).encode()
        answer = await calling.call(self._outside, "PATCH", f"{self._options.url}{_LIST}", headers, body)
        if answer.status == _CHANGED:
            raise TargetError(Reason.BUSY, "Somebody else changed Caddy's configuration just now.")
        calling.good(answer, "The change of the certificate", self._host, _told(answer.body))

    async def _entries(self) -> tuple[list[Entry], str]:
        """The list as it is, and its ETag; empty where Caddy has none."""
        answer = await calling.call(self._outside, "GET", f"{self._options.url}{_LIST}", {})
        if answer.status == _NO_PATH:  # a Caddy without the tls app answers so
            return [], ""
        found = calling.parsed(answer, "The look at the certificates", self._host)
        if found is None:
            return [], ""
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise calling.no_such_api(self._host)
        return found, dict(answer.trailers).get("etag") or answer.header("etag")


def _id(place: int, one: Entry) -> str:
    tags = one.get("tags")
    return f"{_TAG}{tags[0]}" if isinstance(tags, list) and tags else f"{_PLACE}{place}"


def _place(resource_id: str, entries: list[Entry]) -> int:
    """Raises `TargetError` (NOT_THERE)."""
    for place, one in enumerate(entries):
        if _id(place, one) == resource_id:
            return place
    raise TargetError(
        Reason.NOT_THERE,
        f"This target has no certificate {resource_id} any more.",
        "Let the target be looked at again (discover).",
    )


def _told(body: bytes) -> str:
    """Caddy's words; never those that repeat a key."""
    try:
        words = str(json.loads(body)["error"])
    except BadShape:
        return ""
    return "" if "PRIVATE KEY" in words else words
