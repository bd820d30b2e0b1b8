"""An office for each test."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.office import Office


@pytest.fixture
def office(db: None) -> "Iterator[Office]":
    from tests.support.office import open_office  # models load only after Django is set up

    with open_office() as made:
        yield made
