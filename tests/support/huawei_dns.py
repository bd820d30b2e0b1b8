"""A stand-in for Huawei Cloud DNS v2 that is strict: signatures, paths, dots, quotes, pending states.

The official SDK is run against it too, so that what it wants is what the real client sends.
"""

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from certdesk.foundation.iam import signature
from certdesk.foundation.iam.errors import BadSignature

ACCESS_KEY, SECRET_KEY = "HUAWEITESTACCESSKEY1", "the0secret0of0the0stand0in0for0huawei0ds"
_SETS = re.compile(r"/v2/zones/([0-9a-f]{32})/recordsets(?:/([0-9a-f]{32}))?")
Row = dict[str, Any]


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class HuaweiDns:
    """State and script: `polls` GETs pass before a pending set is done; `fail` may answer in its place."""

    port: int = 0
    zones: list[Row] = field(default_factory=list)
    sets: dict[str, Row] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    polls: int = 2
    fail: Callable[[Asked], tuple[int, Row] | None] = lambda asked: None
    _ids: Iterator[int] = field(default_factory=lambda: count(1))
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def new_id(self) -> str:
        return f"{next(self._ids):032x}"

    def add_zone(self, name: str) -> str:
        zone = {"id": self.new_id(), "name": f"{name}.", "status": "ACTIVE", "zone_type": "public"}
        self.zones.append(zone)
        self._make(
            zone["id"], {"name": f"{name}.", "type": "SOA", "ttl": 300, "records": ["ns. h. 1 1 1 1 1"]}
        )
        return str(zone["id"])

    def _make(self, zone_id: str, body: Row, status: str = "ACTIVE") -> Row:
        row = {"id": self.new_id(), "zone_id": zone_id, **body, "status": status, "left": self.polls}
        self.sets[str(row["id"])] = row
        return row

    def answer(self, asked: Asked) -> tuple[int, Row | None]:
        with self._lock:
            self.asked.append(asked)
            failed = self.fail(asked)
            if failed is not None:
                return failed
            if asked.method == "GET" and asked.path == "/v2/zones":
                return self._listed(self._zones(asked.query), asked.query, "zones")
            match = _SETS.fullmatch(asked.path)
            if match is None or match[1] not in {zone["id"] for zone in self.zones}:
                return 404, {"code": "DNS.0302", "message": "The zone does not exist."}
            return self._record_sets(asked, match[1], match[2])

    def _zones(self, query: dict[str, str]) -> list[Row]:
        assert query.get("type") == "public", query
        exact = query.get("search_mode") == "equal"
        name = query.get("name", "")
        return [zone for zone in self.zones if (zone["name"] == name if exact else name in zone["name"])]

    def _listed(self, rows: list[Row], query: dict[str, str], key: str) -> tuple[int, Row]:
        limit = int(query.get("limit", "500"))
        assert 0 < limit <= 500
        ids = [row["id"] for row in rows]
        start = ids.index(query["marker"]) + 1 if "marker" in query else 0
        page = [
            {name: one for name, one in row.items() if name != "left"} for row in rows[start : start + limit]
        ]
        return 200, {key: page, "metadata": {"total_count": len(rows)}, "links": {}}

    def _record_sets(self, asked: Asked, zone_id: str, set_id: str | None) -> tuple[int, Row | None]:
        rows = [row for row in self.sets.values() if row["zone_id"] == zone_id]
        if set_id is None:
            if asked.method == "GET":
                return self._listed(
                    [row for row in rows if _fits(row, asked.query)], asked.query, "recordsets"
                )
            return self._create(zone_id, rows, asked.body)
        row = self.sets.get(set_id)
        if row is None:
            return 404, {"code": "DNS.0313", "message": "The record set does not exist."}
        if asked.method == "GET":
            return self._show(row)
        if asked.method == "PUT" and _wrong(asked.body):
            return 400, {"code": "DNS.0303", "message": _wrong(asked.body)}
        if asked.method == "PUT":
            row.update({**asked.body, "status": "PENDING_UPDATE", "left": self.polls})
        elif asked.method == "DELETE":
            row.update(status="PENDING_DELETE", left=self.polls)
        return 202, dict(row)

    def _create(self, zone_id: str, rows: list[Row], body: Row) -> tuple[int, Row]:
        if _wrong(body):
            return 400, {"code": "DNS.0303", "message": _wrong(body)}
        for row in rows:
            alone = "CNAME" in (row["type"], body["type"])
            if row["name"] == body["name"] and (row["type"] == body["type"] or alone):
                message = f"Attribute 'name' conflicts with Record Set '{row['name']}' type '{row['type']}'."
                return 400, {"code": "DNS.0312", "message": message}
        return 202, self._make(zone_id, body, "PENDING_CREATE")

    def _show(self, row: Row) -> tuple[int, Row]:
        if row["status"].startswith("PENDING"):
            row["left"] -= 1
            if row["left"] < 0 and row["status"] == "PENDING_DELETE":
                del self.sets[row["id"]]
                return 404, {"code": "DNS.0313", "message": "The record set does not exist."}
            if row["left"] < 0:
                row["status"] = "ACTIVE"
        return 200, dict(row)


def _fits(row: Row, query: dict[str, str]) -> bool:
    exact = query.get("search_mode") == "equal"
    name = query.get("name", "")
    return (row["name"] == name if exact else name in row["name"]) and query.get("type", row["type"]) == row[
        "type"
    ]


def _wrong(body: Row) -> str:
    """What the real service would not take, empty when all is well."""
    if not body["name"].endswith("."):
        return "the name has no last dot"
    if not 1 <= body["ttl"] <= 2147483647 or not body["records"]:
        return "ttl or records are out of range"
    ends = {"TXT": '"', "CNAME": "."}.get(body["type"], "")
    if not all(value.endswith(ends) for value in body["records"]):
        return f"a {body['type']} value does not end in {ends}"
    if body["type"] == "TXT" and not all(value.startswith('"') for value in body["records"]):
        return "a TXT value is not quoted"
    return ""


def _handler(state: HuaweiDns) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            message = signature.Message(
                self.command, parts.path.encode(), parts.query, self.headers.get, body
            )
            try:
                said = signature.read(self.headers.get("Authorization", ""))
                if said.access_key != ACCESS_KEY:
                    raise BadSignature()
                signature.verify(message, said, SECRET_KEY.encode(), datetime.now(UTC))
            except BadSignature as error:
                self._answer(401, {"error_code": "APIGW.0301", "error_msg": str(error)})
                return
            query = dict(parse_qsl(parts.query))
            asked = Asked(self.command, parts.path, query, json.loads(body) if body else None)
            self._answer(*state.answer(asked))

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

        def _answer(self, status: int, row: Row | None) -> None:
            raw = json.dumps(row).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextlib.contextmanager
def huawei_dns(*zones: str) -> Iterator[HuaweiDns]:
    state = HuaweiDns()
    for zone in zones:
        state.add_zone(zone)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
