"""Stands between a client and an ACME server on loopback: counts, and makes faults where a test says so.

URLs stay right, because Pebble makes them from the Host header. Time is the test's own: no answer waits.
"""

import contextlib
import http.client
import json
import re
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.pebble import LOCAL, Identity, Pebble

CUT = "cut"
_KEPT = ("Content-Type", "Replay-Nonce", "Location", "Link", "Retry-After")


@dataclass
class Reply:
    status: int
    headers: dict[str, list[str]]
    body: bytes

    @property
    def object(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def problem(status: int, kind: str, detail: str, retry_after: str = "") -> Reply:
    """An error document, as a server words it."""
    body = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, "status": status}
    headers = {"Content-Type": ["application/problem+json"]}
    if retry_after:
        headers["Retry-After"] = [retry_after]
    return Reply(status, headers, json.dumps(body).encode())


Before = Callable[[str, str], Reply | str | None]
After = Callable[[str, str, Reply], Reply | str]


@dataclass
class Between:
    """State of the front.

    Attributes:
        before: (method, path) → an answer instead of the server's, `CUT`, or None to go on.
        after: (method, path, the server's answer) → what is given instead of it, or `CUT`.
        clock: the time that `Retry-After` is held against.
        asked: method and path of every request.
        early: what was asked before the time that an answer to it had named.
        finalized: order of the server → its names, of each that the server took for issuance.
    """

    pebble: Pebble
    port: int = 0
    before: Before = field(default=lambda method, path: None)
    after: After = field(default=lambda method, path, reply: reply)
    clock: Callable[[], float] = field(default=lambda: 0.0)
    asked: list[tuple[str, str]] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    finalized: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _not_before: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def directory(self) -> str:
        return f"https://{LOCAL}:{self.port}/dir"

    @property
    def identity(self) -> Identity:
        return self.pebble.identity

    def forget_waits(self) -> None:
        """Nobody is left who was told to wait."""
        with self.lock:
            self._not_before.clear()

    def handled(self, method: str, path: str, headers: Any, body: bytes) -> Reply | str:
        with self.lock:
            self.asked.append((method, path))
            if self.clock() < self._not_before[path]:
                self.early.append(f"{method} {path}")
            found = self.before(method, path)
            if found is None:
                reply = self._forwarded(method, path, headers, body)
                self._note(path, reply)
                found = self.after(method, path, reply)
            if isinstance(found, Reply) and found.headers.get("Retry-After"):
                self._not_before[path] = self.clock() + float(found.headers["Retry-After"][0])
            return found

    def _forwarded(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        link = http.client.HTTPSConnection(
            LOCAL, self.pebble.port, timeout=30, context=self.identity.trusting()
        )
        sent = {
            name: headers[name] for name in ("Host", "Content-Type", "Accept", "User-Agent") if headers[name]
        }
        try:
            link.request(method, path, body or None, sent)
            answer = link.getresponse()
            held = {name: answer.headers.get_all(name) or [] for name in _KEPT}
            return Reply(answer.status, held, answer.read())
        finally:
            link.close()

    def _note(self, path: str, reply: Reply) -> None:
        if re.match(r"/finalize-order/", path) and reply.status < 300:
            order = reply.object
            self.finalized[path] = tuple(one["value"] for one in order["identifiers"])


def _handler(state: Between) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = state.handled(self.command, self.path, self.headers, body)
            if isinstance(found, str):
                self.close_connection = True
                return
            self.send_response(found.status)
            for name, values in found.headers.items():
                for value in values:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(found.body)

        do_GET = do_POST = do_HEAD = _serve  # noqa: N815

        def handle(self) -> None:
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                super().handle()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, state: Between) -> None:
        super().__init__((LOCAL, 0), _handler(state))
        self._tls = state.identity.serving()

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError), self._tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)


@contextlib.contextmanager
def standing(pebble: Pebble) -> Iterator[Between]:
    state = Between(pebble)
    server = _Server(state)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
