"""What is to be done next at a CA outside, when, and by whom. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol

from certdesk.connectors.issuers.protocol import OrderState, Task

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 900.0
"""Of a CA that names no time of its own: 5, 10, 20 … seconds, in the end every quarter of an hour."""
FIRST_RETRY = 10.0
LONGEST_RETRY = 3600.0
LONGEST_ASKED = 86_400.0  # a CA that asks for more is asked once a day all the same
TELL_AGAIN = 4  # quiet answers after which a task that is set up is told once more
WORDS, VALUE = 1000, 20_000


class Duty(StrEnum):
    """What the next call is for."""

    NOTHING = "nothing"
    PLACE = "place"
    CARRY_ON = "carry on"  # tell what is set up, or ask how it stands
    BRING = "bring"  # what an officer has brought by hand
    FIND = "find"  # an answer was lost: only `place` finds the order that is to be taken back
    WITHDRAW = "withdraw"
    DISOWN = "disown"  # revoke what was refused here


class Known(Protocol):
    """What is kept of an order."""

    unfinished: bool
    leaving: bool
    asking: bool
    lost: bool
    handle: str
    brought: Any
    unwanted: Any


def duty(known: Known) -> Duty:
    """What is to be done now at the CA."""
    if not known.unfinished:
        return Duty.NOTHING
    if known.unwanted is not None:
        return Duty.DISOWN
    if known.leaving:
        if known.handle:
            return Duty.WITHDRAW
        return Duty.FIND if known.asking or known.lost else Duty.NOTHING
    if not known.handle:
        return Duty.PLACE
    return Duty.BRING if known.brought is not None else Duty.CARRY_ON


def pause(retry_after: int | None, quiet: int) -> float:
    """Seconds until the order is looked at again; never sooner than the CA asked."""
    if retry_after is not None:
        return min(max(float(retry_after), 1.0), LONGEST_ASKED)
    return min(FIRST_PAUSE * 2.0 ** min(quiet, 20), LONGEST_PAUSE)


def pause_after_failure(retry_after: int | None, failures: int) -> float:
    """Seconds until a call that failed is made again."""
    grown = min(FIRST_RETRY * 2.0 ** min(max(failures - 1, 0), 20), LONGEST_RETRY)
    return max(grown, min(float(retry_after or 0), LONGEST_ASKED))


@dataclass(frozen=True, slots=True)
class Kept:
    """A task of the CA as it is kept, with what became of it here.

    Attributes:
        ready: it was seen standing, so the CA may look.
        told: the CA was told so.
        by: who sets it up: `automatic` (the account's DNS), `served` (our own pages), `hand`, or `words` for
            what only the CA and its people do (a mail to answer).
    """

    id: str
    name: str
    method: str
    where: str
    value: str
    record_type: str = ""
    done: bool = False
    words: str = ""
    ready: bool = False
    told: bool = False
    by: str = "hand"

    @property
    def is_seen(self) -> bool:
        """Whether it can be looked at from here."""
        return self.method in ("dns-01", "http-01")


def kept(rows: Sequence[Mapping[str, Any]]) -> tuple[Kept, ...]:
    """From the rows of the table."""
    return tuple(Kept(**row) for row in rows)


def rows_of(tasks: Sequence[Kept]) -> list[dict[str, Any]]:
    return [asdict(one) for one in tasks]


def merged(before: Sequence[Kept], told: Sequence[Task]) -> tuple[Kept, ...]:
    """The CA's tasks as they are now, with what was known of the same ones; another value is another task."""
    known = {(one.id, one.value): one for one in before}
    found = []
    for task in told:
        old = known.get((task.id, task.value))
        found.append(
            Kept(
                task.id,
                task.name,
                task.method,
                task.where,
                task.value[:VALUE],
                task.record_type,
                task.done,
                task.words[:WORDS],
                bool(old and old.ready),
                bool(old and old.told),
                old.by if old else ("words" if task.method == "email" else "hand"),
            )
        )
    return tuple(found)


def open_names(tasks: Sequence[Kept]) -> tuple[str, ...]:
    """Names of which the CA has accepted no task yet; one of a name's methods is enough."""
    done = {one.name for one in tasks if one.done}
    return tuple(dict.fromkeys(one.name for one in tasks if one.name not in done))


def to_look_at(tasks: Sequence[Kept]) -> tuple[Kept, ...]:
    """What can be looked at and was not seen yet."""
    names = set(open_names(tasks))
    return tuple(one for one in tasks if one.name in names and one.is_seen and not one.ready)


def to_tell(tasks: Sequence[Kept], quiet: int) -> tuple[str, ...]:
    """Ids of tasks that stand, one a name, where the CA has not been told, or has not moved for long."""
    again = quiet % TELL_AGAIN == TELL_AGAIN - 1
    found: dict[str, str] = {}
    names = set(open_names(tasks))
    for one in tasks:
        stands = one.ready or one.by == "words"
        if one.name in names and stands and (again or not one.told):
            found.setdefault(one.name, one.id)
    return tuple(found.values())


def must_proceed(state: str, tasks: Sequence[Kept], telling: Sequence[str]) -> bool:
    """Whether the order is carried on and not only asked about: something to tell, or nothing left to."""
    return state == OrderState.TASKS and (bool(telling) or not open_names(tasks))


def who_acts(state: str, tasks: Sequence[Kept]) -> str:
    """`you` for a record that only its owner can set, `officer`, `CA`; empty while we act ourselves."""
    if state != OrderState.TASKS:
        return "CA"
    names = set(open_names(tasks))
    waiting = [one for one in tasks if one.name in names and not one.ready]
    if any(one.method == "by-hand" for one in waiting):
        return "officer"
    automatic = {one.name for one in waiting if one.by == "automatic"}
    return "you" if any(one.name not in automatic for one in waiting) else ""
