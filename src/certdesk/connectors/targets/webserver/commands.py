"""The server's own commands: fixed programs with fixed arguments, no shell, an environment of two words."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError

FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for: where an administrator installs them, never at a path that a user names."""

_LONGEST = 300


def find(*names: str) -> str | None:
    """The first of these programs that is installed."""
    return next((found for name in names if (found := shutil.which(name, path=FOLDERS))), None)


async def run(outside: Outside, command: Sequence[str], what: str) -> str:
    """What the program printed to both of its outputs.

    Args:
        what: the command in plain words, for errors.

    Raises:
        TargetError: TIMEOUT, or REFUSED in the program's words.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": FOLDERS, "LC_ALL": "C"},
        cwd="/",
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(outside.seconds):
            raw, _ = await process.communicate()
    except TimeoutError:
        raise TargetError(Reason.TIMEOUT, f"{what} was not over after {outside.seconds:g} s.") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if len(raw) > outside.max_bytes:
        raise TargetError(Reason.BAD_ANSWER, f"{what} said more than {outside.max_bytes} bytes.")
    text = raw.decode("utf-8", "replace")
    if process.returncode:
        raise TargetError(Reason.REFUSED, f"{what} failed: {told(text)}.", _step(text))
    return text


def runs(pid_file: str) -> bool | None:
    """Whether the process whose number the file holds is there; None when nobody can tell."""
    try:
        number = Path(pid_file).read_text(encoding="ascii")[:20].strip()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return None
    return number.isdigit() and Path(f"/proc/{number}").exists()  # a test by nginx leaves an empty file


def told(output: str) -> str:
    """The line that says what is wrong, shortened."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    serious = [line for line in lines if "[emerg]" in line or "[error]" in line or "AH0" in line]
    line = (serious or lines or ["it said nothing"])[0]
    if line.endswith(":") and line != lines[-1]:
        line = f"{line} {lines[lines.index(line) + 1]}"
    return line.rstrip(".")[:_LONGEST]


def _step(text: str) -> str:
    if "Permission denied" in text or "password is required" in text or "Operation not permitted" in text:
        return (
            "Let this service do that: by its user's rights, or switch on sudo and allow it these commands."
        )
    return "Look at the server's configuration; what it says is in the message."
