"""Each web process keeps to a processor of its own, gives it back at its end, and leaves nobody without."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from certdesk.config import affinity

PROGRAM = """
import os, sys, threading, time
from pathlib import Path
from certdesk.config.affinity import settle
end = threading.Event()
other = threading.Thread(target=end.wait)
other.start()
settle(Path(sys.argv[1]))
print(*{frozenset(os.sched_getaffinity(int(one.name))) for one in Path("/proc/self/task").iterdir()}.pop())
sys.stdout.flush()
sys.stdin.read()
end.set()
"""


@contextmanager
def settled(folder: Path) -> Iterator[set[int]]:
    """The processors of a process, for as long as it lives."""
    environment = os.environ | {"PYTHONPATH": str(Path(affinity.__file__).parents[2])}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield {int(one) for one in process.stdout.readline().split()}
        process.communicate()


def test_processes_have_a_processor_each(tmp_path: Path) -> None:
    every = sorted(os.sched_getaffinity(0))
    with settled(tmp_path) as first:
        assert first == {every[0]}
        with settled(tmp_path) as second:
            assert second == ({every[1]} if len(every) > 1 else set(every))
    with settled(tmp_path) as again:
        assert again == first


def test_one_too_many_stays_free_to_move(tmp_path: Path) -> None:
    every = os.sched_getaffinity(0)
    taken: list[set[int]] = []

    def fill(left: int) -> None:
        with settled(tmp_path) as found:
            taken.append(found)
            if left:
                fill(left - 1)

    fill(len(every))
    assert [len(one) for one in taken[:-1]] == [1] * len(every)
    assert taken[-1] == every
