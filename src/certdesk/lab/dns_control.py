"""HTTP control of the lab DNS server, for tests in any language. JSON in, JSON out.

`GET /records`, `PUT /records` {owner, type, values, ttl}, `DELETE /records` {owner, type}, `GET /questions`,
`PUT /faults` {owner, fault, seconds}, `DELETE /faults` {owner}.
"""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import dns.exception

from certdesk.lab.dns_records import Records

_LARGEST_BODY = 1024 * 1024


class Controlled(Protocol):
    """What the control port needs of the server."""

    records: Records

    @property
    def questions(self) -> Iterable[tuple[str, str, str]]: ...
    def set(self, owner: str, rdtype: str, values: Sequence[str], ttl: int = 300) -> None: ...
    def remove(self, owner: str, rdtype: str | None = None) -> bool: ...
    def misbehave(self, owner: str, fault: str, seconds: float = 1.0) -> None: ...
    def behave(self, owner: str | None = None) -> None: ...


class ControlServer:
    """Runs in a thread of its own until `stop`."""

    def __init__(self, address: str, port: int, server: Controlled) -> None:
        handler = type("Handler", (_Handler,), {"controlled": server})
        self._http = ThreadingHTTPServer((address, port), handler)
        self._http.daemon_threads = True
        self.port = int(self._http.server_address[1])
        self._thread = threading.Thread(
            target=self._http.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="lab-dns-control",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    controlled: Controlled

    def do_GET(self) -> None:
        server = self.controlled
        if self.path == "/records":
            self._send(200, [asdict(one) for one in server.records.snapshot()])
        elif self.path == "/questions":
            self._send(200, [list(one) for one in list(server.questions)])
        else:
            self._send(404, {"error": "there is /records, /questions and /faults"})

    def do_PUT(self) -> None:
        server = self.controlled
        self._change(
            {
                "/records": lambda it: server.set(it["owner"], it["type"], it["values"], it.get("ttl", 300)),
                "/faults": lambda it: server.misbehave(it["owner"], it["fault"], it.get("seconds", 1.0)),
            }
        )

    def do_DELETE(self) -> None:
        server = self.controlled
        self._change(
            {
                "/records": lambda it: server.remove(it["owner"], it.get("type")),
                "/faults": lambda it: server.behave(it.get("owner")),
            }
        )

    def _change(self, ways: dict[str, Callable[[dict[str, Any]], object]]) -> None:
        way = ways.get(self.path)
        if way is None:
            self._send(404, {"error": "there is /records and /faults"})
            return
        try:
            length = min(int(self.headers.get("Content-Length", "0")), _LARGEST_BODY)
            way(json.loads(self.rfile.read(length) or b"{}"))
        except (ValueError, KeyError, TypeError, AttributeError, dns.exception.DNSException) as error:
            self._send(400, {"error": f"{type(error).__name__}: {error}"})
            return
        self._send(200, {"ok": True})

    def _send(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet: the caller knows what it asked."""
