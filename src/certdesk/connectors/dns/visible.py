"""Waits until a value has reached ALL authoritative servers of its zone (DOM-7).

A CA may ask any of them, so one that lacks the value is named, with the seconds for which resolvers that
asked it may still remember what it said before.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field

import dns.name
import dns.rdatatype

from certdesk.connectors.dns import causes
from certdesk.connectors.dns.ask import Budget
from certdesk.connectors.dns.lookup import Answer, Found, look_up, parse_name, show
from certdesk.connectors.dns.proof import MOST_VALUES, RecordType, value_text
from certdesk.connectors.dns.roots import ROOT, Hints
from certdesk.connectors.dns.walk import route
from certdesk.connectors.egress import Network

ROUND_SECONDS = 20.0
"""The most that the questions of one round take."""

_NO_ANSWER = frozenset({Found.SERVFAIL, Found.REFUSED, Found.TIMEOUT})


@dataclass(frozen=True, slots=True)
class ServerState:
    """What one server said last.

    `has`: the value is there. `answered`: false when the server failed or kept silent. `remembered`: seconds
    for which the answer without the value may still be kept by resolvers, 0 when it never gave one.
    """

    server: str
    has: bool
    answered: bool
    values: tuple[str, ...]
    remembered: int
    detail: str


@dataclass(frozen=True, slots=True)
class Visibility:
    """The end of a wait. `done`: every server answered as wished.

    `old_ttl`: the longest `remembered` of all servers: so long a resolver may still show the old state.
    """

    done: bool
    servers: tuple[ServerState, ...]
    rounds: int
    waited: float
    old_ttl: int
    sentence: str

    @property
    def lacking(self) -> tuple[str, ...]:
        """Servers that answered otherwise than wished."""
        return tuple(one.server for one in self.servers if one.answered and one.has != self.done_means)

    @property
    def silent(self) -> tuple[str, ...]:
        return tuple(one.server for one in self.servers if not one.answered)

    done_means: bool = field(default=True, repr=False)
    """True while waiting for the value, false while waiting for it to go."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long to wait: all in all, and between rounds. `now` (monotonic) and `pause` are for tests."""

    seconds: float = 120.0
    between: float = 2.0
    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


async def wait_until_visible(
    *,
    owner: str,
    record_type: RecordType,
    value: str,
    resolvers: Sequence[str] = (),
    allow_networks: Collection[Network] = (),
    waiting: Waiting | None = None,
    gone: bool = False,
    hints: Hints = ROOT,
) -> Visibility:
    """Asks all servers again and again until each has the value, or the time is over.

    CNAMEs are followed for TXT, at each target's own servers. One round is always asked; the last may end
    up to `ROUND_SECONDS` after `waiting.seconds`.

    Args:
        resolvers: the operator's resolvers where the installation asks them in place of the servers; then
            "all servers" are they, and what they remember counts down by itself.
        gone: wait until no server has the value any more (after it was removed).

    Raises:
        ConnectorError: `owner`, a CNAME's `value` or a resolver is not what it should be (permanent).
    """
    rule = waiting or Waiting()
    wanted = _Wanted(parse_name(owner), record_type, value)
    memory = _Memory(not gone)
    start, rounds = rule.now(), 0
    while True:
        path = route(resolvers, allow_networks, hints)  # a new walk each round: delegations change too
        budget = Budget(min(ROUND_SECONDS, max(rule.seconds, 1.0)))
        answers = await look_up(wanted.owner, wanted.rdtype, path, budget)
        rounds += 1
        states = tuple(memory.state(answer, wanted, rule.now()) for answer in answers)
        done = bool(states) and all(one.answered and one.has is not gone for one in states)
        waited = rule.now() - start
        if done or waited + rule.between > rule.seconds:
            break
        await rule.pause(rule.between)
    old_ttl = memory.longest(rule.now())
    sentence = _sentence(wanted, states, done, gone, old_ttl)
    return Visibility(done, states, rounds, waited, old_ttl, sentence, done_means=not gone)


@dataclass(frozen=True, slots=True)
class _Wanted:
    owner: dns.name.Name
    record_type: RecordType
    value: str

    @property
    def rdtype(self) -> dns.rdatatype.RdataType:
        return dns.rdatatype.from_text(self.record_type)

    def is_in(self, answer: Answer) -> bool:
        if self.record_type == "CNAME":
            target = parse_name(self.value)
            return any(record.target == target for record in answer.records)  # type: ignore[attr-defined]
        return any(causes.txt_bytes(record) == self.value.encode() for record in answer.records)


class _Memory:
    """Until when each server's last unwished answer may be remembered."""

    def __init__(self, wished: bool) -> None:
        self._wished = wished
        self._until: dict[str, float] = {}

    def state(self, answer: Answer, wanted: _Wanted, now: float) -> ServerState:
        answered = answer.found not in _NO_ANSWER
        has = answer.found is Found.RECORDS and wanted.is_in(answer)
        if answered and has is not self._wished and answer.ttl is not None:
            self._until[answer.server] = now + answer.ttl
        values = tuple(value_text(record) for record in answer.records[:MOST_VALUES])
        left = self._left(self._until.get(answer.server, now), now)
        return ServerState(answer.server, has, answered, values, left, answer.detail)

    def longest(self, now: float) -> int:
        return max((self._left(until, now) for until in self._until.values()), default=0)

    @staticmethod
    def _left(until: float, now: float) -> int:
        return max(0, round(until - now))


def _sentence(wanted: _Wanted, states: Sequence[ServerState], done: bool, gone: bool, old_ttl: int) -> str:
    what = f"The {wanted.record_type} value at {show(wanted.owner)}"
    tail = f" Resolvers may keep the old state for up to {old_ttl} s." if old_ttl else ""
    if done:
        where = f"all {len(states)} servers" if len(states) > 1 else f"the server {states[0].server}"
        return f"{what} is {'gone from' if gone else 'visible at'} {where}.{tail}"
    wrong = [one.server for one in states if one.answered and one.has is gone]
    silent = [
        f"{one.server} ({one.detail})" if one.detail else one.server for one in states if not one.answered
    ]
    parts = [f"{'still at' if gone else 'missing at'} {_some(wrong)}"] if wrong else []
    parts += [f"no answer from {_some(silent)}"] if silent else []
    return f"{what}: {'; '.join(parts) or 'no server was found'}.{tail}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
