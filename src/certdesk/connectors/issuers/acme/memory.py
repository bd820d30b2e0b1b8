"""What this process remembers of CAs between calls: when they may be asked again, and what was told to them.

Nothing here has to last: after a restart a CA says again when it wants to be left alone, a challenge that is
answered twice is answered once, and an order that was lost is never finalized.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")
_MOST = 10_000


class Memory:
    """Bounded; the oldest goes first. One for the process, or one for a test.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._answered: OrderedDict[str, None] = OrderedDict()
        self._orders: OrderedDict[tuple[str, str], str] = OrderedDict()

    def hold(self, account: str, url: str, seconds: int) -> None:
        """The server wants no such request before that time (`Retry-After` of 429 and 503)."""
        _put(self._until, (account, url), self._clock() + seconds)

    def held(self, account: str, url: str) -> int:
        """Seconds that are left; 0 = it may be asked."""
        now = self._clock()
        return max(0, math.ceil(self._until.get((account, url), now) - now))

    def answer(self, challenge: str) -> None:
        """The CA was told that this challenge is set up."""
        _put(self._answered, challenge, None)

    def is_answered(self, challenge: str) -> bool:
        return challenge in self._answered

    def placed(self, account: str, reference: str, order: str) -> None:
        _put(self._orders, (account, reference), order)

    def order_of(self, account: str, reference: str) -> str:
        """The URL of the order that was placed last for a reference; empty where none is known."""
        return self._orders.get((account, reference), "")


def _put(table: OrderedDict[K, V], key: K, value: V) -> None:
    table[key] = value
    table.move_to_end(key)
    while len(table) > _MOST:
        table.popitem(last=False)


SHARED = Memory()
