"""A plugin of pytest: which tests count for the coverage floors.

Tracing doubles a test's work. Tests with a browser, and those that run whole installations again and again,
reach hardly a line that no other test reaches; they and the processes that they start run untraced. Not so
those of the commands, which run in processes of their own alone. Of a test of the database with many cases
the first ones count.
"""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from coverage import Coverage

FOR_CHILDREN = "COVERAGE_PROCESS_CONFIG"
"""By this variable of the environment a new process is traced like its parent."""
COMMANDS = ("tests/client/", "tests/interfaces/cli/test_commands.py", "tests/floors/test_backup.py")
CASES = 25
COUNTS = pytest.StashKey[bool]()
_stopped: list[Coverage] = []


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Decides by the tests' names, not by their order, which is random."""
    yield
    cases = Counter[str]()
    for item in sorted(items, key=lambda item: item.nodeid):
        test = item.nodeid.partition("[")[0]
        cases[test] += 1
        long = item.get_closest_marker("slow") and not item.nodeid.startswith(COMMANDS)
        again = item.get_closest_marker("postgres") and cases[test] > CASES
        item.stash[COUNTS] = not (long or again or item.get_closest_marker("browser"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if item.stash[COUNTS]:
        _go_on()
    else:
        _stop()
    return (yield)


def _stop() -> None:
    while tracing := Coverage.current():  # pytest's, and the one by which each new process is traced
        tracing.stop()
        _stopped.append(tracing)
    os.environ.pop(FOR_CHILDREN, None)


def _go_on() -> None:
    while _stopped:
        _stopped.pop().start()  # which sets the variable anew
