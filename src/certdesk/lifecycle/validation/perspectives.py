"""Places from which the outside world is looked at: this process, and the remote agents of the settings."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast

from certdesk.connectors import acme_proofs
from certdesk.connectors import perspective as agents
from certdesk.connectors.dns.addresses import address_resolver
from certdesk.connectors.dns.proof import RecordType, check_record
from certdesk.connectors.protocol import ConnectorError
from certdesk.connectors.website import check_file
from certdesk.foundation.common import settings

from . import rules

AT_ONCE = 256  # looks in flight: all names of an application, so that none waits behind a silent server
REMOTE_AT_ONCE = 64  # a remote agent gives each look a thread
MATCH = "MATCH"
_TEXT_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Look:
    """What to look for: one challenge as it stood when the look began."""

    challenge_id: int
    record_name: str
    record_type: str
    value: str
    method: str = "DNS"
    name: str = ""  # FILE, HTTP, ALPN: the exact name
    path: str = rules.FILE_PATH

    @property
    def place(self) -> str:
        """Where it looks, for people."""
        return self.record_name or self.name


@dataclass(frozen=True, slots=True)
class Sight:
    """What one perspective saw; `answer` is MATCH, another of `connectors.dns.proof.SeenAnswer` or of
    `connectors.website.FileAnswer`, or ERROR."""

    look: Look
    perspective: str
    answer: str
    seen: str
    cause: str

    @property
    def matches(self) -> bool:
        return self.answer == MATCH


class Perspective(Protocol):
    """One place; `look` answers in its own time and never raises for what it finds."""

    name: str

    async def look(self, look: Look, now: datetime) -> Sight: ...


class Local:
    """This process, by the resolvers of the settings or the authoritative servers."""

    name = "local"

    async def look(self, look: Look, now: datetime) -> Sight:
        try:
            if look.method == "FILE":
                return await self._file(look)
            if look.method in ("HTTP", "ALPN"):
                return await self._enrolled(look)
            return await self._record(look, now)
        except ConnectorError as error:
            return Sight(look, self.name, "ERROR", error.message[:_TEXT_LIMIT], "")

    async def _record(self, look: Look, now: datetime) -> Sight:
        configured = settings.get()
        seen = await check_record(
            owner=look.record_name,
            record_type=cast(RecordType, look.record_type),
            expected=look.value,
            resolvers=configured.dns_resolvers,
            allow_networks=configured.allow_networks,
            now=now,
        )
        return Sight(
            look, self.name, seen.answer.value, seen.sentence[:_TEXT_LIMIT], seen.cause[:_TEXT_LIMIT]
        )

    async def _file(self, look: Look) -> Sight:
        configured = settings.get()
        seen = await check_file(
            name=look.name,
            path=look.path,
            expected=look.value,
            ports=configured.validation_http_ports,
            allow_networks=configured.allow_networks,
            resolver=address_resolver(configured.dns_resolvers, configured.allow_networks),
        )
        return Sight(
            look, self.name, seen.answer.value, seen.sentence[:_TEXT_LIMIT], seen.cause[:_TEXT_LIMIT]
        )

    async def _enrolled(self, look: Look) -> Sight:
        """A challenge of ACME that is no record."""
        configured = settings.get()
        way = acme_proofs.Way(
            configured.validation_http_ports,
            configured.allow_networks,
            address_resolver(configured.dns_resolvers, configured.allow_networks),
        )
        if look.method == "HTTP":
            seen = await acme_proofs.check_http(look.name, look.path, look.value, way)
        else:
            seen = await acme_proofs.check_alpn(look.name, look.value, way)
        return Sight(look, self.name, seen.answer.value, seen.sentence[:_TEXT_LIMIT], "")


class Remote:
    """An agent somewhere else (`certdesk perspective`), asked over signed HTTP."""

    def __init__(self, name: str, url: str, key: bytes) -> None:
        self.name, self._url, self._key = name, url, key

    async def look(self, look: Look, now: datetime) -> Sight:
        asked = {
            "method": "FILE" if look.method == "HTTP" else look.method,
            "name": look.place,
            "type": look.record_type,
            "path": look.path,
            "value": look.value,
        }
        try:
            seen = await agents.ask(self._url, self._key, asked)
        except ConnectorError as error:
            return Sight(look, self.name, "ERROR", error.message[:_TEXT_LIMIT], "")
        return Sight(look, self.name, seen.answer, seen.sentence[:_TEXT_LIMIT], "")


LOCAL = Local()


def remotes() -> tuple[Perspective, ...]:
    """The agents of `CERTDESK_PERSPECTIVES`; none = this process alone decides."""
    configured = settings.get()
    if not configured.perspectives or configured.perspective_key_file is None:
        return ()
    key = configured.perspective_key_file.read_bytes().strip()
    pairs = (one.partition("=") for one in configured.perspectives)
    return tuple(Remote(name, url, key) for name, _, url in pairs)


async def look_all(
    looks: Sequence[Look], now: datetime, *, deadline: float, perspective: Perspective = LOCAL
) -> list[Sight]:
    """Every look from every place at once, `AT_ONCE` (remote: `REMOTE_AT_ONCE`) in flight; those not done
    after `deadline` seconds count as TIMEOUT. The sights of `perspective`, the primary one, come first."""
    if not looks:
        return []
    places = (perspective, *remotes())
    tasks = [
        (place, look, asyncio.create_task(_one(place, look, now, gate)))
        for place, gate in ((place, asyncio.Semaphore(_at_once(place))) for place in places)
        for look in looks
    ]
    await asyncio.wait([task for *_, task in tasks], timeout=deadline)
    late = {task for *_, task in tasks if not task.done()}
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return [_late(look, place, deadline) if task in late else task.result() for place, look, task in tasks]


def _at_once(place: Perspective) -> int:
    return REMOTE_AT_ONCE if isinstance(place, Remote) else AT_ONCE


async def _one(place: Perspective, look: Look, now: datetime, gate: asyncio.Semaphore) -> Sight:
    async with gate:
        return await place.look(look, now)


def _late(look: Look, perspective: Perspective, deadline: float) -> Sight:
    servers = "DNS" if look.method == "DNS" else "web"
    return Sight(
        look,
        perspective.name,
        "TIMEOUT",
        f"The look at {look.place} was not over after {deadline:g} seconds.",
        f"The {servers} servers answer slowly or not at all; the next check comes by itself.",
    )
