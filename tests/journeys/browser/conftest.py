"""One running product and one browser for all journeys of a test process."""

from collections.abc import Iterator

import pytest

from tests.support import browser, needs
from tests.support.running import Stage, open_stage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "browser" and item.path.parent.parent.name == "journeys":
            for mark in ("browser", "server", "slow"):
                item.add_marker(mark)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    needs.need(browser.CHROMIUM is not None, browser.REASON)
    with open_stage(tmp_path_factory.mktemp("stage")) as opened:
        yield opened


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """The journey itself runs in the browser's thread."""
    given = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    pyfuncitem.funcargs["stage"].run(lambda: pyfuncitem.obj(**given))
    return True
