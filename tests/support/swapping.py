"""Clients that must notice nothing of a swap: some that shake hands all the time, and one long stream."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

CLIENTS = 2
STREAM = 48 * 1024 * 1024
"""Bytes of the long download: more than any buffer between the server and a client that reads slowly."""
CHUNK = 64 * 1024
EACH = 256 * 1024
"""Bytes that the client reads after each swap: a server ends a download that stands still for a minute."""


def _any_certificate() -> ssl.SSLContext:
    """Made once: a client that reads the system's roots each time would hardly ever shake hands."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


CONTEXT = _any_certificate()


def nothing(_: socket.socket) -> None:
    """TLS begins at once."""


def smtp(raw: socket.socket) -> None:
    for word in (b"", b"EHLO client.example.test\r\n", b"STARTTLS\r\n"):
        raw.sendall(word)
        _answered(raw)


def _answered(channel: socket.socket) -> None:
    """A whole answer of SMTP that says yes.

    Raises:
        OSError: it says no, or the connection is over.
    """
    found = b""
    while not found.endswith(b"\r\n") or found.splitlines()[-1][3:4] == b"-":
        more = channel.recv(4096)
        if not more:
            raise ConnectionResetError("the server hung up")
        found += more
    if found[:1] != b"2":
        raise OSError(found.decode("ascii", "replace"))


def postgresql(raw: socket.socket) -> None:
    raw.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
    if raw.recv(1) != b"S":
        raise OSError("the server does not speak TLS")


@dataclass
class Door:
    """Where and how a client comes in."""

    port: int
    name: str
    first: Callable[[socket.socket], None] = nothing

    def connect(self) -> ssl.SSLSocket:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
        raw.settimeout(30)
        try:
            raw.connect(("127.0.0.1", self.port))
            self.first(raw)
            return CONTEXT.wrap_socket(raw, server_hostname=self.name)
        except BaseException:
            raw.close()
            raise


@dataclass
class Clients:
    """Threads that shake hands one after another until they are told to stop."""

    door: Door
    shaken: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def _loop(self) -> None:
        while not self.over.is_set():
            try:
                with self.door.connect() as one:
                    self.shaken.append(one.version() or "")
            except OSError as error:
                self.failed.append(repr(error))

    def __enter__(self) -> "Clients":
        self.threads = [threading.Thread(target=self._loop) for _ in range(CLIENTS)]
        self.began = time.monotonic()
        for one in self.threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for one in self.threads:
            one.join()
        self.rate = len(self.shaken) / (time.monotonic() - self.began)


class NoStream:
    """Where a server answers nothing but a handshake. The others: one connection over all swaps."""

    def go_on(self) -> None:
        """A further piece of it, whole."""

    def end(self) -> None:
        """To its very end."""


class Download(NoStream):
    """Of the page `/stream`, slowly."""

    def __init__(self, door: Door) -> None:
        self.connection, self.rest = door.connect(), STREAM
        ask(self.connection, door.name, "/stream")
        assert f"content-length: {STREAM}" in head(self.connection).lower()

    def go_on(self) -> None:
        until = self.rest - EACH
        while self.rest > until:
            self._take(self.rest - until)

    def _take(self, most: int) -> None:
        found = len(self.connection.recv(min(most, self.rest)))
        assert found, f"the stream broke off, {self.rest} bytes before its end"
        self.rest -= found

    def end(self) -> None:
        while self.rest:
            self._take(CHUNK)
        self.connection.close()


class Talk(NoStream):
    """Requests of HTTP one after another, where the server has no file."""

    def __init__(self, door: Door) -> None:
        self.connection, self.name = door.connect(), door.name

    def go_on(self) -> None:
        ask(self.connection, self.name, "/")
        assert " 200 " in head(self.connection)
        assert self.connection.recv(6) == b"hello\n"

    def end(self) -> None:
        self.connection.close()


class Mail(NoStream):
    """A session of SMTP."""

    def __init__(self, door: Door) -> None:
        self.connection = door.connect()

    def go_on(self) -> None:
        self.connection.sendall(b"EHLO client.example.test\r\n")
        _answered(self.connection)

    def end(self) -> None:
        self.connection.close()


class Session(NoStream):
    """A session of PostgreSQL."""

    def __init__(self, door: Door) -> None:
        where = f"host=127.0.0.1 port={door.port} user=postgres dbname=postgres sslmode=require"
        self.connection = psycopg.connect(where, autocommit=True)

    def go_on(self) -> None:
        assert self.connection.execute("SELECT 1").fetchone() == (1,)

    def end(self) -> None:
        self.connection.close()


def ask(connection: ssl.SSLSocket, name: str, path: str) -> None:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())


def head(connection: ssl.SSLSocket) -> str:
    found = b""
    while not found.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        assert more, "the server hung up"
        found += more
    return found.decode()
