"""A processor of its own for each web process: its threads run one at a time, and waking one that slept on
another processor costs more than what it is woken for."""

import fcntl
import os
from pathlib import Path

_held: list[int] = []
"""The open lock file of this process, for as long as it lives."""


def settle(folder: Path) -> None:
    """Keeps all threads of this process on the first processor that no other web process has taken.

    Where there are more web processes than processors, the rest stays free to move.

    Args:
        folder: where the processes meet; a process that ends gives its processor back.
    """
    handle = os.open(folder / "processors", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for place, processor in enumerate(sorted(os.sched_getaffinity(0))):
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            continue
        _held.append(handle)
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), {processor})
        return
    os.close(handle)
