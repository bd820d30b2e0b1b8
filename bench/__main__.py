"""`./certdesk bench`: goals as ratios inside one run, with the calibration rows beside them.

    ./certdesk bench [--seconds N] [--json FILE] [--rows N] [--peers]
                     [--only g1,g2,g4,g5,g8,g9,g10,g11,g12,g15,writes,lists,nodes]

"Per core" is work divided by the CPU seconds of the whole server process tree, load generator left out.
Status 1 when a floor does not hold.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from bench import (
    answers,
    calibration,
    checker,
    crls,
    engine,
    enrolment,
    importing,
    interactive,
    jobs,
    lists,
    rest,
    scanner,
    weight,
)
from bench.report import Report

ALL = "g1,g2,g4,g5,g8,g9,g10,g11,g12,g15,writes,lists,nodes"


def main() -> int:
    """Runs the chosen goals; prints a table and, with --json, writes the same as JSON."""
    parser = argparse.ArgumentParser(prog="./certdesk bench", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measured row")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--only", default=ALL, help="comma-separated goals")
    parser.add_argument("--rows", type=int, default=1_000_000, help="certificates of the list goals")
    parser.add_argument("--peers", action="store_true", help="install the peers that can be had")
    chosen = parser.parse_args()
    goals = {goal.strip().lower() for goal in chosen.only.split(",")}
    if unknown := goals - set(ALL.split(",")):
        parser.error(f"no such goal: {', '.join(sorted(unknown))}; there are {ALL}")
    report = Report()
    scratch = tempfile.TemporaryDirectory(prefix="certdesk-bench-")
    _set_up(Path(scratch.name))
    calibration.measure(report, chosen.seconds)
    if "g1" in goals:
        engine.measure(report, chosen.seconds)
    if "g2" in goals:
        rest.measure(report, chosen.seconds)
    if "g4" in goals:
        enrolment.measure(report, chosen.seconds, with_peers=chosen.peers)
    if "g12" in goals:
        checker.measure(report, chosen.seconds)
    if "writes" in goals:
        interactive.measure(report, chosen.seconds)
    if "lists" in goals:  # G6, G7, G13, G14
        lists.measure(report, chosen.seconds, chosen.rows)
    if "nodes" in goals:  # G16
        lists.measure_nodes(report, chosen.seconds)
    _chapter_five(report, chosen, goals)
    print(report.table())
    if chosen.json:
        chosen.json.write_text(json.dumps(report.as_dict(), indent=2), encoding="utf-8")
    return 0 if report.floors_hold else 1


def _chapter_five(report: Report, chosen: argparse.Namespace, goals: set[str]) -> None:
    """What a certificate's later life leans on: answers, lists of revoked ones, scans, jobs, memory."""
    if "g10" in goals:
        jobs.measure(report, chosen.seconds)
    if "g9" in goals:
        importing.measure(report, chosen.seconds)
    if "g8" in goals:
        scanner.measure(report, chosen.rows)
    if "g11" in goals:
        crls.measure(report, chosen.rows)
    if "g5" in goals or "g11" in goals:
        answers.measure(report, chosen.seconds, chosen.rows, with_peers=chosen.peers)
    if "g15" in goals:
        weight.measure(report, chosen.seconds, chosen.rows)


def _set_up(folder: Path) -> None:
    """A database with the built-in CA for the rows that run in this process."""
    for name in [name for name in os.environ if name.startswith("CERTDESK_")]:
        del os.environ[name]
    os.environ["CERTDESK_DATA"] = str(folder / "data")
    from certdesk.interfaces.cli import setup, start

    setup.prepare(start.django())


sys.exit(main())
