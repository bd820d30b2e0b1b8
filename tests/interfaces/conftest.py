"""What the faces need: the folder of static files, and answers that are as described."""

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


@pytest.fixture(autouse=True)
def answers_as_described(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test asks an operation, the answer has the type that the description of the API gives it."""
    from certdesk.interfaces.operations import registry  # models are read once Django stands
    from tests.support import answers

    faults: list[str] = []
    monkeypatch.setattr(registry, "perform", answers.watched(registry.perform, faults))
    yield
    assert faults == []
