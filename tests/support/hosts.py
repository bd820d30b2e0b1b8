"""A host for tests: a TLS server that reads its files when told to, and the agent as a process."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from certdesk.agents import host as agent
from certdesk.lab.nginx import LabNginx
from certdesk.lab.site_files import TLS

PROGRAM = Path(agent.__file__)
NAME = "www.example.com"


class TlsServer:
    """Serves `folder/current`; reads it again whenever the file `reload` changes, or refuses to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = folder, folder.parent / "told"
        self.told.write_text("0")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._context: ssl.SSLContext | None = None
        self._seen, self._over = "", False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            with channel, suppress(OSError):
                channel.settimeout(5)
                self._read()
                if self._context is not None:
                    self._context.wrap_socket(channel, server_side=True).close()

    def _read(self) -> None:
        told = self.told.read_text()
        if told != self._seen:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            current = self.folder / "current"
            context.load_cert_chain(current / "fullchain.pem", current / "privkey.pem")
            self._context, self._seen = context, told

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@dataclass
class Host:
    """One machine: its configuration, state and server."""

    folder: Path
    server: TlsServer
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def config(self) -> Path:
        return self.folder / "host.json"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def place(self) -> agent.Place:
        return agent.read_places(self.config)["shop"]

    def configure(self, reload: Sequence[str] | None = None, **more: object) -> None:
        told = f"date +%s%N > {self.server.told}"
        given: dict[str, Any] = {
            "names": [NAME],
            "folder": str(self.folder / "shop"),
            "listeners": [f"127.0.0.1:{self.server.port}"],
            "reload": list(reload) if reload is not None else ["sh", "-c", told],
            **more,
        }
        self.config.write_text(json.dumps({"places": {"shop": given}}))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        base = [sys.executable, str(PROGRAM)]
        return subprocess.Popen(
            [*base, *arguments, "--config", str(self.config), "--state", str(self.state)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code, and what it said."""
        process = self.start(*arguments)
        said, complaint = process.communicate(timeout=120)
        return process.returncode, said + complaint

    def served(self) -> str:
        return agent.served(self.place.listeners[0], NAME)


@contextmanager
def a_host(folder: Path) -> Iterator[Host]:
    (folder / "shop").mkdir(parents=True)
    server = TlsServer(folder / "shop")
    try:
        host = Host(folder, server)
        host.configure()
        yield host
    finally:
        server.close()


@contextmanager
def nginx_of(host: Host) -> Iterator[LabNginx]:
    """A real nginx that serves the host's place, which must be prepared, and is reloaded after a change."""
    lab = LabNginx(host.folder / "nginx", ((NAME,),))
    for name, file in (("site1.crt", "fullchain.pem"), ("site1.key", "privkey.pem")):
        (lab.folder / TLS / name).unlink()
        (lab.folder / TLS / name).symlink_to(host.place.folder / "current" / file)
    with lab:
        command = list(lab.command(str(lab.program())))
        check, reload = [*command, "-t"], [*command, "-s", "reload"]
        host.configure(reload, check=check, listeners=[lab.server])
        yield lab


class TlsFront:
    """What an HTTPS listener does: takes TLS off and passes the bytes on to a port of this machine.

    While it is `down` nobody gets through.
    """

    def __init__(self, chain: Path, key: Path, password: str, behind: int) -> None:
        self.down = False
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(chain, key, password)
        self._behind = behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError), plain:
                if self.down:
                    continue
                plain.settimeout(30)
                with self._context.wrap_socket(plain, server_side=True) as channel:
                    self._pass(channel)

    def _pass(self, channel: ssl.SSLSocket) -> None:
        """One request and its answer."""
        request = b""
        while b"\r\n\r\n" not in request:
            request += channel.recv(65536) or b"\r\n\r\n"
        head, _, body = request.partition(b"\r\n\r\n")
        sizes = [
            one.split(b":")[1] for one in head.split(b"\r\n") if one.lower().startswith(b"content-length:")
        ]
        while len(body) < int(sizes[0] if sizes else 0):
            body += channel.recv(65536)
        with socket.create_connection(("127.0.0.1", self._behind), timeout=30) as back:
            back.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
            while answer := back.recv(65536):
                channel.sendall(answer)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def kill(process: "subprocess.Popen[str]") -> None:
    """As a power cut ends it."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def openssl() -> bool:
    return shutil.which("openssl") is not None
