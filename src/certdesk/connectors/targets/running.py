"""Running a program of this machine for a target: no shell, only programs that the operator allows.

It gets an argument list, an empty environment and bytes on its input that never touch a disk; its time and
what is kept of its output are limited. What stays behind in the background (a daemon) is left alone; what is
not over in time is ended with all its children.
"""

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError

CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
"""The whole environment of a program, beside what its caller adds."""
MOST_ARGUMENTS = 32
MOST_OUTPUT = 64 * 1024
"""Bytes that are kept; what a program says beyond is read and dropped."""

_SHOWN = 300
_SECRET_LINE = 16
"""Characters from which on a line of a secret is looked for in the output."""
_LAST_WORDS = 0.5
"""Seconds for what is still in the pipe when the program is over: a child of it may hold the pipe open."""
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program left: its exit status and the beginning of what it said, on both streams in order."""

    status: int
    output: str

    @property
    def told(self) -> str:
        """The end of the output in one line, for a sentence; empty when nothing was said."""
        return " ".join(self.output.split())[-_SHOWN:].rstrip(".!")


def program(outside: Outside, path: str, field: str = "") -> Path:
    """The program without links, if the operator allows it.

    Raises:
        TargetError: NOT_ALLOWED (not named, in a folder that targets write to, or others may change it),
            NOT_THERE (no such program).
    """
    real = Path(path).resolve()
    if not any(real.is_relative_to(one.resolve()) for one in outside.programs):
        raise TargetError(
            Reason.NOT_ALLOWED,
            f"{path} is no program that targets may run.",
            "Ask the operator to name it in CERTDESK_TARGET_PROGRAMS.",
            field=field,
        )
    if not (real.is_file() and os.access(real, os.X_OK)):
        raise TargetError(Reason.NOT_THERE, f"{path} is no program.", "Correct its path.", field=field)
    if _changeable(outside, real):
        raise TargetError(
            Reason.NOT_ALLOWED,
            f"{path} may be changed by others than its owner, or lies where targets write.",
            "Move it to a folder of its own and take away the right to write for group and others.",
            field=field,
        )
    return real


def _changeable(outside: Outside, real: Path) -> bool:
    written = any(real.is_relative_to(folder.resolve()) for folder in outside.folders)
    return written or bool(real.stat().st_mode & _OTHERS_WRITE)


async def run(
    outside: Outside,
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
    seconds: float | None = None,
    field: str = "",
) -> Ran:
    """Runs a program to its end, whatever its exit status.

    Args:
        command: path of the program and its arguments, each handed over as it is.
        environment: added to the clean one; never from a user.
        secrets: texts (a PEM, a password) whose lines are not to be seen in the output.
        seconds: instead of `outside.seconds`.
        field: the option that names the program.

    Raises:
        TargetError: as `program`; OPTIONS (no command, too many arguments, a zero byte), TIMEOUT, REFUSED
            (it cannot be started).
    """
    _check(command, field)
    path = program(outside, command[0], field)
    limit = outside.seconds if seconds is None else seconds
    try:
        async with asyncio.timeout(limit):
            return await _ran(path, command, stdin, {**CLEAN, **(environment or {})}, secrets)
    except TimeoutError:
        raise TargetError(
            Reason.TIMEOUT,
            f"{command[0]} was not over after {limit:g} s and was ended.",
            "Run it by hand to see what it waits for.",
            field=field,
        ) from None
    except OSError as error:
        raise TargetError(
            Reason.REFUSED,
            f"{command[0]} cannot be started: {error.strerror or error}.",
            "Check the program and its rights.",
            field=field,
        ) from None


async def succeed(outside: Outside, command: Sequence[str], what: str, **options: object) -> Ran:
    """As `run`, for a program that must end with status 0.

    Args:
        what: what was to be done, for the sentence: `reload nginx`.

    Raises:
        TargetError: as `run`; REFUSED with the program's words.
    """
    ran = await run(outside, command, **options)  # type: ignore[arg-type]
    if ran.status:
        raise TargetError(
            Reason.REFUSED,
            f"{command[0]} did not {what}: status {ran.status}, {ran.told or 'and it said nothing'}.",
            "Read the program's words; correct what it complains about.",
        )
    return ran


def _check(command: Sequence[str], field: str) -> None:
    if not 0 < len(command) <= MOST_ARGUMENTS or any("\0" in part for part in command):
        raise TargetError(
            Reason.OPTIONS,
            f"A command is a program with at most {MOST_ARGUMENTS - 1} arguments, without zero bytes.",
            "Write a script for what needs more.",
            field=field,
        )


async def _ran(
    path: Path, command: Sequence[str], stdin: bytes, environment: Mapping[str, str], secrets: Sequence[str]
) -> Ran:
    kept = bytearray()
    with _memory(stdin) as source, _pipe() as (ours, theirs):
        process = await asyncio.create_subprocess_exec(
            *command,
            executable=str(path),
            stdin=source,
            stdout=theirs[0],
            stderr=theirs[0],
            env=environment,
            cwd="/",
            start_new_session=True,
        )
        os.close(theirs.pop())
        reading = asyncio.create_task(_read(ours, kept))
        try:
            status = await process.wait()
            await asyncio.wait({reading}, timeout=_LAST_WORDS)
        finally:
            await _ended(process)
            reading.cancel()
            await asyncio.wait({reading})
    return Ran(status, _without(kept.decode("utf-8", "replace"), secrets))


@contextlib.contextmanager
def _memory(content: bytes) -> Iterator[int]:
    """A file in memory alone, at its beginning: a program that does not read its input blocks nobody."""
    handle = os.memfd_create("certdesk-input")
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, list[int]]]:
    """Both ends; the writing one in a list, from which whoever closes it takes it."""
    ours, theirs = os.pipe()
    writing = [theirs]
    try:
        yield ours, writing
    finally:
        for handle in (ours, *writing):
            os.close(handle)


async def _read(handle: int, kept: bytearray) -> None:
    """All that comes, of which the beginning is kept."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    with open(handle, "rb", buffering=0, closefd=False) as file:  # noqa: ASYNC230 a handle, no path
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
        try:
            while chunk := await reader.read(65536):
                kept += chunk[: MOST_OUTPUT - len(kept)]
        finally:
            transport.close()


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Nothing when it is over; else it and all that it started are killed."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _without(text: str, secrets: Sequence[str]) -> str:
    """The output, or a word instead when it repeats a secret."""
    lines = [line.strip() for secret in secrets for line in secret.splitlines()]
    if "PRIVATE KEY-----" in text or any(len(line) >= _SECRET_LINE and line in text for line in lines):
        return "its output repeats a secret and is not shown"
    return text
