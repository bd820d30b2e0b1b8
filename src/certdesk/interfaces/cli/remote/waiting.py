"""Waiting for a certificate, with a bar that says how far it is and who must act."""

import time
from collections.abc import Callable
from typing import Any

from certdesk.client import Certdesk
from certdesk.lifecycle.certificates.states import BEING_REVOKED

DONE = frozenset({"ISSUED", "UPLOAD"})
OVER = BEING_REVOKED | {"UNPASSED", "REVOKED", "EXPIRED", "CANCELCHECKING"}
PAUSE = 2.0
LONGEST_PAUSE = 15.0
HOUR = 3600.0


class NotIssued(Exception):
    """It will not be issued, or not in time; the text says what stands in the way and who must act."""


def until_issued(
    desk: Certdesk,
    certificate_id: str,
    timeout: float = HOUR,
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """The certificate, once it is issued.

    Args:
        timeout: seconds at most; 0 looks once.

    Raises:
        NotIssued: it ended otherwise, or time is over. ClientError: as every request.
    """
    end, pause, said = now() + timeout, PAUSE, ""
    with _bar() as bar:
        task = bar.add_task("", total=100)
        while True:
            found: dict[str, Any] = dict(desk.certificates.show(certificate_id))
            line = _line(found)
            if line != said:
                bar.console.print(line, markup=False)
            said = line
            bar.update(task, completed=found["progress"] or 0, description=found["status"])
            if found["status"] in DONE:
                return found
            if found["status"] in OVER:
                raise NotIssued(
                    f"{certificate_id} will not be issued: {line} {found['last_failure']}".strip()
                )
            left = end - now()
            if left <= 0:
                raise NotIssued(f"{certificate_id} is not issued yet: {line}")
            sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE)


def _line(found: dict[str, Any]) -> str:
    """State, who must act, and how."""
    who = f"{found['next_actor']} must act: " if found["next_actor"] else ""
    return f"{found['status']}. {who}{found['next_step']}".strip()


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    return Progress(
        BarColumn(24),
        TaskProgressColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True, highlight=False),
        transient=False,
    )
