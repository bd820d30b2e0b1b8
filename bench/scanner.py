"""G8: the expiry scanner over many certificates of which 6 % are due, against the bare SQL of their index."""

import time
import tracemalloc
from typing import Any

from bench.report import Report, Row

ACCOUNT = "b" * 32
DUE = 0.06
PAGE = 100
DAY = 86_400_000_000


def measure(report: Report, rows: int) -> None:
    """A tenth of the rows first, then all of them, with the same certificates due."""
    due = max(1, int(rows * DUE))
    _fill(0, due, soon=True)
    _fill(due, max(rows // 10, due), soon=False)
    few, _ = _scan(due)
    _fill(max(rows // 10, due), rows, soon=False)
    many, peak = _scan(due)
    bare = _bare(due)
    title = f"G8 scan of {rows}, {due} due"
    report.add(Row("bare index read of the due ones", bare * 1000, "ms CPU"))
    report.add(Row(title, many * 1000, "ms CPU", "bare", many / bare, goal=3, at_most=True))
    report.add(
        Row("G8 the same due among a tenth", few * 1000, "ms CPU", "all", many / few, 1.3, 2, at_most=True)
    )
    report.add(Row("G8 memory of a scan", peak / 2**20, "MiB", "8 MiB", peak / 2**20 / 8, 1, 4, at_most=True))


def _blank(model: Any) -> dict[str, Any]:
    """A value for every column of a table: its default, else nothing of its kind."""
    return {
        field.column: field.get_default()
        if field.has_default()
        else b""
        if field.get_internal_type() == "BinaryField"
        else None
        if field.null
        else 0
        if "Integer" in field.get_internal_type()
        else ""
        for field in model._meta.concrete_fields
        if field.get_internal_type() != "BigAutoField"
    }


def _fill(start: int, end: int, *, soon: bool) -> None:
    """Certificates with a version each; `soon`: within a month, else in nine months and later."""
    from certdesk.foundation.common import clock, sql
    from certdesk.lifecycle.certificates.models import Certificate, Version

    now = clock.to_micros(clock.now())
    blank, version = _blank(Certificate), _blank(Version)
    for first in range(start, end, 400):
        numbers = range(first, min(first + 400, end))
        ends = {i: now + ((2 + i % 27) * DAY if soon else (270 + i % 90) * DAY) for i in numbers}
        with sql.short_transaction():
            sql.insert("certificates_certificate", [_certificate(blank, i, now, ends[i]) for i in numbers])
            sql.insert("certificates_version", [_version(version, i, now, ends[i]) for i in numbers])
    sql.execute("ANALYZE")


def _certificate(blank: dict[str, Any], number: int, now: int, end: int) -> dict[str, Any]:
    name = f"host{number}.example.com"
    own = {"id": f"scs{number:013d}", "account_id": ACCOUNT, "name": name[:63], "domain": name, "sans": name}
    times = {"state_since": now, "created_at": now, "updated_at": now, "not_before": now, "not_after": end}
    return {**blank, **own, **times, "state": "ISSUED", "source": "BOUGHT", "current_version": 1}


def _version(blank: dict[str, Any], number: int, now: int, end: int) -> dict[str, Any]:
    begin = end - 199 * DAY
    own = {"certificate_id": f"scs{number:013d}", "number": 1, "cause": "ISSUE", "serial": f"{number:032x}"}
    return {**blank, **own, "not_before": begin, "not_after": end, "created_at": begin}


def _scan(expected: int) -> tuple[float, int]:
    """CPU seconds of a whole scan, as the job makes it page by page; then its memory, in bytes."""
    spent = 1e9
    for _ in range(3):
        began = time.process_time()
        found = _pages()
        spent = min(spent, time.process_time() - began)
    if found != expected:
        raise RuntimeError(f"{found} were found instead of {expected}")
    tracemalloc.start()
    _pages()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return spent, peak


def _pages() -> int:
    from certdesk.foundation.common import clock
    from certdesk.lifecycle.notifications import queries

    now, after, found = clock.now(), (0, ""), 0
    while page := queries.near_their_end(ACCOUNT, now, after, PAGE):
        found += sum(one.due(now) is not None for one in page)
        after = (clock.to_micros(page[-1].not_after), page[-1].id)
    return found


def _bare(expected: int) -> float:
    from certdesk.foundation.common import clock, sql
    from certdesk.lifecycle.certificates.rows import EXPIRY

    now = clock.to_micros(clock.now())
    statement = (
        f"SELECT c.id, {EXPIRY} FROM certificates_certificate c WHERE c.account_id = %s"
        f" AND {EXPIRY} BETWEEN %s AND %s ORDER BY {EXPIRY}, c.id"
    )
    spent = []
    for _ in range(5):
        began = time.process_time()
        found = len(sql.rows(statement, [ACCOUNT, now, now + 60 * DAY]))
        spent.append(time.process_time() - began)
    if found != expected:
        raise RuntimeError(f"{found} were read instead of {expected}")
    return max(sorted(spent)[2], 1e-6)
