"""A really running installation that clients and the command line talk to, one for all tests of a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from certdesk.client import Certdesk
from certdesk.interfaces.cli.installation import Installation
from tests.support import prepared


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("server"), workers="1") as home:
        home.key = prepared.set_up(home)  # type: ignore[attr-defined]
        home.start("web")
        home.wait_ready()
        yield home


@pytest.fixture(scope="session")
def key(server: Installation) -> dict[str, str]:
    return server.key  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def desk(server: Installation, key: dict[str, str]) -> Iterator[Certdesk]:
    with Certdesk(server.url, key["access_key"], key["secret_key"]) as client:
        yield client


@pytest.fixture(scope="session")
def secret_file(tmp_path_factory: pytest.TempPathFactory, key: dict[str, str]) -> Path:
    path = tmp_path_factory.mktemp("secrets") / "secret"
    path.write_text(key["secret_key"] + "\n", encoding="ascii")
    path.chmod(0o600)
    return path
