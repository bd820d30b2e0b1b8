"""Web writes while bulk work runs: the 99th percentile of a signed write, SQLite, loopback.

SQLite lets its writers wait unfairly (law 13): a bulk loop that took the lock again at once would keep the
web out for seconds. Here bulk is a loop as the workers run it, at most 100 rows a transaction and 2 ms of
pause after each, and beside it a client that issues in batches.
"""

import json
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import load, rest
from bench.report import Report, Row
from certdesk.interfaces.cli.client import Client
from certdesk.interfaces.cli.installation import Installation
from certdesk.lab.dns_server import LabDns

FLOOR_MS = 50.0
CLIENTS = 2
BUY = {
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "domain_type": "SINGLE_DOMAIN",
    "effective_time": 1,
    "domain_numbers": 1,
    "order_number": 1,
    "agree_privacy_protection": True,
    "is_auto_pay": False,
}
BATCH_ITEMS = 10
BULK = Path(__file__).with_name("bulk_work.py")


def measure(report: Report, seconds: float) -> None:
    """Adds the p99 of orders placed over REST, alone and while bulk work runs."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
        LabDns() as dns,
        Installation(Path(folder), dns_resolvers=f"127.0.0.1:{dns.port}", workers="2") as home,
    ):
        key = home.set_up("100000000")
        home.start()
        home.wait_ready()
        with closing(Client(home.url, key["access_key"], key["secret_key"])) as client:
            rest.prove(client, dns)
        _writes(home, key, 1.0)  # warm
        quiet = _writes(home, key, seconds)
        with _batches(home, key) as issued, _bulk(home) as bulk:
            busy = _writes(home, key, seconds * 2)
        report.add(Row("web write p99, nothing else runs", quiet.quantile(0.99) * 1000, "ms"))
        report.add(Row("bulk rows written beside it", bulk.done / busy.seconds, "/s"))
        report.add(Row("certificates issued in batches beside it", issued.done / busy.seconds, "/s"))
        p99 = busy.quantile(0.99) * 1000
        report.add(
            Row(
                f"web write p99, {CLIENTS} clients, bulk work runs",
                p99,
                "ms",
                "50 ms",
                p99 / FLOOR_MS,
                goal=0.5,
                floor=1.0,
                at_most=True,
            )
        )


def _writes(home: Installation, key: dict[str, str], seconds: float) -> load.Load:
    """Orders placed by a few clients, each waiting for its answer."""

    def request(turn: int) -> bytes:
        body = json.dumps({**BUY, "nonce": secrets.token_hex(8)}).encode()  # else some would be repeats
        return rest.signed(home, key, "/v3/scm/certificates/buy", body)

    seen = load.run(home.port, CLIENTS, seconds, request)
    if seen.good < len(seen.latencies):
        raise RuntimeError(f"answers other than 200: {seen.statuses}")
    return seen


@dataclass
class Work:
    """How much was done beside the measured writes; known once the work has ended."""

    done: int = 0


@contextmanager
def _bulk(home: Installation) -> Iterator[Work]:
    """A process that writes as a worker does, for as long as its input is open."""
    process = subprocess.Popen(
        [sys.executable, str(BULK)],
        env=home.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    work = Work()
    process.stdout.readline()  # it has begun
    try:
        yield work
    finally:
        work.done = int(process.communicate()[0])


@contextmanager
def _batches(home: Installation, key: dict[str, str]) -> Iterator[Work]:
    """One client that issues batch after batch."""
    work, stop = Work(), threading.Event()
    items = [rest.body_of(csr) for csr in rest.csrs("EC_P256", BATCH_ITEMS)]

    def issue() -> None:
        with closing(Client(home.url, key["access_key"], key["secret_key"])) as client:
            while not stop.is_set():
                answer = client.post(rest.BATCH, {"items": items, "nonce": secrets.token_hex(8)})
                work.done += sum(one["status"] == "ISSUED" for one in answer["items"])

    thread = threading.Thread(target=issue)
    thread.start()
    try:
        yield work
    finally:
        stop.set()
        thread.join()
