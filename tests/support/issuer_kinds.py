"""The kinds of CAs as the conformance suite needs them: a server each, and a look behind its counter.

CertCentral is simulated by the lab; the others are real.
"""

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.connectors.issuers import registry
from certdesk.connectors.issuers.acme import keys
from certdesk.connectors.issuers.acme.issuer import Acme
from certdesk.connectors.issuers.acme.memory import Memory
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import IssuerConnector, Order, OrderState, Task, Wanted
from certdesk.interfaces.cli.installation import free_port
from certdesk.lab.dns_server import LabDns
from certdesk.pki.x509 import certificates
from tests.support import acme2certifier, acme_between, certcentral, pebble, vault_pki
from tests.support.jose import csr

T = TypeVar("T")
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
OUTSIDE = Outside(seconds=20, allow_networks=LOOPBACK)
OPEN = (OrderState.TASKS, OrderState.WORKING)
PATIENCE = 60.0


@dataclass(frozen=True)
class Bench:
    """A running CA of one kind.

    Attributes:
        connect: the connector, as in a process that has just started.
        stranger: one whose account the CA does not know.
        nowhere: one whose CA does not run.
        method: by which tasks are set up; empty where the CA asks for nothing.
        set_up: does what a task asks for.
        issued: how many certificates the CA gave out for exactly these names.
        is_revoked: whether the CA itself holds a certificate (DER) for revoked.
        cancels: an order that was withdrawn is over at the CA too.
        finds: an order that was placed and lost is found by its reference.
        refuses: an order whose names are not proved is refused; else it stays open.
        told_later: what is asked for is told at the first look, not with the answer to the order.
        at_once: the answer to the order is the certificate, so there is nothing to take back.
    """

    connect: Callable[[], IssuerConnector]
    stranger: Callable[[], IssuerConnector]
    nowhere: Callable[[], IssuerConnector]
    set_up: Callable[[Task], None]
    issued: Callable[[tuple[str, ...]], int]
    is_revoked: Callable[[bytes], bool]
    method: str = "dns-01"
    cancels: bool = True
    finds: bool = True
    refuses: bool = True
    told_later: bool = False
    at_once: bool = False


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


def wanted(reference: str, *names: str, key: Any = None, **more: Any) -> Wanted:
    """An order of ours, with a key of its own where none is given."""
    held = key or ec.generate_private_key(ec.SECP256R1())
    end = datetime.now(UTC) + timedelta(days=60)
    return Wanted(reference, csr(*names, key=held), names, "DV", end, **more)


def tasks_by(order: Order, method: str) -> list[Task]:
    return [one for one in order.tasks if one.method == method and not one.done]


async def asked_for(bench: Bench, connector: IssuerConnector, order: Wanted, placed: Order) -> Order:
    """An order that was placed, with what the CA asks for."""
    return await connector.poll(order, placed.handle) if bench.told_later else placed


async def proved(bench: Bench, connector: IssuerConnector, order: Wanted, placed: Order) -> Order:
    """Sets up what is asked for, and says so."""
    tasks = tasks_by(await asked_for(bench, connector, order, placed), bench.method)
    for one in tasks:
        bench.set_up(one)
    return await connector.proceed(order, placed.handle, tuple(one.id for one in tasks))


async def ended(connector: IssuerConnector, order: Wanted, found: Order) -> Order:
    """Asks until the CA has made up its mind, no sooner than it wants to be asked."""
    until = time.monotonic() + PATIENCE
    while found.state in OPEN and time.monotonic() < until:
        await asyncio.sleep(found.retry_after or 0)
        found = await connector.poll(order, found.handle)
    return found


async def whole(bench: Bench, connector: IssuerConnector, order: Wanted) -> Order:
    """From the order to its end."""
    placed = await connector.place(order)
    return await ended(connector, order, await proved(bench, connector, order, placed))


def acme_options(directory: str, ca: str, **more: Any) -> dict[str, Any]:
    """As the register keeps them: the account key was made."""
    given = {"directory_url": directory, "ca": ca, "terms_agreed": True, **more}
    return registry.read_options("acme", given).stored()


def acme(options: dict[str, Any], memory: Memory | None = None) -> Acme:
    """As in a process of its own."""
    found: Any = registry.read_options("acme", options)
    return Acme(found, OUTSIDE, memory or Memory())


@contextmanager
def _acme(folder: Path) -> Iterator[Bench]:
    with pebble.running(folder) as server, acme_between.standing(server) as front:
        ca = server.identity.pem
        options = acme_options(front.directory, ca)
        gone = f"https://127.0.0.1:{free_port()}/dir"
        yield Bench(
            connect=lambda: acme(options),
            stranger=lambda: acme({**options, "account_key": keys.make()}),
            nowhere=lambda: acme(acme_options(gone, ca)),
            set_up=server.set_up,
            issued=lambda names: sum(set(one) == set(names) for one in front.finalized.values()),
            is_revoked=lambda der: server.status_of(der)["Status"] == "Revoked",
            cancels=False,
            finds=False,
        )


@contextmanager
def _acme2certifier(folder: Path) -> Iterator[Bench]:
    """Another ACME server, by other people: what it does otherwise than Pebble is what clients meet."""
    with LabDns() as dns, acme2certifier.running(folder, dns) as server:
        assert server.identity is not None
        ca = server.identity.pem
        options = acme_options(server.directory, ca, email="ada@example.com")  # it makes no account without
        gone = f"https://127.0.0.1:{free_port()}/directory"
        yield Bench(
            connect=lambda: acme(options),
            stranger=lambda: acme({**options, "account_key": keys.make()}),
            nowhere=lambda: acme(acme_options(gone, ca)),
            set_up=server.set_up,
            issued=lambda names: sum(set(one) == set(names) for one in server.issued()),
            is_revoked=lambda der: x509.load_der_x509_certificate(der).serial_number in server.revoked(),
            cancels=False,
            finds=False,
        )


@contextmanager
def _vault(folder: Path) -> Iterator[Bench]:
    with vault_pki.engine() as made:

        def kept() -> list[dict[str, Any]]:
            return [made.send("GET", f"pki/cert/{one}") for one in made.stored()]

        def names_of(row: dict[str, Any]) -> set[str]:
            return set(certificates.facts(_der(row)).names)

        yield Bench(
            connect=made.issuer,
            stranger=lambda: made.issuer(token="a-token-of-nobody"),
            nowhere=lambda: made.issuer(server_url=f"http://127.0.0.1:{free_port()}"),
            set_up=lambda _: None,
            issued=lambda names: sum(names_of(one) == set(names) for one in kept()),
            is_revoked=lambda der: any(_der(one) == der and one["revocation_time"] for one in kept()),
            method="",
            at_once=True,
        )


def _der(row: dict[str, Any]) -> bytes:
    return x509.load_pem_x509_certificate(row["certificate"].encode()).public_bytes(Encoding.DER)


@contextmanager
def _certcentral(folder: Path) -> Iterator[Bench]:
    with certcentral.counter() as desk:
        desk.clock.at = datetime.now(UTC)

        def set_up(task: Task) -> None:
            desk.prove((task,))

        def issued(names: tuple[str, ...]) -> int:
            ordered = [one for one in desk.state()["orders"] if set(one["names"]) == set(names)]
            return sum(one["status"] == "issued" for one in ordered)

        def is_revoked(der: bytes) -> bool:
            crl = x509.load_der_x509_crl(desk.http.get(f"{desk.ca.url}/lab/crl.der").content)
            number = x509.load_der_x509_certificate(der).serial_number
            return crl.get_revoked_certificate_by_serial_number(number) is not None

        yield Bench(
            connect=desk.issuer,
            stranger=lambda: desk.issuer(api_key="a-key-of-nobody"),
            nowhere=lambda: desk.issuer(server_url=f"http://127.0.0.1:{free_port()}"),
            set_up=set_up,
            issued=issued,
            is_revoked=is_revoked,
            refuses=False,
            told_later=True,
        )


KINDS: dict[str, Callable[[Path], AbstractContextManager[Bench]]] = {
    "acme": _acme,
    "acme2certifier": _acme2certifier,
    "certcentral": _certcentral,
    "vault": _vault,
}
