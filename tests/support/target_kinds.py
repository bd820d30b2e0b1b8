"""The local kinds of targets as the conformance suite needs them: a real server each, and its own ways."""

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from certdesk.connectors import probe
from certdesk.connectors.probe import Expected, Verdict
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Resource, Target
from certdesk.lab.apache import LabApache
from certdesk.lab.elb import LabElb, haproxy
from certdesk.lab.nginx import LabNginx
from tests.support import tls
from tests.support.needs import need

T = TypeVar("T")
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PATIENCE = 10.0


@dataclass
class Bench:
    """A running server of one kind.

    Attributes:
        renames: the names that lead to a certificate become those of the new one.
        apart: what is live does not last beyond a restart before `keep`.
        watched: the connector needs the running server for its answers.
    """

    kind: str
    lab: Any
    renames: bool = False
    apart: bool = False
    watched: bool = False

    def target(self, **options: object) -> Target:
        outside = Outside(folders=(self.lab.folder,), seconds=15)
        return registry.connect(self.kind, {**self.lab.options, **options}, outside)

    def by_name(self, name: str) -> Resource:
        return next(one for one in run(self.target().resources()) if name in one.names)

    def restart(self) -> None:
        self.lab.stop()
        self.lab.start()

    def served(self, name: str, made: tls.Made, want: Verdict = Verdict.NEW, previous: str = "") -> Verdict:
        """What is served once the server has had time for its reload: `want`, or what else is seen."""
        expected = Expected(made.sha256, previous, chain=made.chain)
        until = time.monotonic() + PATIENCE
        while True:
            (seen,) = run(probe.look("127.0.0.1", self.lab.port, name, expected, allow_networks=LOOPBACK))
            if seen.verdict is want or time.monotonic() > until:
                return seen.verdict


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


def _real_haproxy(folder: Path) -> Bench:
    need(haproxy() is not None, "haproxy is not installed")
    return Bench("haproxy", LabElb(folder, real=True), renames=True, apart=True, watched=True)


def _small_haproxy(folder: Path) -> Bench:
    return Bench("haproxy", LabElb(folder, real=False), renames=True, apart=True, watched=True)


def _nginx(folder: Path) -> Bench:
    need(LabNginx.program() is not None, "nginx is not installed")
    return Bench("nginx", LabNginx(folder))


def _apache(folder: Path) -> Bench:
    need(LabApache.program() is not None, "apache2 is not installed")
    return Bench("apache", LabApache(folder))


KINDS: dict[str, Callable[[Path], Bench]] = {
    "haproxy": _real_haproxy,
    "small": _small_haproxy,
    "nginx": _nginx,
    "apache": _apache,
}


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Bench]:
    bench = KINDS[name](folder)
    with bench.lab:
        yield bench
