"""A real sshd on loopback with a configuration of its own, for the user of this process."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.hosts import PROGRAM, Host
from tests.support.needs import need

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
PROGRAM_PATH = "/usr/sbin/sshd"


@dataclass
class Sshd:
    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def key(self) -> str:
        """The desk's private key."""
        return (self.folder / "desk_key").read_text()

    @property
    def pin(self) -> str:
        shown = subprocess.run(
            ["ssh-keygen", "-lf", str(self.folder / "host_key.pub")],
            capture_output=True,
            text=True,
            check=True,
        )
        return shown.stdout.split()[1]

    def options(self, **changes: object) -> dict[str, object]:
        base = {"host": "127.0.0.1", "port": self.port, "user": getpass.getuser()}
        return {**base, "host_key": self.pin, "key": self.key, **changes}

    def new_host_key(self) -> None:
        """As a host that was rebuilt, or somebody in between."""
        self.stop()
        for name in ("host_key", "host_key.pub"):
            (self.folder / name).unlink()
        _make_key(self.folder / "host_key")
        self.again()

    def again(self) -> None:
        self.process = _start(self.folder, self.port)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def _make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    command = [PROGRAM_PATH, "-D", "-e", "-f", str(folder / "sshd_config")]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    end = time.monotonic() + 30
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return process
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError((folder / "log").read_text())
        time.sleep(0.02)


@contextmanager
def serving(folder: Path, host: Host) -> Iterator[Sshd]:
    """The desk's key may run the host's helper there, and nothing else."""
    need(Path(PROGRAM_PATH).exists() and shutil.which("ssh") is not None, "openssh-server is not installed")
    folder.mkdir()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd of root wants to be locked in
    for name in ("host_key", "desk_key"):
        _make_key(folder / name)
    helper = f"{sys.executable} {PROGRAM} forced --config {host.config} --state {host.state}"
    public = (folder / "desk_key.pub").read_text()
    (folder / "authorized_keys").write_text(f'command="{helper}",restrict {public}')
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "sshd_config").write_text(CONFIG.format(port=port, folder=folder))
    made = Sshd(folder, port, _start(folder, port))
    try:
        yield made
    finally:
        made.stop()
