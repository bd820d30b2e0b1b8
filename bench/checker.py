"""G12: the validation checker against bare dnspython over UDP; in flight; late because of others.

The server is a process of its own that costs next to nothing (`dns_answers.py`). Rates are a CPU second of
this process; what is in flight is counted by the server, at names that it never answers.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import dns.asyncquery
import dns.message

from bench.report import Report, Row

SERVER = Path(__file__).with_name("dns_answers.py")
VALUE = "0123456789abcdef" * 4
AT_ONCE = 256
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def measure(report: Report, seconds: float) -> None:
    """Adds the rates, how many looks are in flight, and how late the worst one was."""
    with serving() as server:
        bare = _rate(seconds, lambda name: _bare(server.port, name))
        report.add(Row("bare dnspython UDP question", bare, "/s core"))
        rate = _rate(seconds, lambda name: _look(server.port, name))
        report.add(Row("G12 validation check", rate, "/s core", "bare", rate / bare, goal=0.8))
        alone = max(mixed(server, silent=0))
        worst = max(mixed(server, silent=AT_ONCE // 2))
        mixed(server, silent=AT_ONCE)
    flying = server.at_once
    report.add(Row("G12 checks in flight", flying, "checks", "64", flying / 64, goal=4.0, floor=1.0))
    from certdesk.connectors.dns.ask import QUESTION_TIMEOUT

    late = max(0.0, worst - alone)
    report.add(
        Row(
            "G12 latest answer beside silent servers",
            late,
            "s",
            "time-out",
            late / QUESTION_TIMEOUT,
            goal=0.5,
            floor=2.0,
            at_most=True,
        )
    )


@dataclass
class Server:
    port: int
    at_once: int = 0
    turn: int = field(default=0)


@contextmanager
def serving() -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, str(SERVER), VALUE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    server = Server(int(process.stdout.readline()))
    try:
        yield server
    finally:
        server.at_once = int(process.communicate()[0])


def _rate(seconds: float, work: Callable[[str], Awaitable[None]]) -> float:
    """Runs `AT_ONCE` loops of it; answers how often a CPU second of this process."""

    async def run(until: float) -> int:
        async def loop(number: int) -> int:
            done = 0
            while time.perf_counter() < until:
                await work(f"_dnsauth.a{number}x{done}.example.com")
                done += 1
            return done

        return sum(await asyncio.gather(*map(loop, range(AT_ONCE))))

    asyncio.run(run(time.perf_counter() + 0.2))  # warm
    began = time.process_time()
    done = asyncio.run(run(time.perf_counter() + seconds))
    return done / (time.process_time() - began)


async def _bare(port: int, name: str) -> None:
    query = dns.message.make_query(name, "TXT", use_edns=0, payload=1232)
    answer = await dns.asyncquery.udp(query, "127.0.0.1", port=port, timeout=3)
    _expect(VALUE in answer.answer[0][0].to_text(), answer.to_text())


async def _look(port: int, name: str) -> None:
    from certdesk.connectors.dns.proof import check_record

    seen = await check_record(
        owner=name,
        record_type="TXT",
        expected=VALUE,
        resolvers=(f"127.0.0.1:{port}",),
        allow_networks=(),
        now=NOW,
    )
    _expect(seen.answer == "MATCH", seen.sentence)


def mixed(server: Server, *, silent: int, at_once: int = AT_ONCE) -> list[float]:
    """Seconds until each answering name of one application was seen; silent ones stand before them."""
    from certdesk.foundation.common import settings
    from certdesk.lifecycle.validation.perspectives import Local, Look, Sight, look_all

    settings.install(settings.get().model_copy(update={"dns_resolvers": (f"127.0.0.1:{server.port}",)}))
    server.turn += 1
    names = [f"silent{server.turn}x{number}.example.com" for number in range(silent)]
    names += [f"_dnsauth.b{server.turn}x{number}.example.com" for number in range(at_once - silent)]
    looks = [Look(number, name, "TXT", VALUE) for number, name in enumerate(names)]
    began, times = time.perf_counter(), list[float]()

    class Timed(Local):
        async def look(self, look: Look, now: datetime) -> Sight:
            sight = await super().look(look, now)
            if sight.matches:
                times.append(time.perf_counter() - began)
            return sight

    asyncio.run(look_all(looks, NOW, deadline=30.0, perspective=Timed()))
    _expect(len(times) == at_once - silent, f"only {len(times)} of the answering names were seen")
    return times


def _expect(good: bool, told: str) -> None:
    if not good:
        raise RuntimeError(told)
