"""What the faces need: the folder that static files are served from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation


@pytest.fixture(autouse=True, scope="session")
def static_folder() -> None:
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    """A request activates its language for the thread; what a test renders by itself would inherit it."""
    yield
    translation.activate(settings.LANGUAGE_CODE)
