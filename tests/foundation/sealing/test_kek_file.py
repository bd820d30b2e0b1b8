"""The file of key-encryption keys: made for its owner alone, refused when others can read it."""

import stat
from pathlib import Path

import pytest

from certdesk.foundation.common import settings
from certdesk.foundation.sealing import kek
from certdesk.foundation.sealing.errors import KekRefused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return kek.ensure_kek_file(tmp_path / "keys.kek")


def test_the_file_is_made_for_its_owner_alone_and_kept(path: Path) -> None:
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert kek.ensure_kek_file(path).read_bytes() == before
    assert kek.load(path).versions == (1,)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644, 0o601])
def test_a_file_that_others_can_reach_is_refused_with_the_command_that_helps(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(KekRefused) as refused:
        kek.load(path)
    assert f"chmod 600 {path}" in refused.value.next_step


def test_a_file_that_is_opened_to_others_later_is_noticed_at_the_next_use(path: Path) -> None:
    kek.load(path)
    path.chmod(0o644)
    with pytest.raises(KekRefused):
        kek.load(path)


def test_a_file_inside_the_data_folder_is_refused() -> None:
    with pytest.raises(KekRefused, match="inside the data folder"):
        kek.ensure_kek_file(settings.get().data / "keys.kek")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KekRefused, match="is missing"):
        kek.load(tmp_path / "nowhere.kek")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"version": 1, "key": "AAAA"}',
        '{"version": 1, "key": "*"}',
        '{"version": 0, "key": "' + "A" * 43 + '="}',
        '{"version": "x", "key": "' + "A" * 43 + '="}',
        '{"version": 1, "key": "' + "A" * 43 + '="}\n' * 2,
    ],
)
def test_a_damaged_file_is_refused_without_showing_it(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(KekRefused, match="damaged") as refused:
        kek.load(path)
    assert "AAAA" not in str(refused.value)


def test_a_new_version_becomes_the_current_one_and_old_ones_can_be_retired(path: Path) -> None:
    assert kek.add_version(path) == 2
    assert kek.load(path).versions == (1, 2)
    kek.retire(path, [1, 2])
    assert kek.load(path).versions == (2,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_version_that_the_file_lacks_is_named(path: Path) -> None:
    with pytest.raises(KekRefused, match="no version 7"):
        kek.load(path).cipher(7)


def test_repr_shows_no_key(path: Path) -> None:
    assert repr(kek.load(path)) == "KeyRing(versions=(1,))"
