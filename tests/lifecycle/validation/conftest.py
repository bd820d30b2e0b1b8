"""A desk for each test."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.desk import Desk


@pytest.fixture
def desk(db: None) -> "Iterator[Desk]":
    from tests.support.desk import open_desk  # models load only after Django is set up

    with open_desk() as made:
        yield made
