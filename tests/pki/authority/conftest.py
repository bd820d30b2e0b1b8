"""The built-in CA for the tests of this folder, and a public address for its pointers."""

from collections.abc import Iterator

import pytest

from certdesk.foundation.common import settings


@pytest.fixture
def ca(db: None) -> Iterator[None]:
    from tests.support import authority  # models: not before Django is ready

    before = settings.get()
    settings.install(before.model_copy(update={"pki_url": "http://pki.example.com"}))
    authority.start_ca()
    yield
    settings.install(before)
