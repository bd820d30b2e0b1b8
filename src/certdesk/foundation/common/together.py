"""Group commit: what several requests want written at the same moment, one of them writes for all."""

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from .baton import baton, closed_gate

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

PATIENCE = 0.005  # seconds that a request waits for company that may never come to this point


class _Slot(Generic[Item, Outcome]):
    """One request's piece of work, and what came of it."""

    __slots__ = ("asked", "done", "error", "gate", "item", "key", "outcome")

    def __init__(self, item: Item, key: Hashable) -> None:
        self.item, self.key = item, key
        self.outcome: list[Outcome] = []
        self.error: BaseException | None = None
        self.done = False
        self.gate = closed_gate()
        self.asked = True  # nobody has to ask for the baton for this slot's thread: it has not stepped aside


class Together(Generic[Item, Outcome]):
    """Calls `work` for one item, or for all items of one key that requests of this process wait with.

    A request that is alone in its process is served at once. While others wait to be run it steps aside,
    at most for `PATIENCE`; the one behind which nobody waits does the work for all. So the fixed price of
    a transaction is shared the more, the more load there is.

    Args:
        work: answers one outcome an item, in order; what it raises, every owner of an item gets.
        most: items of one run at most.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Outcome]], most: int) -> None:
        self._work, self._most = work, most
        self._waiting: list[_Slot[Item, Outcome]] = []
        self._list, self._turn = threading.Lock(), threading.Lock()

    def __call__(self, item: Item, key: Hashable) -> Outcome:
        """The outcome of `item`; only items of an equal `key` are done together."""
        slot: _Slot[Item, Outcome] = _Slot(item, key)
        with self._list:
            self._waiting.append(slot)
            is_full = len(self._waiting) >= self._most
        if baton.held and baton.is_wanted and not is_full:
            self._step_aside(slot)
        if not slot.done:
            with self._turn:
                if not slot.done:
                    self._serve(self._take(slot))
        if slot.error is not None:
            raise slot.error
        return slot.outcome[0]

    def _step_aside(self, slot: _Slot[Item, Outcome]) -> None:
        """Lets others run; goes on when somebody has done the work, or when nobody has for too long."""
        with self._list:
            slot.asked = False
        baton.pass_on()
        if baton.wait(slot.gate, PATIENCE):
            return
        with self._list:
            was_asked, slot.asked = slot.asked, True
        if not was_asked:
            baton.ask(slot.gate)
        baton.wait(slot.gate)

    def _take(self, mine: _Slot[Item, Outcome]) -> list[_Slot[Item, Outcome]]:
        with self._list:
            others = [one for one in self._waiting if one is not mine and one.key == mine.key]
            taken = [mine, *others[: self._most - 1]]
            self._waiting = [one for one in self._waiting if one not in taken]
        return taken

    def _serve(self, slots: Sequence[_Slot[Item, Outcome]]) -> None:
        try:
            outcomes = self._work([slot.item for slot in slots])
            for slot, outcome in zip(slots, outcomes, strict=True):
                slot.outcome.append(outcome)
        except BaseException as error:
            for slot in slots:
                slot.error = error
            raise
        finally:
            self._release(slots)

    def _release(self, slots: Sequence[_Slot[Item, Outcome]]) -> None:
        """The owners run next, one after the other: each is woken once, when its turn has come. After
        them one of another key, to do the work for those of its own."""
        with self._list:
            next_ones = [*slots[1:], *self._waiting[:1]]
            gates = [slot.gate for slot in next_ones if not slot.asked]
            for slot in next_ones:
                slot.asked = True
            for slot in slots:
                slot.done = True
        if baton.held:
            baton.ask_first(gates)
            return
        for gate in gates:
            baton.ask(gate)
