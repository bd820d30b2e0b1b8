"""Swaps under load: clients that connect all the time and one long stream notice nothing."""

import os
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from certdesk.connectors.probe import Verdict
from certdesk.lab.site_files import PAGES
from tests.support import tls
from tests.support.target_kinds import Bench, opened, run

pytestmark = pytest.mark.server
SHOP = "shop.example.test"
FULL = os.environ.get("CERTDESK_SIZE") == "full"
SWAPS = {"haproxy": 10, "nginx": 30, "apache": 10}
CLIENTS = 2
STREAM = 48 * 1024 * 1024
"""Bytes of the long download: more than any buffer between the server and a client that reads slowly."""
CHUNK = 64 * 1024
EACH = 256 * 1024
"""Bytes that the client reads after each swap: a server ends a download that stands still for a minute."""


def any_certificate() -> ssl.SSLContext:
    """Made once: a client that reads the system's roots each time would hardly ever shake hands."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


CONTEXT = any_certificate()


def connect(port: int) -> ssl.SSLSocket:
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
    raw.settimeout(30)
    try:
        raw.connect(("127.0.0.1", port))
        return CONTEXT.wrap_socket(raw, server_hostname=SHOP)
    except BaseException:
        raw.close()
        raise


class Clients:
    """Threads that shake hands one after another until they are told to stop."""

    def __init__(self, port: int) -> None:
        self.port, self.over = port, threading.Event()
        self.shaken: list[str] = []
        self.failed: list[str] = []
        self.threads = [threading.Thread(target=self._loop) for _ in range(CLIENTS)]

    def _loop(self) -> None:
        while not self.over.is_set():
            try:
                with connect(self.port) as one:
                    self.shaken.append(one.version() or "")
            except OSError as error:
                self.failed.append(repr(error))

    def __enter__(self) -> "Clients":
        for one in self.threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for one in self.threads:
            one.join()


class Stream:
    """One connection over all swaps: a slow download, or where the server has no file a talk that goes on."""

    def __init__(self, bench: Bench) -> None:
        self.talk = bench.kind == "haproxy"
        self.connection = connect(bench.lab.port)
        self.rest = STREAM
        if not self.talk:
            self._ask("/stream")
            assert f"Content-Length: {STREAM}" in self._head()

    def _ask(self, path: str) -> None:
        self.connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {SHOP}\r\n\r\n".encode())

    def _head(self) -> str:
        found = b""
        while not found.endswith(b"\r\n\r\n"):
            found += self.connection.recv(1)
        return found.decode()

    def go_on(self) -> None:
        if self.talk:
            self._ask("/")
            assert " 200 " in self._head()
            assert self.connection.recv(6) == b"hello\n"
        else:
            until = self.rest - EACH
            while self.rest > until:
                self._take(self.rest - until)

    def _take(self, most: int) -> None:
        found = len(self.connection.recv(min(most, self.rest)))
        assert found, f"the stream broke off, {self.rest} bytes before its end"
        self.rest -= found

    def end(self) -> None:
        while not self.talk and self.rest:
            self._take(CHUNK)
        self.connection.close()


@contextmanager
def started(kind: str) -> Iterator[Bench]:
    """In a folder that the server's own user can read."""
    folder = Path(tempfile.mkdtemp(prefix="certdesk-swaps-"))
    folder.chmod(0o755)
    try:
        with opened(kind, folder / "server") as bench:
            if kind != "haproxy":
                with (bench.lab.folder / PAGES / "stream").open("wb") as file:
                    file.truncate(STREAM)
            yield bench
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("kind", list(SWAPS))
def test_no_client_notices_a_swap(kind: str) -> None:
    pair = [tls.make(SHOP), tls.make(SHOP)]
    swaps = 100 if FULL else SWAPS[kind]
    with started(kind) as bench:
        found = bench.by_name(SHOP)
        stream = Stream(bench)
        with Clients(bench.lab.port) as clients:
            for number in range(swaps):
                made, target = pair[number % 2], bench.target()
                run(target.install(found.id, made.bundle))
                assert bench.served(SHOP, made) is Verdict.NEW
                run(target.keep(found.id, made.bundle))
                stream.go_on()
        stream.end()
        assert clients.failed == []
        assert len(clients.shaken) >= swaps
