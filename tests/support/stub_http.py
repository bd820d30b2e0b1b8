"""A stand-in for a service with an HTTP API that can also refuse, break off, stay silent, talk nonsense."""

import contextlib
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

CUT, SLOW, NONSENSE, EMPTY = "cut", "slow", "nonsense", "empty"


@dataclass
class Asked:
    """One request as it came; `path` still quoted, `header` by name in any case."""

    method: str
    path: str
    raw_query: str
    header: Mapping[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))


@dataclass
class Answer:
    status: int
    body: bytes = b""
    type: str = "application/json"


@dataclass
class Stub:
    """State of the service. `fault`: a status or one of the words above, for requests of method `when`."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    fault: int | str = ""
    when: str = ""
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def changes(self) -> list[str]:
        """Method and path of every request that is no question."""
        return [f"{one.method} {one.path}" for one in self.asked if self.is_change(one)]

    def is_change(self, asked: Asked) -> bool:
        return asked.method != "GET"

    def refuses(self, asked: Asked) -> Answer | None:
        """The answer to a request whose credentials are wrong."""
        raise NotImplementedError

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError

    def failure(self, status: int) -> Answer:
        """As the service words an error of this status."""
        raise NotImplementedError

    def handled(self, asked: Asked) -> Answer | str:
        with self.lock:
            self.asked.append(asked)
            if self.fault and self.when in ("", asked.method):
                return self.failure(self.fault) if isinstance(self.fault, int) else self.fault
            return self.refuses(asked) or self.answer(asked)


def handler(state: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            found = state.handled(Asked(self.command, parts.path, parts.query, self.headers, body))
            if found == SLOW:
                state.over.wait(60)
            if found in (CUT, SLOW):
                self.close_connection = True
                return
            if isinstance(found, str):
                found = Answer(200, b"<html>it works</html>" if found == NONSENSE else b"{}")
            self.send_response(found.status)
            self.send_header("Content-Type", found.type)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_LIST = _serve  # noqa: N815

        def handle(self) -> None:
            with contextlib.suppress(ssl.SSLError, ConnectionError):  # a client that does not trust us
                super().handle()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


T = TypeVar("T", bound=Stub)


@contextlib.contextmanager
def running(state: T, tls: ssl.SSLContext | None = None) -> Iterator[T]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
