"""One of a web process's threads runs at a time; the others wait for their turn, in the order of asking.

Threads that all compute only take Python's lock from each other at each database call, and a request then
costs a fifth more. What threads are good for is waiting: for others to write with (`together`).
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


def closed_gate() -> threading.Lock:
    gate = threading.Lock()
    gate.acquire()
    return gate


class Baton:
    """A lock that is handed on in the order of asking; a thread may be asked for by another one."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queue: deque[threading.Lock] = deque()
        self._taken = False
        self._mine = threading.local()

    def __enter__(self) -> None:
        gate = closed_gate()
        self.ask(gate)
        self.wait(gate)

    def __exit__(self, *_: object) -> None:
        self.pass_on()

    def ask(self, gate: threading.Lock) -> None:
        """Opens `gate` when its thread may run: at once, or when those before it have passed."""
        with self._guard:
            if self._taken:
                self._queue.append(gate)
                return
            self._taken = True
        gate.release()

    def ask_first(self, gates: Sequence[threading.Lock]) -> None:
        """As `ask` by the thread that has the baton, for several threads, before all that wait."""
        with self._guard:
            self._queue.extendleft(reversed(gates))

    def wait(self, gate: threading.Lock, seconds: float = -1) -> bool:
        """Until `gate` opens; False when it has not within that time."""
        if not gate.acquire(timeout=seconds):
            return False
        self._mine.held = True
        return True

    def pass_on(self) -> None:
        self._mine.held = False
        with self._guard:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._taken = False

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Lets others run while this thread waits for something outside; never inside a transaction."""
        if not self.held:
            yield
            return
        self.pass_on()
        try:
            yield
        finally:
            self.__enter__()

    @property
    def held(self) -> bool:
        """Whether this thread has it."""
        return getattr(self._mine, "held", False)

    @property
    def is_wanted(self) -> bool:
        """Whether another thread waits for it."""
        return bool(self._queue)


baton = Baton()
"""That of this process. A thread outside a web process never has it."""
