"""A plugin of pytest: the order in which the files run, so that all test processes end together.

By xdist's own order the files of fewest tests come last, and these are the longest tests there are: kills,
whole installations, browsers. So they are spread over the first part, never all processes at one at once,
and many short tests fill the end.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

LONG = ("slow", "browser")
EARLY = 0.7
"""The part of all files among which the long ones stand."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Between two files with a long test stand as many others; else the random order stays."""
    yield
    files = dict.fromkeys(item.path for item in items)
    long = {item.path for item in items if any(item.get_closest_marker(name) for name in LONG)}
    steps = {True: EARLY * (len(files) - len(long)) / (len(long) or 1), False: 1.0}
    place, at = dict[Path, float](), {True: 0.0, False: 0.0}
    for path in files:
        place[path] = at[path in long]
        at[path in long] += steps[path in long]
    items.sort(key=lambda item: place[item.path])
