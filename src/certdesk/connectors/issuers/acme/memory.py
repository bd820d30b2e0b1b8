"""What this process remembers of CAs between calls: when they may be asked again, and what was told to them.

Nothing here has to last: after a restart a CA says again when it wants to be left alone, a challenge that is
answered twice is answered once, an order that was lost is never finalized, directory and account are asked
for again.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")
_MOST = 10_000
_FRESH = 3600.0
"""Seconds for which a directory is not asked for again."""


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
        self._directories: OrderedDict[str, tuple[float, Mapping[str, Any]]] = OrderedDict()
        self._accounts: OrderedDict[tuple[str, str], str] = OrderedDict()

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

    def read(self, directory: str, found: Mapping[str, Any]) -> None:
        """What stands at the address of a directory."""
        _put(self._directories, directory, (self._clock() + _FRESH, found))

    def directory_of(self, directory: str) -> Mapping[str, Any] | None:
        """None where it was not read yet, or long ago."""
        until, found = self._directories.get(directory, (0.0, None))
        return found if found is not None and self._clock() < until else None

    def has_account(self, directory: str, key: str, account: str) -> None:
        _put(self._accounts, (directory, key), account)

    def account_of(self, directory: str, key: str) -> str:
        """The URL of the account by a key (its thumbprint); empty where none is known."""
        return self._accounts.get((directory, key), "")

    def forget_account(self, directory: str, key: str) -> None:
        self._accounts.pop((directory, key), None)

    def forget_directory(self, directory: str) -> None:
        self._directories.pop(directory, None)


def _put(table: OrderedDict[K, V], key: K, value: V) -> None:
    table[key] = value
    table.move_to_end(key)
    while len(table) > _MOST:
        table.popitem(last=False)


SHARED = Memory()
