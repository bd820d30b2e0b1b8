"""Runs a few child processes as one: forks them, restarts one that dies, stops all on a signal.

The children are forks of a parent that has imported everything once: they start at once and share its memory.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from types import FrameType

STOP_WITHIN = 10.0  # seconds a child has to finish what it began (promise 40)
_FORK = multiprocessing.get_context("fork")


@dataclass
class Child:
    """One process of ours. `quick_deaths` slows the restarts of one that cannot start."""

    name: str
    target: Callable[[], None]
    process: ForkProcess | None = None
    started: float = 0.0
    quick_deaths: int = 0

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = _FORK.Process(target=_alone, args=(self.target,), name=self.name)
        self.process.start()


def _alone(target: Callable[[], None]) -> None:
    """In the child: a group of its own, so that Ctrl-C reaches only the supervisor, which stops all."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    target()


class Supervisor:
    """Keeps children alive until SIGINT or SIGTERM; then ends them within `STOP_WITHIN` seconds."""

    def __init__(self, children: Sequence[Child]) -> None:
        self.children = list(children)
        self._stop = threading.Event()

    def run(self) -> int:
        """Blocks until told to stop; answers the exit status: 0, or 1 when a child never came up."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        for child in self.children:
            child.start()
        status = 0
        while not self._stop.wait(0.2):
            if not all(self._tend(child) for child in self.children):
                status = 1
                break
        self._end()
        return status

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _tend(self, child: Child) -> bool:
        """Restarts a dead child; False once it died five times right after its start."""
        if child.process is None or child.process.is_alive():
            return True
        quick = time.monotonic() - child.started < 5
        child.quick_deaths = child.quick_deaths + 1 if quick else 0
        if child.quick_deaths >= 5:
            print(
                f"certdesk: {child.name} does not stay up (status {child.process.exitcode})",
                file=sys.stderr,
            )
            return False
        if child.quick_deaths:
            self._stop.wait(min(0.5 * child.quick_deaths, 2.0))
        child.start()
        return True

    def _end(self) -> None:
        running = [child.process for child in self.children if child.process and child.process.is_alive()]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_WITHIN
        for process in running:
            process.join(max(0.1, deadline - time.monotonic()))
            if process.is_alive() and process.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.join()
