"""What this machine can do at all, measured in the same run: signatures, disk, bare SQL, a bare request."""

import os
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from bench.report import Report, Row


def measure(report: Report, seconds: float) -> None:
    """Adds R, F, fsync, bare SQL and bare WSGI rows."""
    from certdesk.pki.authority import bench as authority

    for algorithm, rate in authority.raw_sign_rate(seconds / 2).items():
        report.add(Row(f"R raw sign {algorithm}", rate, "/s core"))
    for algorithm, rate in authority.lean_rate(seconds / 2).items():
        report.add(Row(f"F lean issue {algorithm}", rate, "/s core"))
    median, p99 = fsync_times()
    report.add(Row("fdatasync 4 kB p50", median * 1000, "ms"))
    report.add(Row("fdatasync 4 kB p99", p99 * 1000, "ms"))
    report.add(Row("bare SQLite row by key", bare_sql_rate(seconds / 4), "/s core"))


def fsync_times(count: int = 200) -> tuple[float, float]:
    """Seconds of one durable 4 kB write: median and 99th percentile."""
    times = []
    with tempfile.NamedTemporaryFile(dir=Path.cwd()) as file:
        for _ in range(count):
            os.write(file.fileno(), b"x" * 4096)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    times.sort()
    return statistics.median(times), times[int(count * 0.99) - 1]


def bare_sql_rate(seconds: float) -> float:
    """Reads by primary key a CPU second, one prepared statement, no framework."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", ((number, "x" * 200) for number in range(10_000)))
    began, done = time.process_time(), 0
    while time.process_time() - began < seconds:
        for number in range(500):
            connection.execute("SELECT v FROM t WHERE id = ?", (number * 17 % 10_000,)).fetchone()
        done += 500
    return done / (time.process_time() - began)
