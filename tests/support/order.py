"""A plugin of pytest: the order in which the files run, so that all test processes end together.

By xdist's own order the files of fewest tests come last, and these are the longest tests there are: kills,
whole installations, browsers. So they come first, and many short tests fill the end.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

LONG = ("slow", "browser")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Files with a long test, then those with most tests; else the random order stays."""
    yield
    sizes = Counter(item.path for item in items)
    long = {item.path for item in items if any(item.get_closest_marker(name) for name in LONG)}
    items.sort(key=lambda item: (item.path not in long, -sizes[item.path]))
