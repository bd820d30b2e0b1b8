"""A desk with the ACME server in front."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # models are read once Django stands
    from tests.support.acme_house import House


@pytest.fixture
def house(db: None) -> "Iterator[House]":
    from tests.support.acme_house import open_house

    with open_house() as found:
        yield found
