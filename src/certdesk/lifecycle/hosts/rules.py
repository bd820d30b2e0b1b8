"""When a host counts as silent, when it is tried again, which certificate its place gets. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from certdesk.lifecycle.deployment.rules import USUAL_LOOK, covered

CODE_LIVES = timedelta(minutes=15)
WAIT = 15
"""Seconds after which a host asks again."""
SILENT_AFTER = timedelta(minutes=10)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=30)


class Standing(StrEnum):
    """How a host stands."""

    WAITING = "WAITING"  # its code was not used yet
    EXPIRED = "EXPIRED"  # nor will it be
    ACTIVE = "ACTIVE"
    SILENT = "SILENT"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that belongs to a key of the place."""

    id: int
    names: tuple[str, ...]
    created_at: datetime


def standing(seen_at: datetime | None, code_expires_at: datetime, now: datetime) -> Standing:
    if seen_at is None:
        return Standing.WAITING if now < code_expires_at else Standing.EXPIRED
    return Standing.SILENT if now - seen_at >= SILENT_AFTER else Standing.ACTIVE


def pause(attempts: int, look_seconds: float = USUAL_LOOK) -> timedelta:
    """Before the next try, after so many failures in a row: doubled each time, half an hour at most.

    Args:
        look_seconds: how often places are looked at; the pauses shrink and grow with it, as at other targets.
    """
    doubled: int = 2 ** min(attempts - 1, 10)
    return min(FIRST_PAUSE * doubled, LONGEST_PAUSE) * (look_seconds / USUAL_LOOK)


def chosen(candidates: Iterable[Candidate], names: Sequence[str]) -> Candidate | None:
    """The newest that covers every name of the place."""
    good = [one for one in candidates if all(covered(name, one.names) for name in names)]
    return max(good, key=lambda one: (one.created_at, one.id), default=None)


def is_due(
    *, served: bool, deployed_before: bool, policy: str, next_at: datetime | None, now: datetime
) -> bool:
    """Whether a host is to bring its wanted certificate to a place now.

    Args:
        served: the place serves it.
        deployed_before: it was served once, so that a difference is somebody's doing (drift).
        policy: REPORT or MEND.
    """
    if served or (deployed_before and policy != "MEND"):
        return False
    return next_at is None or now >= next_at
