"""The HTTP server of the simulated CA, loopback only: CertCentral's API, the links of mails, and control.

`with LabCa(resolver=dns.server, mail="127.0.0.1:2525") as ca: … ca.url, ca.key`.
"""

import contextlib
import html
import ipaddress
import json
import secrets
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from certdesk.lab.ca import control, people, routes
from certdesk.lab.ca.errors import Refused
from certdesk.lab.ca.faults import Fault
from certdesk.lab.ca.mails import Post
from certdesk.lab.ca.office import Office
from certdesk.lab.ca.proofs import Prover
from certdesk.lab.ca.signing import Signer

_LARGEST_BODY = 256 * 1024
_READ_SECONDS = 20
_WINDOW = 5.0
_CALLS_KEPT = 10_000


class LabCa:
    """The simulated CA, from its start to its end.

    Args:
        port: 0 = any free one; then read `url`.
        key: the API key (`X-DC-DEVKEY`); empty = a new one, or the folder's.
        folder: CA keys and API key, kept between two runs.
        resolver: `ip:port` whom it asks for domain control; empty = this machine's.
        http_port: where it looks for http-token.
        mail: `host:port` of its mail server; empty = it sends none, and nobody has to confirm anything.
        vetting_seconds: how long an organization is looked at; None = until control says so.
        rate: requests that it takes in five seconds; 0 = any number.
        clock: seconds that pass for the rate.
    """

    def __init__(
        self,
        address: str = "127.0.0.1",
        port: int = 0,
        *,
        key: str = "",
        folder: Path | None = None,
        resolver: str = "",
        http_port: int = 80,
        mail: str = "",
        vetting_seconds: float | None = 0.0,
        rate: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not ipaddress.ip_address(address).is_loopback:
            raise ValueError(f"The lab CA listens on loopback only, not on {address}.")
        self.rate, self._clock = rate, clock
        self.key = key or _kept_key(folder)
        handler = type("Handler", (_Handler,), {"ca": self})
        self._http = _Server((address, port), handler)
        self.url = f"http://{address}:{self._http.server_address[1]}"
        self.office = Office(
            Signer(folder),
            now,
            Prover(resolver, http_port),
            Post(mail),
            vetting_seconds=vetting_seconds,
            url=self.url,
        )
        self._calls: deque[str] = deque(maxlen=_CALLS_KEPT)
        self._times: deque[float] = deque()
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="lab-ca")

    @property
    def calls(self) -> list[str]:
        """The verbs of the API that were asked, oldest first."""
        return list(self._calls)

    def misbehave(
        self, verb: str, fault: str | Fault, times: int = 1, *, seconds: float = 1.0, words: str = ""
    ) -> None:
        """The next `times` calls of the verb (0 = all from now on) meet this fault."""
        self.office.faults.add(verb, fault, times, seconds, words)

    def behave(self) -> None:
        self.office.faults.clear()

    def count(self, verb: str) -> int | None:
        """Notes a call; seconds to wait when it is one too many."""
        with self.office.lock:
            return self._counted(verb)

    def _counted(self, verb: str) -> int | None:
        self._calls.append(verb)
        if not self.rate:
            return None
        at = self._clock()
        while self._times and self._times[0] <= at - _WINDOW:
            self._times.popleft()
        if len(self._times) >= self.rate:
            return max(1, round(self._times[0] + _WINDOW - at))
        self._times.append(at)
        return None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def _kept_key(folder: Path | None) -> str:
    if folder is None:
        return secrets.token_hex(24)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "api-key"
    if not place.exists():
        place.touch(0o600)
        place.write_text(secrets.token_hex(24), encoding="ascii")
    return place.read_text(encoding="ascii").strip()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no fault of the server's."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    ca: LabCa
    timeout = _READ_SECONDS

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        try:
            if parts.path.startswith("/answer/"):
                self._send(*self._people(parts.path))
            elif parts.path.startswith("/lab/"):
                with self.ca.office.lock:
                    found = control.answer(self.ca, self.command, parts.path, self._json())
                self._send(*found)
            else:
                self._api(parts.path, dict(parse_qsl(parts.query)))
        except Refused as error:
            self._send(error.status, error.body, error.retry_after)

    def _api(self, path: str, query: dict[str, str]) -> None:
        route, ids = routes.find(self.command, path)
        self._admit(route.verb)
        faults = self.ca.office.faults
        if faults.take(route.verb, Fault.CUT):
            return self._cut()
        slow = faults.take(route.verb, Fault.SLOW)
        if slow is not None:
            time.sleep(slow.seconds)
        call = routes.Call(self.ca.office, ids, query, self._json())
        if route.waits:
            status, body = route.answer(call)
        else:
            with self.ca.office.lock:
                status, body = route.answer(call)
        with self.ca.office.lock:
            self.ca.office.note()
        if faults.take(route.verb, Fault.LOST):
            return self._cut()
        if faults.take(route.verb, Fault.NONSENSE):
            body = "<html>Bad gateway</html>"
        self._send(status, body)

    def _admit(self, verb: str) -> None:
        """Key first, then rate and the faults that answer for the CA."""
        given = self.headers.get("X-DC-DEVKEY", "")
        if not secrets.compare_digest(given.encode(), self.ca.key.encode()):
            raise Refused(403, "access_denied|invalid_api_key", "The API key is missing or not valid.")
        wait = self.ca.count(verb)
        limited = self.ca.office.faults.take(verb, Fault.LIMITED)
        if limited is not None:
            wait = int(limited.seconds)
        if wait is not None:
            raise Refused(429, "request_limit_exceeded", "Service unavailable, please limit requests.", wait)
        if self.ca.office.faults.take(verb, Fault.ERROR):
            raise Refused(500, "internal_error", "An unexpected error occurred.")

    def _body(self) -> bytes:
        text = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not (text.isascii() and text.isdecimal()):
            raise Refused(411, "length_required", "Content-Length is missing or no number.")
        if len(text) > 12 or int(text) > _LARGEST_BODY:
            raise Refused(413, "request_too_large", f"At most {_LARGEST_BODY} bytes are taken.")
        return self.rfile.read(int(text))

    def _json(self) -> dict[str, Any]:
        raw = self._body()
        try:
            found = json.loads(raw or b"{}")
        except (ValueError, RecursionError):
            raise Refused(400, "invalid_json", "The body is not valid JSON.") from None
        if not isinstance(found, dict):
            raise Refused(400, "invalid_json", "The body is not a JSON object.")
        return found

    def _people(self, path: str) -> tuple[int, object]:
        """The page behind a mail's link: looking at it says nothing, the button says yes."""
        _, _, kind, secret = f"{path}///".split("/")[:4]
        if self.command == "POST":
            self._body()
            with self.ca.office.lock:
                agreed = people.agreed(self.ca.office, kind, secret)
                self.ca.office.note()
            if agreed:
                return 200, _page("Thank you", "<p>Your answer was noted.</p>")
            return 404, _page("Not known", "<p>This link was used already, or never existed.</p>")
        target = html.escape(f"/answer/{kind}/{secret}", quote=True)
        return 200, _page(
            "Certdesk Lab CA", f'<form method="post" action="{target}"><button>Yes</button></form>'
        )

    def _send(self, status: int, body: object, retry_after: int | None = None) -> None:
        kind, data = _encoded(body)
        self.send_response(status)
        if body is not None:
            self.send_header("Content-Type", kind)
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):  # the client may have hung up already
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Quiet: the caller knows what it asked."""


class _Page(str):
    """HTML."""


def _page(title: str, text: str) -> _Page:
    return _Page(f"<!doctype html><html lang=en><title>{title}</title><h1>{title}</h1>{text}</html>")


def _encoded(body: object) -> tuple[str, bytes]:
    if body is None:
        return "", b""
    if isinstance(body, bytes):
        return "application/pkix-crl", body
    if isinstance(body, _Page):
        return "text/html; charset=utf-8", body.encode()
    if isinstance(body, str):
        return "application/x-pem-file", body.encode()
    return "application/json", json.dumps(body).encode()
