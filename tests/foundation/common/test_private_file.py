"""Private files: for the owner alone, whole or as before, whatever a crash left beside them."""

from pathlib import Path

import pytest

from certdesk.foundation.common import private_file


@pytest.mark.parametrize("before", [None, b"before"])
def test_what_is_written_is_for_the_owner_alone_and_replaces_what_was_there(
    tmp_path: Path, before: bytes | None
) -> None:
    path = tmp_path / "key.pem"
    if before is not None:
        path.write_bytes(before)
        path.chmod(0o644)
    (tmp_path / "key.pem.new").write_bytes(b"half a k")  # of a writer that was killed
    private_file.write(path, b"\x00new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"\x00new", 0o600)
    assert list(tmp_path.iterdir()) == [path]
    private_file.replace(path, ["one", "two"])
    assert path.read_text() == "one\ntwo\n"


def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.pem"
    private_file.write(path, b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_file.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        private_file.write(path, b"after")
    assert path.read_bytes() == b"before"
