"""The secret behind sessions: whole or not there."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from certdesk.foundation.common import session_key


def test_an_unfinished_key_is_no_key_and_is_made_anew(tmp_path: Path) -> None:
    settings: Any = SimpleNamespace(kek_path=tmp_path / "data.kek")
    file = session_key.path_of(settings)
    file.touch()  # what a full disk leaves
    assert session_key.derive(settings, "django") != session_key.derive(settings, "django")
    session_key.ensure(settings)
    assert file.stat().st_mode & 0o777 == 0o600
    made = session_key.derive(settings, "django")
    session_key.ensure(settings)
    assert session_key.derive(settings, "django") == made != session_key.derive(settings, "listener")
