"""The lab's load balancer: a real HAProxy where there is one, else a small TLS server like it."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from certdesk.lab import elb_site
from certdesk.lab.background import LoopThread, wait_for_stop
from certdesk.lab.elb_small import Fault, SmallElb

SITES = (("www.example.test", "example.test"), ("shop.example.test",))
_CONFIG = """
global
  stats socket {folder}/admin.sock mode 600 level admin
  stats timeout 60s
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:{port} ssl crt-list {folder}/crt-list.txt
  http-request return status 200 content-type text/plain string "hello\\n"
"""
_START_SECONDS = 15.0


def haproxy() -> str | None:
    """The program, as Debian installs it."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")


class LabElb:
    """A load balancer on loopback whose certificates a target may replace.

    Args:
        folder: socket, crt-list and certificate files; what is there already is kept.
        sites: the names of each certificate that it starts with.
        real: HAProxy itself; default: where it is installed.
        faults: what the small one does wrong.
    """

    def __init__(
        self,
        folder: Path,
        sites: Sequence[Sequence[str]] = SITES,
        port: int = 0,
        *,
        real: bool | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        self.folder, self.port = folder, port
        self.program = haproxy() if real or real is None else None
        self._process: subprocess.Popen[bytes] | None = None
        self._loop: LoopThread | None = None
        self.small = SmallElb(folder, set(faults))
        folder.mkdir(parents=True, exist_ok=True)
        elb_site.furnish(folder, sites)

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def options(self) -> dict[str, object]:
        """The options of a target of the kind haproxy."""
        return {
            "socket": str(self.folder / elb_site.SOCKET),
            "listeners": [self.server],
            "folder": str(self.folder / elb_site.PUSHED),
        }

    def start(self) -> Self:
        if self.program is None:
            self._loop = LoopThread("lab-elb").start()
            self._loop.call(self.small.start(self.port))
            self.port = self.small.port
        else:
            self.port = self.port or _free_port()
            self._start_haproxy(self.program)
        return self

    def _start_haproxy(self, program: str) -> None:
        config = self.folder / "haproxy.cfg"
        config.write_text(_CONFIG.format(folder=self.folder, port=self.port), encoding="ascii")
        self._process = subprocess.Popen(  # noqa: S603 HAProxy with a configuration of ours
            [program, "-db", "-f", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                with socket.socket(socket.AF_UNIX) as runtime:
                    runtime.connect(str(self.options["socket"]))
                return
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"HAProxy does not start; see: {program} -c -f {config}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None
        if self._loop is not None:
            self._loop.call(self.small.stop())
            self._loop.stop()
            self._loop = None
            self.small = SmallElb(self.folder, self.small.faults)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_elb(port: int, folder: Path | None) -> None:
    """`./certdesk lab elb`: until Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="certdesk-elb-") as scratch:
        elb = LabElb(folder.resolve() if folder else Path(scratch), port=port)
        with elb:
            wait_for_stop(lambda: _announce(elb))


def _announce(elb: LabElb) -> None:
    sys.stdout.write(f"{_told(elb)}\n")
    sys.stdout.flush()


def _told(elb: LabElb) -> str:
    what = "HAProxy" if elb.program else "a small TLS server (HAProxy is not installed)"
    return (
        f"lab elb: {what} on {elb.server}, serving {', '.join(name for site in SITES for name in site)}\n"
        f"socket {elb.options['socket']}, pushed certificates in {elb.options['folder']}\n"
        f"start the product with CERTDESK_TARGET_FOLDERS={elb.folder} CERTDESK_ALLOW_NETWORKS=127.0.0.0/8"
    )
