"""A look at what the places of one target serve, and what it means. No ORM."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from certdesk.connectors import probe
from certdesk.connectors.probe import Expected, Seen, Verdict
from certdesk.connectors.protocol import ConnectorError
from certdesk.connectors.targets.protocol import Resource
from certdesk.foundation.common import settings

from . import dialing, rules
from .states import Drift

AT_ONCE = 10
"""Places looked at at the same time."""
GONE = "The target has no %s any more."
HELD = "Its clients get the right certificate, but the target holds another one for it."


@dataclass(frozen=True, slots=True)
class One:
    """One place: `fingerprint` is the SHA-1 of what it should serve; `stamp` tells when it was written."""

    binding: str
    resource: str
    names: tuple[str, ...]
    listeners: tuple[str, ...]
    fingerprint: str
    expected: Expected
    stamp: str


@dataclass(frozen=True, slots=True)
class ToLook:
    """Places of one target. `options` may hold secrets."""

    kind: str
    places: tuple[One, ...]
    options: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """`held`: SHA-1 of what the target itself has for it; None when it has no such resource."""

    place: One
    held: str | None
    asked: bool
    looks: tuple[Seen, ...]


async def look(work: ToLook) -> tuple[Found, ...]:
    """Asks the target once and each place from outside; never raises for what the other side does."""
    held, asked = await _held(work)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(place: One) -> Found:
        async with gate:
            return Found(place, held.get(place.resource), asked, await _seen(place))

    return tuple(await asyncio.gather(*(one(place) for place in work.places)))


async def unseen(resources: Sequence[Resource]) -> tuple[str, ...]:
    """A sentence for each listener where nobody could see from here what a deployment does.

    A person waits for it, so ten are looked at; of more it says how many were not.
    """
    names = {address: one.names[0] for one in resources if one.names for address in one.listeners}
    nothing = Expected("")
    networks = settings.get().allow_networks

    async def told(listener: str, name: str) -> str:
        host, _, port = listener.rpartition(":")
        seen = await probe.look(host.strip("[]"), int(port), name, nothing, allow_networks=networks)
        away = next((one for one in seen if one.verdict is Verdict.UNREACHABLE), None)
        why = away.sentence if away is not None else ""
        return f"What a deployment does at {listener} could not be seen from here: {why}" if why else ""

    found = await asyncio.gather(*(told(*one) for one in list(names.items())[:AT_ONCE]))
    left = len(names) - AT_ONCE
    more = f"It has more listeners: {left} of them were not looked at from here." if left > 0 else ""
    return tuple(one for one in (*found, more) if one)


async def _held(work: ToLook) -> tuple[dict[str, str], bool]:
    """What the target has, and whether it answered: what clients meet counts also when it did not."""
    try:
        found = await dialing.connector(work.kind, work.options).resources()
    except ConnectorError:
        return {}, False
    return {one.id: one.fingerprint_sha1 for one in found}, True


async def _seen(place: One) -> tuple[Seen, ...]:
    networks = settings.get().allow_networks
    asked = []
    for listener in place.listeners:
        host, _, port = listener.rpartition(":")
        for name in place.names[: rules.MOST_LOOKED_AT]:
            asked.append(
                probe.look(host.strip("[]"), int(port), name, place.expected, allow_networks=networks)
            )
    return tuple(one for found in await asyncio.gather(*asked) for one in found)


def judge(found: Found) -> tuple[Drift | None, str, str]:
    """What is wrong there, the verdict of the look, and its words; None where all is as it should be."""
    if found.asked and found.held is None:
        return Drift.GONE, "", GONE % found.place.resource
    wrong = rules.worst(found.looks) if found.looks else None
    if wrong is not None:
        return Drift(wrong.verdict.value), wrong.verdict.value, wrong.sentence
    if found.asked and found.held != found.place.fingerprint:
        return Drift.HELD, Verdict.NEW.value if found.looks else "", HELD
    if not found.looks:  # the target's word alone proves nothing
        return Drift.UNREACHABLE, "", rules.NO_LISTENER if found.place.names else rules.NO_NAMES
    return None, Verdict.NEW.value, ""
