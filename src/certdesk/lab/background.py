"""An asyncio loop in a thread of its own: the lab servers run in it beside whatever uses them."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class LoopThread:
    """Start it, call into it, stop it; stopping waits until nothing is left of it."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def call(self, work: Coroutine[Any, Any, T], timeout: float = 10.0) -> T:
        """Runs a coroutine in the loop and waits for its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def stop(self) -> None:
        self.call(_cancel_others())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _cancel_others() -> None:
    await _rounds()  # a connection taken just now begins: a task that never began would not close it
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await _rounds()  # closed transports let go of their sockets


async def _rounds() -> None:
    """A few of the loop's, in which what is due is done."""
    for _ in range(3):
        await asyncio.sleep(0)


def wait_for_stop(announce: Callable[[], None]) -> None:
    """Blocks until SIGINT or SIGTERM arrives; `announce` is called once both are caught."""
    # The wake-up descriptor is written by the signal itself, whichever thread it falls on. A threading.Event
    # set by a handler could wait for a lock that the interrupted main thread holds.
    heard, told = os.pipe()
    os.set_blocking(told, False)
    woken_before = signal.set_wakeup_fd(told)
    before = {number: signal.signal(number, _ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        announce()
        os.read(heard, 1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken_before)
        os.close(heard)
        os.close(told)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Its being there turns off the signal's default; the wake-up descriptor does the rest."""
