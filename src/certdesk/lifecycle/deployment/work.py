"""What a deployment does outside: stage, look, keep, or put the previous one back and look again. No ORM."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from certdesk.connectors import probe
from certdesk.connectors.probe import Expected, Seen
from certdesk.connectors.protocol import ConnectorError
from certdesk.connectors.targets.protocol import Bundle, Reason, Snapshot, Target, TargetError
from certdesk.foundation.common import settings

from . import dialing, previous, rules

PATIENCE = 5.0
"""Seconds after which a target that took a certificate must serve it: some need a moment for their reload."""
PAUSE = 0.2
AGAIN = 0.25
"""Between two good looks, which both count: while a server reloads, old and new processes answer in turn."""
_LOOKS = 100
"""At most so many while a slow target takes its time."""


@dataclass(frozen=True, slots=True)
class Place:
    """One binding of one target. `options` may hold secrets; names in `exempt` are not looked at."""

    kind: str
    resource: str
    names: tuple[str, ...]
    listeners: tuple[str, ...]
    options: dict[str, Any] = field(repr=False)
    previous: Bundle | None = field(default=None, repr=False)
    exempt: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ToInstall:
    """`expected` for the new certificate; `snapshot` is the way back."""

    place: Place
    bundle: Bundle
    expected: Expected
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class ToRestore:
    place: Place
    snapshot: Snapshot
    expected: Expected


@dataclass(frozen=True, slots=True)
class Failed:
    """A connector's no, in words. `lasting`: it stays so until a person does something."""

    reason: str
    next_step: str
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """`back`: the previous certificate is served (again); None where nobody had to see to that. `lasting`: a
    further try would end the same until a person does something."""

    ok: bool
    looks: tuple[Seen, ...] = ()
    verdict: str = ""
    reason: str = ""
    next_step: str = ""
    back: bool | None = None
    lasting: bool = False


class _NotServed(Exception):
    def __init__(self, looks: Sequence[Seen]) -> None:
        super().__init__()
        self.looks = tuple(looks)


async def prepare(place: Place) -> Snapshot | Failed:
    """The way back, before anything is touched."""
    try:
        target = dialing.connector(place.kind, place.options)
        return await previous.snapshot(target, place.resource, place.previous)
    except ConnectorError as error:
        return Failed(error.message, dialing.step_of(error), dialing.lasts(error))


async def install(work: ToInstall) -> Outcome:
    """New certificate live, seen from outside, kept; or everything as before (DEP-6)."""
    target = dialing.connector(work.place.kind, work.place.options)
    looks: tuple[Seen, ...] = ()
    try:
        await target.install(work.place.resource, work.bundle)
        looks = await _seen(work.place, _names(work), work.expected)
        await _held(target, work.place.resource, work.bundle)
        await target.keep(work.place.resource, work.bundle)
        return Outcome(True, looks, probe.Verdict.NEW)
    except _NotServed as unseen:
        first = rules.worst(unseen.looks) or unseen.looks[0]
        return await _back(work, Outcome(False, unseen.looks, first.verdict, first.sentence))
    except ConnectorError as error:
        lasting = dialing.lasts(error)
        told = Outcome(False, looks, "", error.message, dialing.step_of(error), lasting=lasting)
        if isinstance(error, TargetError) and not error.touched:
            return await _as_it_was(work, told)
        return await _back(work, told)


def _names(work: ToInstall) -> tuple[str, ...]:
    asked = [one for one in work.place.names if one not in work.place.exempt]
    new = [one for one in work.bundle.names if one not in work.place.exempt]
    return rules.looked_at(asked, new)


async def _held(target: Target, resource: str, bundle: Bundle) -> None:
    """The target's own word beside the look: a neighbour's certificate may have answered for the same names.

    Raises:
        TargetError: it holds another one.
    """
    held = next((one.fingerprint_sha1 for one in await target.resources() if one.id == resource), "")
    if held != bundle.fingerprint_sha1:
        raise TargetError(
            Reason.BAD_ANSWER,
            f"{resource} took the certificate without a complaint and holds another one.",
            "See whether something else changes this target, then deploy again.",
        )


async def _as_it_was(work: ToInstall, why: Outcome) -> Outcome:
    """The same outcome, with what a look says of the previous certificate.

    A server whose files are as they were is not told to load them: that too may fail.
    """
    if not work.snapshot.fingerprint_sha256:
        return why
    try:
        await _seen(work.place, _names_before(work.snapshot), _expected_before(work), any_name=True)
    except _NotServed as unseen:
        first = rules.worst(unseen.looks) or unseen.looks[0]
        told = f"Nothing was changed, but the previous certificate is not seen: {first.sentence}"
        return replace(why, reason=f"{why.reason} {told}", next_step=_LOOK_NOW)
    told = "Nothing was changed: the previous certificate is served."
    return replace(why, reason=f"{why.reason} {told}", back=True)


def _expected_before(work: ToInstall) -> Expected:
    ours = frozenset({*work.expected.ours, work.expected.new})  # what was to be deployed is one of them now
    return Expected(work.snapshot.fingerprint_sha256, ours=ours)


def _names_before(snapshot: Snapshot) -> tuple[str, ...]:
    return snapshot.names[: rules.MOST_LOOKED_AT]


async def _back(work: ToInstall, why: Outcome) -> Outcome:
    """The same outcome, with what became of the previous certificate."""
    again = await restore(ToRestore(work.place, work.snapshot, _expected_before(work)))
    if again.ok:
        told = "The previous certificate was put back and is served."
        return replace(why, reason=f"{why.reason} {told}", back=True)
    if again.looks:  # the target took it: who cannot see there must not be told that it is lost
        told = f"The previous certificate was put back but is not seen: {again.reason}"
    else:
        told = f"The previous certificate could not be put back: {again.reason}"
    return replace(why, reason=f"{why.reason} {told}", next_step=_LOOK_NOW, back=False)


_LOOK_NOW = "Look at the target now; then deploy again."


async def restore(work: ToRestore) -> Outcome:
    """The snapshot live again, and seen."""
    try:
        target = dialing.connector(work.place.kind, work.place.options)
        await target.restore(work.place.resource, work.snapshot)
        seen = await _seen(work.place, _names_before(work.snapshot), work.expected, any_name=True)
        return Outcome(True, seen, probe.Verdict.NEW)
    except _NotServed as unseen:
        first = rules.worst(unseen.looks) or unseen.looks[0]
        return Outcome(False, unseen.looks, first.verdict, first.sentence, _LOOK_NOW)
    except ConnectorError as error:
        return Outcome(False, (), "", error.message, dialing.step_of(error))


async def _seen(
    place: Place, names: Sequence[str], expected: Expected, *, any_name: bool = False
) -> tuple[Seen, ...]:
    """Looks until every listener serves the expected one for every name twice in a row, or patience ends.

    Args:
        any_name: a certificate that does not cover its names was there before: that counts as seen.

    Raises:
        _NotServed: with the last looks.
    """
    patience = dialing.patience(place.kind)
    until = time.monotonic() + max(PATIENCE, patience)
    seen = False
    while True:
        looks = await _looks(place, names, expected)
        good = bool(looks) and all(_good(one, any_name) for one in looks)
        if good and seen:
            return looks
        if not good and time.monotonic() > until:
            raise _NotServed(looks or (_nobody(place),))
        await asyncio.sleep(AGAIN if good else max(PAUSE, patience / _LOOKS))
        seen = good


def _good(one: Seen, any_name: bool) -> bool:
    return one.verdict is probe.Verdict.NEW or (any_name and one.verdict is probe.Verdict.NAME_MISMATCH)


def _nobody(place: Place) -> Seen:
    return Seen(place.resource, "", probe.Verdict.UNREACHABLE, "Nobody could look at what is served.")


async def _looks(place: Place, names: Sequence[str], expected: Expected) -> tuple[Seen, ...]:
    networks = settings.get().allow_networks
    asked = []
    for listener in place.listeners:
        host, _, port = listener.rpartition(":")
        for name in names:
            asked.append(probe.look(host.strip("[]"), int(port), name, expected, allow_networks=networks))
    return tuple(one for found in await asyncio.gather(*asked) for one in found)
