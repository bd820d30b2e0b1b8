"""The operator's own list of weak keys, beside the keys that were blocked here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from certdesk.foundation.common import settings
from certdesk.pki.keystore import blocklist, queries
from certdesk.pki.keystore.blocklist import BlocklistUnreadable

pytestmark = pytest.mark.django_db
LISTED, OTHER = b"\x01" * 32, b"\x02" * 32


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[Path]:
    before = settings.get()
    path = tmp_path / "weak.txt"
    path.write_text(f"# from a firmware\n{LISTED.hex()}\n", encoding="utf-8")
    settings.install(before.model_copy(update={"weak_keys": path}))
    yield path
    settings.install(before)


def test_without_the_setting_there_is_no_list() -> None:
    assert blocklist.load() == frozenset()
    assert not queries.is_blocked(LISTED)


def test_a_listed_key_is_blocked_and_a_changed_list_is_followed(listed: Path) -> None:
    # rule: APP-12
    assert queries.is_blocked(LISTED)
    assert queries.is_blocked(LISTED.hex())
    assert not queries.is_blocked(OTHER)
    listed.write_text(f"{OTHER.hex()}  # only this one, in a longer line\n", encoding="utf-8")
    assert (queries.is_blocked(LISTED), queries.is_blocked(OTHER)) == (False, True)


@pytest.mark.parametrize("content", ["no digest\n", None])
def test_a_list_that_cannot_be_read_lets_no_key_through(listed: Path, content: str | None) -> None:
    if content is None:
        listed.unlink()
    else:
        listed.write_text(content, encoding="utf-8")
    with pytest.raises(BlocklistUnreadable):
        queries.is_blocked(OTHER)
