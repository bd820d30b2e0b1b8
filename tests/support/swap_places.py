"""Places where a certificate is swapped under clients: every local kind of target, with its own server."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from certdesk.agents import host as agent
from certdesk.connectors.probe import Verdict
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Target
from certdesk.lab.nginx import LabNginx, firewall_missing
from certdesk.lab.site_files import PAGES, TLS
from tests.support import hosts, placed, sshd, swapping
from tests.support.needs import need
from tests.support.own_network import own_network
from tests.support.placed_kinds import LOOPBACK, MAKERS, run, serves, target
from tests.support.swapping import Door, Download, Mail, NoStream, Session, Talk
from tests.support.target_kinds import Bench, opened
from tests.support.tls import Made
from tests.support.tomcat import RealTomcat

SHOP = "shop.example.test"
Swap = Callable[[Made], None]


@dataclass
class Place:
    """`swap`: the whole change, up to the look that it is served."""

    door: Door
    swap: Swap
    stream: Callable[[Door], NoStream]


def of_target(
    bench: Bench, name: str, connect: Callable[[], Target], resource: str
) -> Callable[[Made], None]:
    def swap(made: Made) -> None:
        target = connect()
        run(target.install(resource, made.bundle))
        assert bench.served(name, made) is Verdict.NEW
        run(target.keep(resource, made.bundle))

    return swap


@contextmanager
def web(kind: str, folder: Path) -> Iterator[Place]:
    """HAProxy, nginx, Apache by their own targets."""
    with opened(kind, folder / "server") as bench:
        yield _by_bench(bench, Talk if kind == "haproxy" else Download)


@contextmanager
def firewall(_: str, folder: Path) -> Iterator[Place]:
    need(not firewall_missing(), f"{firewall_missing()} is not installed")
    with LabNginx(folder / "server", firewall=True) as lab:
        yield _by_bench(Bench("nginx", lab), Download)


def _by_bench(bench: Bench, stream: Callable[[Door], NoStream]) -> Place:
    if stream is Download:
        stream_file(bench.lab.folder / PAGES)
    swap = of_target(bench, SHOP, bench.target, bench.by_name(SHOP).id)
    return Place(Door(bench.lab.port, SHOP), swap, stream)


def stream_file(pages: Path) -> None:
    with (pages / "stream").open("wb") as file:
        file.truncate(swapping.STREAM)


@contextmanager
def pem(_: str, folder: Path) -> Iterator[Place]:
    """Two files of an nginx, and the command that reloads it."""
    need(LabNginx.program() is not None, "nginx is not installed")
    with LabNginx(folder / "server") as lab:
        stream_file(lab.folder / PAGES)
        program, path = str(LabNginx.program()), str(lab.folder / TLS / "site2.crt")
        reload = [*lab.command(program), "-s", "reload"]
        files = {"path": path, "key_path": str(Path(path).with_suffix(".key"))}
        options = {**files, "listeners": [lab.server], "reload": reload}
        outside = Outside(folders=(lab.folder,), programs=(Path(program),), seconds=30)
        swap = of_target(Bench("pem", lab), SHOP, lambda: registry.connect("pem", options, outside), path)
        yield Place(Door(lab.port, SHOP), swap, Download)


@contextmanager
def host(kind: str, folder: Path) -> Iterator[Place]:
    """An nginx of a host, by its agent or by SSH."""
    need(LabNginx.program() is not None, "nginx is not installed")
    with hosts.a_host(folder / "host") as one:
        agent.prepare(one.place)
        with hosts.nginx_of(one) as lab:
            stream_file(lab.folder / PAGES)
            door = Door(lab.port, hosts.NAME)
            if kind == "agent":
                yield Place(door, lambda made: by_agent(one, made), Download)
                return
            with sshd.serving(folder / "sshd", one) as server:
                outside = Outside(seconds=60, allow_networks=LOOPBACK)
                connect = lambda: registry.connect("ssh", server.options(), outside)  # noqa: E731
                swap = of_target(Bench("ssh", lab), hosts.NAME, connect, "shop")
                yield Place(door, swap, Download)


def by_agent(one: hosts.Host, made: Made) -> None:
    """The agent's whole transaction, with a certificate for a key that it made before."""
    place, bundle = one.place, made.bundle
    agent.write(place.folder / "keys" / f"{bundle.fingerprint_sha1}.key", bundle.key.encode())
    work = {"step": "1-1", "place": "shop", "certificate": bundle.leaf, "chain": bundle.chain}
    done = agent.perform({"work": work}, {"shop": place}, agent.Journal(one.state))
    assert done["ok"], done


@contextmanager
def filed(kind: str, _: Path) -> Iterator[Place]:
    """Postfix, PostgreSQL, Tomcat with either keystore, Envoy."""
    with MAKERS[kind]() as server:
        first = {"postfix": swapping.smtp, "postgresql": swapping.postgresql}
        streams: dict[str, type[NoStream]] = {"postfix": Mail, "postgresql": Session, "envoy": Talk}
        if isinstance(server, RealTomcat):
            stream_file(server.pages)
        door = Door(server.port, placed.NAME, first.get(kind, swapping.nothing))

        def swap(made: Made) -> None:
            run(target(server).install(str(server.file), made.bundle))
            assert serves(server, made)

        yield Place(door, swap, streams.get(kind, Download))


@contextmanager
def caddy(_: str, __: Path) -> Iterator[Place]:
    """In a kernel that hands connections over when Caddy, by each change, takes another listening socket."""
    need(Path("/usr/bin/caddy").exists(), "caddy is not installed")
    with own_network(tcp_migrate_req="1") as own:
        need(own, "no network of its own can be made that has tcp_migrate_req")
        with placed.RealCaddy() as server:
            yield _by_caddy(server)


def _by_caddy(server: placed.RealCaddy) -> Place:
    stream_file(server.folder)
    outside = Outside(seconds=30, allow_networks=LOOPBACK)
    connect = lambda: registry.connect("caddy", server.options, outside)  # noqa: E731
    swap = of_target(Bench("caddy", server), placed.NAME, connect, "tag:site")
    return Place(Door(server.port, placed.NAME), swap, Download)


WAYS = {
    **dict.fromkeys(("haproxy", "nginx", "apache"), web),
    **dict.fromkeys(("ssh", "agent"), host),
    **dict.fromkeys(("postfix", "postgresql", "pkcs12", "jks", "envoy"), filed),
    "waf": firewall,
    "pem": pem,
    "caddy": caddy,
}


@contextmanager
def opened_place(kind: str) -> Iterator[Place]:
    """In a folder that the server's own user can read."""
    folder = Path(tempfile.mkdtemp(prefix="certdesk-swaps-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with WAYS[kind](kind, folder) as place:
            yield place
    finally:
        shutil.rmtree(folder)
