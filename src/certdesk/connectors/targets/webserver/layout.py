"""Files that change together: every state has a folder of its own, and one link says which is in force.

    site.key.certdesk/0004/1-site.key     what the files held before
    site.key.certdesk/0005/1-site.key     and now
    site.key.certdesk/current -> 0005     one rename switches all of them
    site.key -> site.key.certdesk/current/1-site.key

The first switch turns plain files into such links without changing what they hold, so at no moment, whoever
is killed, does a certificate lie beside the key of another. Standard library only, no network.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from certdesk.connectors.targets import disk
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError

SUFFIX = ".certdesk"
CURRENT = "current"
_DRAFT = ".new"
_STATE = re.compile(r"[0-9]{4,9}")
_PRIVATE = 0o600
_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class FileSet:
    """Real places of the files; the states lie beside the first, which should be the key."""

    paths: tuple[Path, ...]
    max_bytes: int

    @property
    def store(self) -> Path:
        return self.paths[0].with_name(self.paths[0].name + SUFFIX)

    def read(self) -> tuple[str, ...]:
        """What the files hold now; an empty text for one that is not there.

        Raises:
            TargetError: REFUSED, a file cannot be read.
        """
        return tuple(_read(path, self.max_bytes) for path in self.paths)

    def switch(self, contents: Sequence[str]) -> None:
        """All files hold the new texts, after a failure all the old or all the new ones; may be repeated.

        Raises:
            TargetError: REFUSED, something cannot be written.
        """
        try:
            if not all(self._linked(number) for number in range(len(self.paths))):
                self._adopt()
            if self.read() != tuple(contents):
                self._point(self._state_with(contents))
        except TargetError:
            self._forget_drafts()
            raise
        except OSError as error:
            self._forget_drafts()
            told = error.strerror or str(error)
            raise TargetError(
                Reason.REFUSED,
                f"The files of {self.paths[-1]} cannot be changed: {told}.",
                "Let this service write in the folders of certificate and key, with room on the disk.",
            ) from None

    def prune(self) -> None:
        """Drops all states but the one in force and the newest other one, and what a crash left."""
        self._forget_drafts()
        with contextlib.suppress(OSError):
            now = str((self.store / CURRENT).readlink())
            for one in [name for name in self._states() if name != now][:-1]:
                shutil.rmtree(self.store / one, ignore_errors=True)

    def _adopt(self) -> None:
        """Plain files become links to a state that holds the same."""
        parent = self.store.parent.stat()
        if not self.store.is_dir():
            self._make_store(parent)
        self._point(self._state_with(self.read()))
        for number, path in enumerate(self.paths):
            if path.exists() or path.is_symlink():
                self._link(path, str(self._inside(number)))

    def _make_store(self, parent: os.stat_result) -> None:
        self.store.mkdir(mode=parent.st_mode & 0o777)
        try:
            disk.give(self.store, self.store, parent)
        except (OSError, TargetError):  # the next try must not find one that the server cannot enter
            self.store.rmdir()
            raise

    def _linked(self, number: int) -> bool:
        path = self.paths[number]
        return path.is_symlink() and path.readlink() == self._inside(number)

    def _inside(self, number: int) -> Path:
        return self.store / CURRENT / self._name(number)

    def _name(self, number: int) -> str:
        return f"{number + 1}-{self.paths[number].name}"

    def _states(self) -> list[str]:
        if not self.store.is_dir():
            return []
        return sorted((one.name for one in self.store.iterdir() if _STATE.fullmatch(one.name)), key=int)

    def _state_with(self, contents: Sequence[str]) -> str:
        """A state with these texts: one that is there already, so going back needs no room, or a new one."""
        states = self._states()
        for one in reversed(states):
            held = [_read(self.store / one / self._name(n), self.max_bytes) for n in range(len(self.paths))]
            if held == list(contents):
                return one
        name = f"{int(states[-1]) + 1 if states else 1:04d}"
        self._write(name, contents)
        return name

    def _write(self, name: str, contents: Sequence[str]) -> None:
        draft = self.store / f"{_DRAFT}-{name}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=self.store.stat().st_mode & 0o777)
        disk.give(draft, draft, self.store.stat())
        for number, text in enumerate(contents):
            like = self.paths[number].stat() if self.paths[number].exists() else None
            _write(draft / self._name(number), text, like)
        _sync(draft)
        draft.rename(self.store / name)
        _sync(self.store)

    def _point(self, state: str) -> None:
        self._link(self.store / CURRENT, state)

    def _link(self, path: Path, to: str) -> None:
        draft = path.with_name(f"{path.name}{_DRAFT}-link")
        draft.unlink(missing_ok=True)
        draft.symlink_to(to)
        draft.replace(path)
        _sync(path.parent)

    def _forget_drafts(self) -> None:
        with contextlib.suppress(OSError):
            for one in self.store.glob(f"{_DRAFT}-*"):
                shutil.rmtree(one, ignore_errors=True)
            for path in (self.store / CURRENT, *self.paths):
                path.with_name(f"{path.name}{_DRAFT}-link").unlink(missing_ok=True)


def file_set(outside: Outside, names: Sequence[str]) -> FileSet:
    """The files behind these paths, foreign links followed, if they lie in folders that targets may use.

    Raises:
        TargetError: NOT_ALLOWED, or REFUSED where this service may not look into a folder.
    """
    paths = tuple(_followed(Path(name)) for name in names)
    for path in paths:
        outside.inside(str(path))
        outside.inside(str(path.parent))
    return FileSet(paths, outside.max_bytes)


def _followed(path: Path) -> Path:
    """Through links that are not ours."""
    for _ in range(_MOST_LINKS):
        path = path.parent.resolve() / path.name
        try:
            if not path.is_symlink() or _is_ours(to := path.readlink()):
                return path
        except OSError as error:
            raise _unreadable(path, error) from None
        path = path.parent / to
    return path


def _is_ours(to: Path) -> bool:
    parts = to.parts
    return len(parts) > 2 and parts[-2] == CURRENT and parts[-3].endswith(SUFFIX)


def _read(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(content) > limit:
        raise TargetError(Reason.REFUSED, f"{path} is longer than {limit} bytes.", "Name a certificate file.")
    return content.decode("utf-8", "replace")


def _unreadable(path: Path, error: OSError) -> TargetError:
    told = error.strerror or str(error)
    return TargetError(Reason.REFUSED, f"{path} cannot be read: {told}.", "Let this service read the file.")


def _write(path: Path, text: str, like: os.stat_result | None) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        if like is not None:
            disk.give(handle, path, like)
            os.fchmod(handle, like.st_mode & 0o777)
        file.write(text)
        file.flush()
        os.fsync(handle)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
