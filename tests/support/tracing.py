"""A plugin of pytest: which tests count for the coverage floors.

Tracing doubles a test's work. Tests with a browser, and those that run whole installations again and again,
reach hardly a line that no other test reaches; they and the processes that they start run untraced. Not so
those of the commands, which run in processes of their own alone.
"""

import os
from collections.abc import Iterator

import pytest
from coverage import Coverage

FOR_CHILDREN = "COVERAGE_PROCESS_CONFIG"
"""By this variable of the environment a new process is traced like its parent."""
COMMANDS = ("tests/client/", "tests/interfaces/cli/test_commands.py", "tests/floors/test_backup.py")
_stopped: list[Coverage] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    slow = item.get_closest_marker("slow") and not item.nodeid.startswith(COMMANDS)
    if slow or item.get_closest_marker("browser"):
        _stop()
    else:
        _go_on()
    return (yield)


def _stop() -> None:
    while tracing := Coverage.current():  # pytest's, and the one by which each new process is traced
        tracing.stop()
        _stopped.append(tracing)
    os.environ.pop(FOR_CHILDREN, None)


def _go_on() -> None:
    while _stopped:
        _stopped.pop().start()  # which sets the variable anew
