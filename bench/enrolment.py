"""G4: whole ACME orders, every name proved by a DNS record, against Pebble and acme2certifier of one run.

Ours and acme2certifier keep everything in SQLite; Pebble has it in memory alone, and speaks TLS. Per core:
all processes of the server, web and worker, without the client and the name server. The client looks again
when the server says so, else after a second. Each server has as many clients as it does best with: ours and
Pebble 32, of whom most wait; acme2certifier 8, with 32 it spends a tenth more on each order.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from shutil import which
from ssl import SSLContext

from bench import processes
from bench.acme_client import Client, Publish, Seen, run
from bench.report import Report, Row
from certdesk.interfaces.cli.installation import Installation
from certdesk.lab.dns_server import LabDns

CLIENTS, CLIENTS_OF_OTHER = 32, 8
OURS, PEBBLE, OTHER = "G4 ACME orders", "G4 Pebble orders", "G4 acme2certifier orders"
GOAL_OTHER, FLOOR_OTHER, GOAL_PEBBLE = 20.0, 10.0, 0.7


@dataclass(frozen=True)
class Serving:
    """A running server.

    Attributes:
        processes: whose CPU seconds count, with all that descend from them.
        credential: key id and HMAC key; empty where anybody may register.
    """

    directory: str
    processes: tuple[int, ...]
    publish: Publish
    trust: SSLContext | None = None
    credential: tuple[str, str] = ("", "")


def measure(report: Report, seconds: float, *, with_peers: bool) -> None:
    """Adds a row for each server; ours against each that could be measured."""
    from tests.support import acme2certifier

    other = acme2certifier.install() if with_peers else acme2certifier.PYTHON.exists()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        rates = {OURS: _measured(report, OURS, _ours(Path(folder) / "ours"), seconds)}
        if which("pebble") and which("pebble-challtestsrv"):
            rates[PEBBLE] = _measured(report, PEBBLE, _pebble(Path(folder) / "pebble"), seconds)
        else:
            report.absent("pebble", "no program pebble; Debian's pebble brings one")
        if other:
            rates[OTHER] = _measured(
                report, OTHER, _acme2certifier(Path(folder) / "other"), seconds, CLIENTS_OF_OTHER
            )
        else:
            report.absent("acme2certifier", "it is not installed; --peers brings it from PyPI")
    if OTHER in rates:
        ratio = rates[OURS] / rates[OTHER]
        report.add(
            Row("G4 ours / acme2certifier", ratio, "x", OTHER, ratio, goal=GOAL_OTHER, floor=FLOOR_OTHER)
        )
    if PEBBLE in rates:
        ratio = rates[OURS] / rates[PEBBLE]
        report.add(Row("G4 ours / Pebble", ratio, "x", PEBBLE, ratio, goal=GOAL_PEBBLE))


def _measured(
    report: Report,
    name: str,
    opened: "Callable[[], Iterator[Serving]]",
    seconds: float,
    with_clients: int = CLIENTS,
) -> float:
    """Orders for each CPU second of the server.

    Raises:
        RuntimeError: ours refused a good nonce.
    """
    with contextmanager(opened)() as server:
        numbers, seen = count(1), Seen()
        clients = [Client(server.directory, seen, server.trust) for _ in range(with_clients)]
        for one in clients:
            one.register(*server.credential)

        def names() -> str:
            return f"b{next(numbers)}.example.com"

        run(clients, 0.5, names, server.publish)  # warm: each client has had one order at least
        before, done = _cpu(server), seen.orders
        seen.latencies.clear()
        run(clients, seconds * 4, names, server.publish)
        rate = (seen.orders - done) / (_cpu(server) - before)
    report.add(Row(name, rate, "/s core"))
    report.add(Row(f"{name}, p50 of a whole order", statistics.median(seen.latencies) * 1000, "ms"))
    if name == OURS and seen.problems["badNonce"]:
        raise RuntimeError(f"{seen.problems['badNonce']} good nonces were refused")
    return rate


def _cpu(server: Serving) -> float:
    return sum(processes.cpu_seconds(one) for one in server.processes)


def _ours(folder: Path) -> "Callable[[], Iterator[Serving]]":
    def opened() -> Iterator[Serving]:
        folder.mkdir()
        with (
            LabDns() as dns,
            Installation(folder, dns_resolvers=dns.server, allow_networks="127.0.0.0/8", workers="1") as home,
        ):
            home.set_up()
            home.start()
            home.wait_ready()
            made = home.run("acme-credential", "create", "--user", "admin")
            pids = tuple(one.pid for one in home.processes.values())
            credential = (str(made["kid"]), str(made["hmac_key"]))
            yield Serving(str(made["directory"]), pids, _records(dns), credential=credential)

    return opened


def _pebble(folder: Path) -> "Callable[[], Iterator[Serving]]":
    def opened() -> Iterator[Serving]:
        from tests.support import pebble

        with pebble.running(folder) as server:
            yield Serving(server.directory, (server.process,), server.publish, server.identity.trusting())

    return opened


def _acme2certifier(folder: Path) -> "Callable[[], Iterator[Serving]]":
    def opened() -> Iterator[Serving]:
        from tests.support import acme2certifier

        with LabDns() as dns, acme2certifier.running(folder, dns, tls=False) as server:
            yield Serving(server.directory, (server.process.pid,), _records(dns))

    return opened


def _records(dns: LabDns) -> Publish:
    return lambda owner, value: dns.set(owner, "TXT", [value])
