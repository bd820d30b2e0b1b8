"""Files that change together: whatever fails or dies at whichever step, a whole pair is there."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError
from certdesk.connectors.targets.webserver import layout
from certdesk.connectors.targets.webserver.layout import FileSet, file_set

OLD, NEW = ("old key", "old certificate"), ("new key", "new certificate")
STEPS = (
    (Path, "mkdir"),
    (Path, "rename"),
    (Path, "symlink_to"),
    (Path, "replace"),
    (os, "open"),
    (os, "fchmod"),
    (os, "chown"),
    (os, "fsync"),
)


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


@pytest.fixture
def pair(tmp_path: Path) -> FileSet:
    for name, text in zip(("site.key", "site.crt"), OLD, strict=True):
        (tmp_path / name).write_text(text, encoding="ascii")
    (tmp_path / "site.key").chmod(0o640)
    return made(tmp_path)


def made(folder: Path) -> FileSet:
    return file_set(Outside(folders=(folder,)), [str(folder / "site.key"), str(folder / "site.crt")])


def failing_at(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException) -> list[int]:
    """The `number`th call that changes something fails; answers the list that counts the calls."""
    count: list[int] = []

    def wrapped(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            count.append(1)
            if len(count) == number:
                raise error
            return real(*given, **more)

        return call

    for owner, name in STEPS:
        monkeypatch.setattr(owner, name, wrapped(getattr(owner, name)))
    return count


def steps(
    monkeypatch: pytest.MonkeyPatch, again: Callable[[], FileSet], error: BaseException
) -> Iterator[Any]:
    """A switch that fails at its first step, then at its second …, until one gets through."""
    number = 0
    while True:
        number += 1
        files = again()
        with monkeypatch.context() as patch:
            count = failing_at(patch, number, error)
            try:
                files.switch(NEW)
                over = len(count) < number
            except (TargetError, Killed):
                over = False
        if over:
            assert number > 15  # it was really led through every step
            return
        yield files


@pytest.mark.parametrize("adopted", [False, True])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), Killed()])
def test_every_step_may_fail(
    pair: FileSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException, adopted: bool
) -> None:
    number = 0

    def again() -> FileSet:
        nonlocal number
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in zip(("site.key", "site.crt"), OLD, strict=True):
            (folder / name).write_text(text, encoding="ascii")
        files = made(folder)
        if adopted:
            files.switch(("middle", "middle"))
            files.switch(OLD)
        return files

    for files in steps(monkeypatch, again, error):
        assert files.read() in (OLD, NEW)
        if not isinstance(error, Killed):
            assert not list(files.store.parent.rglob("*.new-*"))
        files.switch(NEW)
        assert files.read() == NEW
        files.prune()
        assert not list(files.store.parent.rglob(".new-*"))
        assert len(list(files.store.iterdir())) <= 3


def test_the_first_switch_makes_links_and_keeps_modes(pair: FileSet, tmp_path: Path) -> None:
    pair.switch(NEW)
    assert (tmp_path / "site.key").read_text() == NEW[0]
    assert (tmp_path / "site.key").is_symlink()
    assert (tmp_path / "site.key").stat().st_mode & 0o777 == 0o640
    assert made(tmp_path).paths == pair.paths
    pair.switch(OLD)
    assert pair.read() == OLD
    assert sorted(one.name for one in pair.store.iterdir()) == ["0001", "0002", "current"]


def test_going_back_needs_no_room(pair: FileSet, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.switch(NEW)
    monkeypatch.setattr(FileSet, "_write", lambda *_: pytest.fail("it wrote a new state"))
    pair.switch(OLD)
    assert pair.read() == OLD


def test_a_file_that_somebody_put_in_the_place_of_a_link_counts(pair: FileSet, tmp_path: Path) -> None:
    pair.switch(NEW)
    (tmp_path / "site.crt").unlink()
    (tmp_path / "site.crt").write_text("by hand", encoding="ascii")
    assert pair.read() == ("new key", "by hand")
    pair.switch(NEW)
    assert pair.read() == NEW
    assert (tmp_path / "site.crt").is_symlink()


def test_only_the_newest_old_state_stays(pair: FileSet) -> None:
    for number in range(4):
        pair.switch((f"key {number}", f"certificate {number}"))
        (pair.store / ".new-0099").mkdir(exist_ok=True)
        pair.prune()
    assert sorted(one.name for one in pair.store.iterdir()) == ["0004", "0005", "current"]
    assert pair.read() == ("key 3", "certificate 3")


def test_pruning_what_was_never_switched_does_nothing(pair: FileSet) -> None:
    pair.prune()
    assert pair.read() == OLD


def test_foreign_links_are_followed_and_stay(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    (tmp_path / "archive").mkdir()
    for name in ("key1.pem", "cert1.pem"):
        (tmp_path / "archive" / name).write_text(name, encoding="ascii")
        (tmp_path / "live" / name).symlink_to(f"../archive/{name}")
    wanted = [str(tmp_path / "live" / name) for name in ("key1.pem", "cert1.pem")]
    files = file_set(Outside(folders=(tmp_path,)), wanted)
    assert files.paths[0] == tmp_path / "archive/key1.pem"
    files.switch(NEW)
    assert (tmp_path / "live/cert1.pem").read_text() == NEW[1]
    assert (tmp_path / "live/cert1.pem").readlink() == Path("../archive/cert1.pem")
    assert file_set(Outside(folders=(tmp_path,)), wanted).read() == NEW


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises((TargetError, RuntimeError, OSError)):
        file_set(Outside(folders=(tmp_path,)), [str(tmp_path / "a")]).read()


def test_files_outside_are_refused(pair: FileSet, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "site.crt").symlink_to("/etc/hostname")
    for name in (str(inside / "site.crt"), str(tmp_path / "site.crt")):
        with pytest.raises(TargetError) as refused:
            file_set(Outside(folders=(inside,)), [name])
        assert refused.value.reason is Reason.NOT_ALLOWED


def test_what_cannot_be_read_is_said(pair: FileSet, tmp_path: Path) -> None:
    assert FileSet((tmp_path / "none",), 10).read() == ("",)
    with pytest.raises(TargetError, match="longer than 3 bytes"):
        FileSet(pair.paths, 3).read()
    with pytest.raises(TargetError, match="cannot be read: Is a directory"):
        FileSet((tmp_path,), 3).read()


def test_another_owner_that_may_not_be_given_is_no_fault(
    pair: FileSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(layout.os, "chown", refuse)
    pair.switch(NEW)
    assert pair.read() == NEW


def test_a_server_that_could_not_read_them_keeps_its_files(
    pair: FileSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither owner nor group may be given away, and others may not read."""
    tmp_path.chmod(0o700)
    os.chown(tmp_path / "site.key", 4711, 4712)

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refused)
    for _ in range(2):
        with pytest.raises(TargetError, match="could not read it after its next restart"):
            pair.switch(NEW)
    assert pair.read() == OLD
    assert not list(pair.store.glob(".new*"))


def test_a_folder_that_the_server_could_not_enter_is_not_left(
    pair: FileSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o750)
    os.chown(tmp_path, 4711, 4712)

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refused)
    with pytest.raises(TargetError, match="could not read it after its next restart"):
        pair.switch(NEW)
    assert not pair.store.exists()
