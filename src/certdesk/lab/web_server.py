"""A real web server on loopback, unprivileged, with everything it needs in one folder."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from certdesk.lab import site_files

SITES = (("www.example.test", "example.test"), ("shop.example.test",))
_START_SECONDS = 20.0


class LabWebServer:
    """Sites with certificates that a target may replace; a subclass knows the server.

    Args:
        folder: configuration, certificates and pages; what is there already is kept.
        sites: the names of each certificate that it starts with.
        port: where HTTPS is; 0 for any.
        plain: names of a site without HTTPS.
    """

    kind: ClassVar[str]
    programs: ClassVar[tuple[str, ...]]
    config: ClassVar[str]

    def __init__(
        self,
        folder: Path,
        sites: Sequence[Sequence[str]] = SITES,
        port: int = 0,
        *,
        plain: Sequence[str] = (),
    ) -> None:
        self.folder, self.sites, self.port, self.plain = folder, sites, port, plain
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        site_files.furnish(folder, sites)

    @classmethod
    def program(cls) -> str | None:
        """The server, where it is installed."""
        folders = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
        return next((found for name in cls.programs if (found := shutil.which(name, path=folders))), None)

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def options(self) -> dict[str, object]:
        """The options of a target of this kind."""
        return {
            "config": str(self.folder / self.config),
            "folder": str(self.folder / site_files.PUSHED),
        }

    def written(self) -> str:
        """The configuration file's text."""
        raise NotImplementedError

    def command(self, program: str) -> Sequence[str]:
        """What starts the server in the foreground."""
        raise NotImplementedError

    def start(self) -> Self:
        program = self.program()
        if program is None:
            raise RuntimeError(f"{self.programs[0]} is not installed")
        self.port = self.port or free_port()
        (self.folder / self.config).write_text(self.written(), encoding="ascii")
        log = self.folder / "output.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603 a program of the system with a configuration of ours
                self.command(program), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"{program} does not start: {log.read_text(errors='replace')[-500:]}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
