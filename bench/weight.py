"""G15: the memory of a web worker over many certificates, and what a mass revocation does to others."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench import lists, load, processes, rest
from bench.report import Report, Row
from certdesk.interfaces.cli.client import Client
from certdesk.interfaces.cli.installation import Installation
from certdesk.lab.dns_server import LabDns

MOST_MIB = 120
WORK = Path(__file__).with_name("weight_work.py")


def measure(report: Report, seconds: float, rows: int) -> None:
    """On SQLite with one web process and a worker; `rows` certificates, a tenth of them are revoked."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
        LabDns() as dns,
        Installation(Path(folder), dns_resolvers=f"127.0.0.1:{dns.port}", workers="1", rate_key="0") as home,
    ):
        key = home.set_up("100000000")
        home.start()
        home.wait_ready()
        with closing(Client(home.url, key["access_key"], key["secret_key"])) as client:
            rest.prove(client, dns)
        lists.work(home, "fill", str(rows))
        quiet = _pages(home, key, seconds)
        size = _largest(home) / 2**20
        with _revoking(home, max(1, min(rows // 10, 100_000))) as work:
            busy = _pages(home, key, seconds * 2)
    title, ratio = f"G15 PSS of a web worker at {rows}", size / MOST_MIB
    report.add(Row(title, size, "MiB", "120 MiB", ratio, 1, 200 / MOST_MIB, at_most=True))
    _effect(report, quiet, busy, work)


def _effect(report: Report, quiet: load.Load, busy: load.Load, work: list[int]) -> None:
    before, during = quiet.quantile(0.99) * 1000, busy.quantile(0.99) * 1000
    report.add(Row("page p99, nothing else runs", before, "ms"))
    report.add(Row("serials revoked beside it", work[0] / busy.seconds, "/s"))
    ratio = during / before
    title = "G15 page p99 during a mass revocation"
    report.add(Row(title, during, "ms", "quiet", ratio, goal=2, at_most=True))


def _pages(home: Installation, key: dict[str, str], seconds: float) -> load.Load:
    load.run(home.port, 2, 0.5, lambda _: lists.signed(home, key, lists.SEARCH))
    seen = load.run(home.port, 2, seconds, lambda _: lists.signed(home, key, lists.SEARCH))
    if seen.good < len(seen.latencies):
        raise RuntimeError(f"answers other than 200: {seen.statuses}")
    return seen


def _largest(home: Installation) -> int:
    """Bytes (PSS, the database's mapped pages included) of the largest process of the web."""
    return max(_pss(pid) for pid in processes.tree(home.processes["web"].pid))


def _pss(pid: int) -> int:
    """Without what is mapped from the database's file, which is the system's cache."""
    anonymous = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        name, _, rest_ = line.partition(":")
        if name in ("Pss_Anon", "Pss_Shmem"):
            anonymous += int(rest_.split()[0]) * 1024
    return anonymous + _mapped_programs(pid)


def _mapped_programs(pid: int) -> int:
    """Libraries and programs: mapped files other than the database."""
    size, counted = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8", errors="replace").splitlines():
        if line[0] in "0123456789abcdef" and "-" in line.split(" ", 1)[0]:
            path = line.split(maxsplit=5)[5] if len(line.split(maxsplit=5)) > 5 else ""
            counted = path.startswith("/") and "certdesk.sqlite3" not in path
        elif counted and line.startswith("Pss:"):
            size += int(line.split()[1]) * 1024
        elif counted and line.startswith("Pss_Anon:"):
            size -= int(line.split()[1]) * 1024  # counted above
    return size


@contextmanager
def _revoking(home: Installation, count: int) -> Iterator[list[int]]:
    """A process that revokes so many serials as a mass revocation does, or until its input ends."""
    process = subprocess.Popen(
        [sys.executable, str(WORK), str(count)],
        env=home.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    process.stdout.readline()
    work = [0]
    try:
        yield work
    finally:
        work[0] = int(process.communicate()[0])
