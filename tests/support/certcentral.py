"""An applicant at a simulated CertCentral: the lab's CA, DNS and mail servers, and orders to place there."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any, TypeVar

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.connectors.issuers import registry
from certdesk.connectors.issuers.certcentral.issuer import CertCentral
from certdesk.connectors.issuers.certcentral.options import CertCentralOptions
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import IssuerConnector, Order, OrderState, Task, Wanted
from certdesk.lab.ca.server import LabCa
from certdesk.lab.dns_server import LabDns
from certdesk.lab.smtp_server import LabSmtp
from certdesk.pki.x509 import keys
from certdesk.pki.x509.csr_making import make_csr

T = TypeVar("T")
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
NAME = "www.example.test"
COMPANY = {"name": "Example Ltd", "country": "DE", "province": "Berlin", "city": "Berlin"}
STREET = {"organization_street": "Example Street 1", "organization_zip": "10115"}
CONTACT = {"name": "Alice Example", "email": "alice@example.test", "phone": "+49 30 123"}
BOSS = "Bob Boss <bob@example.test>"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class Clock:
    """The CA's own clock; it passes when told to."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def passes(self, days: float) -> None:
        self.at += timedelta(days=days)


@cache
def _csr(number: int, names: tuple[str, ...]) -> bytes:
    pem = make_csr(ec.generate_private_key(ec.SECP256R1()), names, {})
    return x509.load_pem_x509_csr(pem.encode()).public_bytes(Encoding.DER)


@dataclass
class Counter:
    """One account's lab. `given`: options beside address and key."""

    ca: LabCa
    dns: LabDns
    clock: Clock
    http: httpx.Client
    given: dict[str, Any] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def issuer(self, seconds: float = 10.0, **changed: Any) -> IssuerConnector:
        options = {"server_url": self.ca.url, "api_key": self.ca.key, **STREET, **self.given, **changed}
        outside = Outside(seconds=seconds, allow_networks=LOOPBACK)
        read = registry.read_options("certcentral", options)
        assert isinstance(read, CertCentralOptions)
        return CertCentral(read, outside, self.clock.now)

    def wanted(self, *names: str, level: str = "DV", key: int = 0, **changed: Any) -> Wanted:
        names = names or (NAME,)
        made = Wanted(
            reference=f"order-{next(self.numbers)}",
            csr=_csr(key, names),
            names=names,
            level=level,
            not_after=self.clock.at + timedelta(days=90),
            organization={} if level == "DV" else COMPANY,
            contact=CONTACT,
        )
        return replace(made, **changed)

    def prove(self, tasks: tuple[Task, ...]) -> tuple[str, ...]:
        """Sets up every task for the DNS."""
        for task in tasks:
            value = f"{task.value}." if task.record_type == "CNAME" else task.value
            self.dns.set(task.where, task.record_type, [value])
        return tuple(task.id for task in tasks)

    def issued(self, wanted: Wanted, **changed: Any) -> Order:
        issuer = self.issuer(**changed)
        order = placed_at(issuer, wanted)
        return run(issuer.proceed(wanted, order.handle, self.prove(order.tasks)))

    def control(self, method: str, path: str, body: object = None) -> Any:
        answer = self.http.request(method, f"{self.ca.url}/lab/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self) -> Any:
        return self.control("GET", "state")

    def vet(self, status: str = "active") -> None:
        for one in self.state()["organizations"]:
            self.control("PUT", f"organizations/{one['id']}", {"status": status})


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


def placed_at(issuer: IssuerConnector, wanted: Wanted) -> Order:
    """An order as it is at the first look at it, which is a call of its own."""
    placed = run(issuer.place(wanted))
    assert (placed.state, bool(placed.retry_after), placed.tasks) == (OrderState.WORKING, True, ())
    return run(issuer.poll(wanted, placed.handle))


def leaf(order: Order) -> x509.Certificate:
    return x509.load_der_x509_certificate(order.chain[0])


def has_key_of(order: Order, wanted: Wanted) -> bool:
    asked = x509.load_der_x509_csr(wanted.csr).public_key()
    return keys.spki_sha256(leaf(order).public_key()) == keys.spki_sha256(asked)


@contextmanager
def counter(*, mail: LabSmtp | None = None, **given: Any) -> Iterator[Counter]:
    """`given`: what `LabCa` takes."""
    clock = Clock()
    post = f"{mail.address}:{mail.port}" if mail else ""
    with (
        httpx.Client(timeout=10) as http,
        LabDns() as dns,
        LabCa(resolver=dns.server, mail=post, now=clock.now, **given) as ca,
    ):
        yield Counter(ca, dns, clock, http)
