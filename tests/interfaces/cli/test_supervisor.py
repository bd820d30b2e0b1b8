"""The supervisor: starts, restarts, gives up, and stops all on a signal."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

SCRIPT = """
import sys
from functools import partial
from certdesk.interfaces.cli.supervisor import Child, Supervisor
children = [Child(code, partial(exec, code, {})) for code in sys.argv[1:]]
sys.exit(Supervisor(children).run())
"""
# In one piece: with an unbuffered `print` the line ends of two children can come behind both numbers.
SAYS_ITS_PID = "import os, signal; os.write(1, b'%d\\n' % os.getpid()); signal.pause()"


def supervise(*codes: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": "src"}
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), *codes]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and ") Z" not in Path(f"/proc/{pid}/stat").read_text(
        encoding="ascii"
    )


def test_sigterm_ends_every_child() -> None:
    process = supervise(SAYS_ITS_PID, SAYS_ITS_PID)
    assert process.stdout is not None
    children = [int(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert not any(alive(child) for child in children)
    process.communicate()


def test_ctrl_c_ends_every_child() -> None:
    process = supervise(SAYS_ITS_PID)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert not alive(child)
    process.communicate()


def test_a_child_that_dies_is_started_again() -> None:
    process = supervise(SAYS_ITS_PID)
    assert process.stdout is not None
    first = int(process.stdout.readline())
    os.kill(first, signal.SIGKILL)
    second = int(process.stdout.readline())
    assert second != first
    process.terminate()
    assert process.wait(20) == 0
    process.communicate()


def test_a_child_that_never_comes_up_ends_the_supervisor() -> None:
    process = supervise("raise SystemExit(3)", SAYS_ITS_PID)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "does not stay up (status 3)" in errors
