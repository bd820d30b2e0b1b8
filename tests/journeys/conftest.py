"""A desk, a caller or an office for each test, and the lab clock."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings as django_settings

if TYPE_CHECKING:
    from tests.support.desk import Desk
    from tests.support.office import Office
    from tests.support.rulebook import Caller, LabClock


@pytest.fixture(autouse=True, scope="session")
def static_folder() -> None:
    Path(django_settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def desk(db: None) -> "Iterator[Desk]":
    from tests.support.desk import open_desk  # models load only after Django is set up

    with open_desk() as made:
        yield made


@pytest.fixture
def alice(desk: "Desk") -> "Caller":
    from tests.support.rulebook import Caller

    return Caller(desk.alice)


@pytest.fixture
def office(db: None) -> "Iterator[Office]":
    from tests.support.office import open_office

    with open_office() as made:
        yield made


@pytest.fixture
def lab(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[LabClock]":
    """Asked for before `desk` or `office`, whose settings stand on these."""
    from tests.support.rulebook import lab_clock

    with lab_clock(tmp_path, monkeypatch) as made:
        yield made
