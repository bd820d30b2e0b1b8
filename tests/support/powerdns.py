"""A real PowerDNS on free loopback ports for a test: zones by its own API, TSIG updates allowed."""

import contextlib
import http.client
import json
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PDNS = shutil.which("pdns_server") or (
    "/usr/sbin/pdns_server" if Path("/usr/sbin/pdns_server").exists() else None
)
_SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
REASON = "PowerDNS (pdns-server, pdns-backend-sqlite3) is not installed"
API_KEY = "the-key-of-the-api"

_CONFIGURATION = """
launch=gsqlite3
gsqlite3-database={folder}/pdns.sqlite3
local-address={address}
local-port={port}
webserver=yes
webserver-address=127.0.0.1
webserver-port={api_port}
webserver-allow-from=127.0.0.0/8
api=yes
api-key={api_key}
dnsupdate=yes
allow-dnsupdate-from=127.0.0.0/8
allow-axfr-ips=
socket-dir={folder}
setuid=
setgid=
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
slave=yes
slave-cycle-interval=3600
"""


@dataclass(frozen=True)
class PowerDnsServer:
    port: int
    api_port: int
    address: str = "127.0.0.1"

    @property
    def server(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    def api(self, method: str, path: str, body: object = None) -> object:
        """A call of the server's own API, not by the connector under test."""
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=10)
        try:
            connection.request(
                method,
                f"/api/v1/servers/localhost{path}",
                json.dumps(body) if body is not None else None,
                {"X-API-Key": API_KEY},
            )
            answer = connection.getresponse()
            raw = answer.read()
            assert answer.status < 300, (answer.status, raw)
            return json.loads(raw) if raw else None
        finally:
            connection.close()


def is_installed() -> bool:
    return PDNS is not None and _SCHEMA.exists()


@contextlib.contextmanager
def powerdns(
    folder: Path, zones: Sequence[str], keys: Mapping[str, str], kind: str = "Native"
) -> Iterator[PowerDnsServer]:
    """`keys`: TSIG keys (name → base64 secret) that may change and transfer every zone."""
    with _running(folder, PowerDnsServer(*_free_ports())) as server:
        _fill(server, zones, keys, kind)
        yield server


@contextlib.contextmanager
def powerdns_copy(folder: Path, primary_port: int, zones: Sequence[str]) -> Iterator[PowerDnsServer]:
    """A secondary of 127.0.0.1 at 127.0.0.2, same port. It asks for changes when `fetch_copy` says so."""
    with _running(folder, PowerDnsServer(primary_port, _free_ports()[1], "127.0.0.2")) as server:
        for zone in zones:
            new = {"name": f"{zone}.", "kind": "Slave", "masters": [f"127.0.0.1:{primary_port}"]}
            server.api("POST", "/zones", new)
            fetch_copy(server, zone)
        yield server


def fetch_copy(server: PowerDnsServer, zone: str) -> None:
    server.api("PUT", f"/zones/{zone}./axfr-retrieve")


@contextlib.contextmanager
def _running(folder: Path, server: PowerDnsServer) -> Iterator[PowerDnsServer]:
    assert PDNS, REASON
    with contextlib.closing(sqlite3.connect(folder / "pdns.sqlite3")) as database:
        database.executescript(_SCHEMA.read_text(encoding="utf-8"))
    text = _CONFIGURATION.format(
        folder=folder, address=server.address, port=server.port, api_port=server.api_port, api_key=API_KEY
    )
    (folder / "pdns.conf").write_text(text, encoding="ascii")
    with (folder / "pdns.log").open("wb") as log:
        process = subprocess.Popen(
            [PDNS, f"--config-dir={folder}", "--daemon=no", "--guardian=no"], stdout=log, stderr=log
        )
        try:
            _wait(process, server, folder)
            yield server
        finally:
            process.terminate()
            process.wait(10)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])


def _fill(server: PowerDnsServer, zones: Sequence[str], keys: Mapping[str, str], kind: str) -> None:
    for name, secret in keys.items():
        server.api("POST", "/tsigkeys", {"name": name, "algorithm": "hmac-sha256", "key": secret})
    transfer = [f"{name}." for name in keys]
    for zone in zones:
        new = {
            "name": f"{zone}.",
            "kind": kind,
            "nameservers": [f"ns1.{zone}."],
            "master_tsig_key_ids": transfer,
        }
        server.api("POST", "/zones", new)
        right = {"kind": "TSIG-ALLOW-DNSUPDATE", "metadata": list(keys)}
        server.api("PUT", f"/zones/{zone}./metadata/TSIG-ALLOW-DNSUPDATE", right)
        ns1 = {
            "name": f"ns1.{zone}.",
            "type": "A",
            "ttl": 60,
            "changetype": "REPLACE",
            "records": [{"content": "127.0.0.1", "disabled": False}],
        }
        server.api("PATCH", f"/zones/{zone}.", {"rrsets": [ns1]})


def _wait(process: subprocess.Popen[bytes], server: PowerDnsServer, folder: Path) -> None:
    """Until both ports connect."""
    end = time.monotonic() + 15
    while True:
        with contextlib.suppress(OSError):
            for place in ((server.address, server.port), ("127.0.0.1", server.api_port)):
                socket.create_connection(place, 1).close()
            return
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError((folder / "pdns.log").read_text(errors="replace")[-2000:])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
