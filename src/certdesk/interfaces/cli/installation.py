"""A whole installation of its own on a scratch folder, driven from outside as an operator would.

`tour`, the benchmarks and the crash tests stand on it: they run `certdesk` as subprocesses and speak HTTP.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

START_WITHIN = 60.0


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Installation:
    """Folder, ports and processes; use as a context manager, which ends what it started."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """`settings` are CERTDESK_ variables without the prefix, in lower case."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CERTDESK_")},
            "CERTDESK_DATA": str(folder / "data"),
            "CERTDESK_HTTP": f"127.0.0.1:{self.port}",
            "CERTDESK_HTTPS": "",
            **{f"CERTDESK_{name.upper()}": value for name, value in settings.items()},
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.log = folder / "log.txt"

    def __enter__(self) -> "Installation":
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, *command: str) -> dict[str, Any]:
        """Runs one command with `--json`; answers its object.

        Raises:
            RuntimeError: it ended with another status than 0 or 1.
        """
        done = subprocess.run(
            [sys.executable, "-m", "certdesk", *command, "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1) or not done.stdout.strip():
            raise RuntimeError(
                f"certdesk {' '.join(command)}: status {done.returncode}: {done.stderr[-2000:]}"
            )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def set_up(self, credit: str = "1000000") -> dict[str, str]:
        """First set-up: administrator, RA officer, cash; answers the administrator's access key."""
        password = self.folder / "password"
        password.write_text(secrets.token_urlsafe(16) + "\n", encoding="ascii")
        password.chmod(0o600)
        self.run("init", "--account", "default", "--admin", "admin", "--password-file", str(password))
        self.run(
            "user", "create", "--name", "officer", "--groups", "officers", "--password-file", str(password)
        )
        self.run("account", "credit", "--amount", credit)
        return self.access_key("admin")

    def access_key(self, user: str) -> dict[str, str]:
        return self.run("access-key", "create", "--user", user)

    def start(self, *names: str) -> None:
        """Starts `web`, `worker` (both by default), each in a process group of its own."""
        for name in names or ("web", "worker"):
            with self.log.open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "certdesk", name],
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def wait_ready(self, within: float = START_WITHIN) -> float:
        """Seconds until the first page was served.

        Raises:
            RuntimeError: it did not come up in time; the log's end is in the message.
        """
        began = time.monotonic()
        while time.monotonic() - began < within and self._alive():
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200:
                    return time.monotonic() - began
            time.sleep(0.02)
        raise RuntimeError(f"not ready after {time.monotonic() - began:.0f} s: {self.log_end()}")

    def _alive(self) -> bool:
        return all(process.poll() is None for process in self.processes.values())

    def log_end(self, characters: int = 3000) -> str:
        return (
            self.log.read_text(encoding="utf-8", errors="replace")[-characters:] if self.log.exists() else ""
        )

    def kill(self, *names: str) -> None:
        """SIGKILL to the whole group of each process, as a power cut of that part would be."""
        for name in names or tuple(self.processes):
            process = self.processes.pop(name)
            for group in _groups(process.pid):
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
            process.wait()

    def stop(self) -> None:
        """SIGTERM to all; SIGKILL after 15 s to what is left."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                for group in _groups(process.pid):
                    with suppress(ProcessLookupError):
                        os.killpg(group, signal.SIGKILL)
                process.wait()
        self.processes.clear()


def _groups(pid: int) -> Sequence[int]:
    """The process groups of a process and of its children (each listener has its own)."""
    groups = [pid]
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        groups += [int(child) for child in children]
    return groups
