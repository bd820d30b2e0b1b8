"""What every test stands on: a scratch data folder, settings, no sockets beyond loopback."""

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from hypothesis import settings as hypothesis_settings
from xdist.workermanage import WorkerController

from tests.support import order, prepared, tracing

# Before Django is configured: the tests never touch the developer's data.
_scratch = Path(tempfile.mkdtemp(prefix="certdesk-test-"))
for _name in [name for name in os.environ if name.startswith("CERTDESK_")]:
    if _name not in ("CERTDESK_REQUIRE_ALL", "CERTDESK_SIZE", "CERTDESK_TEST_DATABASE_URL"):
        del os.environ[_name]
os.environ["CERTDESK_DATA"] = str(_scratch / "data")
if os.environ.get("CERTDESK_TEST_DATABASE_URL"):
    os.environ["CERTDESK_DATABASE_URL"] = os.environ["CERTDESK_TEST_DATABASE_URL"]
(_scratch / "data").mkdir()
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)
os.environ["DJANGO_SETTINGS_MODULE"] = "certdesk.config.django"
assert django_settings.DATABASES  # configured here: pytest-django then sets Django up
assert django_settings.CERTDESK.data == _scratch / "data", "Django was set up before this folder was chosen"
django_settings.PASSWORD_HASHERS = ["tests.support.passwords.Quick"]

hypothesis_settings.register_profile("certdesk", deadline=None)  # a loaded machine fails no test
hypothesis_settings.load_profile("certdesk")


@pytest.fixture(autouse=True, scope="session")
def tables_are_emptied_fast() -> None:
    from tests.support import emptying  # which takes Django's models

    emptying.no_more_than_that()
    emptying.only_what_is_filled()


@pytest.fixture(autouse=True)
def settings_of_before() -> Iterator[None]:
    """What a test or its fixtures have installed is no other test's."""
    from certdesk.foundation.common import settings

    before = settings.get()
    yield
    if settings.get() is not before:
        settings.install(before)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """A test process that found the module's name would set Django up with this process's folder.

    They would then share it, and a test that takes the KEK away for a moment would break those beside it.
    """
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """What one test process has prepared, the others take."""
    node.workerinput["prepared"] = str(_scratch)


def pytest_configure(config: pytest.Config) -> None:
    """The key files that every sealed value needs, made once in the scratch folder; our own plugins."""
    from certdesk.config.settings import load
    from certdesk.foundation.common import session_key
    from certdesk.foundation.sealing import kek

    config.pluginmanager.register(order)
    config.pluginmanager.register(tracing)
    prepared.keep_in(Path(getattr(config, "workerinput", {}).get("prepared", _scratch)))
    settings = load()
    kek.ensure_kek_file(settings.kek_path)
    session_key.ensure(settings)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What touches the database runs on PostgreSQL too; the browser and the outside processes once."""
    for item in items:
        uses = set(getattr(item, "fixturenames", ()))
        touches = item.get_closest_marker("django_db") or uses & {"db", "transactional_db", "live_server"}
        if touches and not item.get_closest_marker("browser"):
            item.add_marker("postgres")


def pytest_collection_finish() -> None:
    """What thousands of tests are made of stays to the end: not to be looked through at each collection."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """CERTDESK_REQUIRE_ALL=1: a skipped test is a failed run, so that nothing is left out unseen."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("CERTDESK_REQUIRE_ALL") == "1" and exitstatus == 0:
        reporter.write_line(
            f"CERTDESK_REQUIRE_ALL=1: {len(skipped)} skipped tests make this run fail", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
