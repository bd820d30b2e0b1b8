"""Places from which the outside world is looked at. One today: this process; others come beside it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast

from certdesk.connectors.dns.proof import RecordType, check_record
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.common import settings

AT_ONCE = 64  # looks in flight for one application
MATCH = "MATCH"
_TEXT_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Look:
    """What to look for: one challenge as it stood when the look began."""

    challenge_id: int
    record_name: str
    record_type: str
    value: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What one perspective saw; `answer` is MATCH or one of `connectors.dns.proof.SeenAnswer`, or ERROR."""

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
        configured = settings.get()
        try:
            seen = await check_record(
                owner=look.record_name,
                record_type=cast(RecordType, look.record_type),
                expected=look.value,
                resolvers=configured.dns_resolvers,
                allow_networks=configured.allow_networks,
                now=now,
            )
        except ConnectorError as error:
            return Sight(look, self.name, "ERROR", error.message[:_TEXT_LIMIT], "")
        return Sight(
            look, self.name, seen.answer.value, seen.sentence[:_TEXT_LIMIT], seen.cause[:_TEXT_LIMIT]
        )


LOCAL = Local()


async def look_all(
    looks: Sequence[Look], now: datetime, *, deadline: float, perspective: Perspective = LOCAL
) -> list[Sight]:
    """Every look at once, `AT_ONCE` in flight; those not done after `deadline` seconds count as TIMEOUT."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(look: Look) -> Sight:
        async with gate:
            return await perspective.look(look, now)

    if not looks:
        return []
    tasks = [asyncio.create_task(one(look)) for look in looks]
    await asyncio.wait(tasks, timeout=deadline)
    late = [task for task in tasks if not task.done()]
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return [
        _late(look, perspective, deadline) if task in late else task.result()
        for look, task in zip(looks, tasks, strict=True)
    ]


def _late(look: Look, perspective: Perspective, deadline: float) -> Sight:
    return Sight(
        look,
        perspective.name,
        "TIMEOUT",
        f"The look at {look.record_name} was not over after {deadline:g} seconds.",
        "The DNS servers answer slowly or not at all; the next check comes by itself.",
    )
