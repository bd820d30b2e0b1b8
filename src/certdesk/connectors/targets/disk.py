"""Files of a server on this machine, as bytes: replaced whole, on the disk at once."""

import contextlib
import os
import pwd
import stat
from pathlib import Path

from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError

_PRIVATE = 0o600


def read(outside: Outside, name: str) -> bytes | None:
    """A file's content, None when there is none.

    Raises:
        TargetError: NOT_ALLOWED, or REFUSED when it cannot be read.
    """
    path = outside.inside(name)
    try:
        with path.open("rb") as file:
            content = file.read(outside.max_bytes + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot("read", path, error.strerror or "", "Let this service read the file.") from None
    if len(content) > outside.max_bytes:
        raise _cannot("read", path, f"it is longer than {outside.max_bytes} bytes", "")
    return content


def write(outside: Outside, name: str, content: bytes) -> None:
    """The new content, or after a crash the old one; owner and mode stay, a new file is private.

    Raises:
        TargetError: NOT_ALLOWED, or REFUSED when it cannot be written.
    """
    path = outside.inside(name)
    draft = path.with_name(f"{path.name}.certdesk-new")
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(handle, "wb") as file:
            _as_before(path, handle)
            file.write(content)
            file.flush()
            os.fsync(handle)
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _cannot(
            "written", path, error.strerror or "", "Let this service write in the folder."
        ) from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def read_text(outside: Outside, name: str) -> str | None:
    """As `read`; what is no UTF-8 is replaced."""
    content = read(outside, name)
    return None if content is None else content.decode("utf-8", "replace")


def write_text(outside: Outside, name: str, text: str) -> None:
    """As `write`."""
    write(outside, name, text.encode())


def check_writable(outside: Outside, name: str) -> None:
    """Whether `write` could replace it, as far as that shows without a change.

    Raises:
        TargetError: NOT_ALLOWED, NOT_THERE (its folder), or REFUSED.
    """
    folder = outside.inside(name).parent
    if not is_folder(folder):
        raise TargetError(Reason.NOT_THERE, f"{folder} is no folder.", "Make it, or name another one.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _cannot("written", folder, os.strerror(13), "Let this service write in the folder.")
    check_owner(outside.inside(name))


def is_folder(path: Path) -> bool:
    """As far as this service may see."""
    with contextlib.suppress(OSError):
        return path.is_dir()
    return False


def check_owner(path: Path) -> None:
    """Whether who reads the file could read what this service would put in its place.

    Raises:
        TargetError: REFUSED.
    """
    user, groups = os.geteuid(), {os.getegid(), *os.getgroups()}
    if user:  # root gives files to whom it wants
        try:
            like = path.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise _cannot("read", path, error.strerror or "", "Let this service read the file.") from None
        _check_readers(path, like, user, like.st_gid if like.st_gid in groups else -1)


def give(new: int | Path, path: Path, like: os.stat_result) -> None:
    """What was made for `path` gets the owner and group of `like`, without the right to that the group alone.

    Raises:
        TargetError: REFUSED, the server could not read it any more.
    """
    try:
        os.chown(new, like.st_uid, like.st_gid)
    except PermissionError:
        with contextlib.suppress(PermissionError):
            os.chown(new, -1, like.st_gid)
        made = os.stat(new)  # noqa: PTH116 a handle or a path
        _check_readers(path, like, made.st_uid, made.st_gid)


def _as_before(path: Path, handle: int) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    give(handle, path, found)
    os.fchmod(handle, found.st_mode & 0o777)


def _check_readers(path: Path, like: os.stat_result, user: int, group: int) -> None:
    """`user` and `group` are those of the file that takes the place of `like`, with its mode."""
    if like.st_mode & stat.S_IROTH:
        return
    by_group = bool(like.st_mode & stat.S_IRGRP)
    owner_reads = like.st_uid in (user, 0) or (by_group and _belongs(like.st_uid, like.st_gid))
    if not owner_reads or (by_group and group != like.st_gid):
        raise _cannot(
            "written",
            path,
            "this service may not give the new one to the same owner and group, so the server could not read "
            "it after its next restart",
            "Let the file's group read it, with the server's user and this service's in that group.",
        )


def _belongs(user: int, group: int) -> bool:
    try:
        found = pwd.getpwuid(user)
    except KeyError:
        return False
    return group in os.getgrouplist(found.pw_name, found.pw_gid)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot(what: str, path: Path, why: str, next_step: str) -> TargetError:
    return TargetError(Reason.REFUSED, f"{path} cannot be {what}: {why}.", next_step)
