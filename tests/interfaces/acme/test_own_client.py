"""Our own ACME client against our own ACME server: binding, order, ARI, replacement, rollover."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from django.test import Client

from certdesk.connectors import http
from certdesk.connectors.http import Fetched, Sent
from certdesk.connectors.issuers import registry
from certdesk.connectors.issuers.acme.issuer import Acme
from certdesk.connectors.issuers.acme.memory import Memory
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import IssuerConnector, Order, OrderState, Wanted
from certdesk.foundation.common import clock
from tests.support.issuer_kinds import tasks_by, wanted

if TYPE_CHECKING:
    from tests.support.acme_house import House

OUTSIDE = Outside(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),))


T = TypeVar("T")


class Line:
    """The wire leads into this process: the views answer in the test's own thread, where its database is."""

    def __init__(self) -> None:
        self._browser = Client(headers={"host": "localhost"})
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    async def fetch(self, url: str, *, sent: Sent, **_: Any) -> Fetched:
        found: Future[Fetched] = Future()
        self._calls.put(lambda: found.set_result(self._answered(url, sent)))
        return await asyncio.wrap_future(found)

    def _answered(self, url: str, sent: Sent) -> Fetched:
        kind = sent.headers.get("Content-Type", "text/plain")
        found = self._browser.generic(sent.method, urlsplit(url).path, sent.body, content_type=kind)
        named = tuple((name.lower(), value) for name, value in found.headers.items())
        return Fetched(found.status_code, named, found.content, url, "127.0.0.1", ())

    def run(self, work: Awaitable[T]) -> T:
        async def inside() -> T:
            return await work

        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(asyncio.run, inside())
            done.add_done_callback(lambda _: self._calls.put(None))
            while (call := self._calls.get()) is not None:
                call()
            return done.result()


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    made = Line()
    monkeypatch.setattr(http, "fetch", made.fetch)
    return made


@pytest.fixture
def options(house: "House") -> dict[str, Any]:
    key_id, mac_key = house.credential()
    given = {
        "directory_url": "http://localhost/acme/directory",
        "eab_key_id": key_id,
        "eab_hmac_key": mac_key,
    }
    return registry.read_options("acme", given).stored()


def connected(options: dict[str, Any]) -> Acme:
    found: Any = registry.read_options("acme", options)
    return Acme(found, OUTSIDE, Memory())


def issued(house: "House", line: Line, connector: IssuerConnector, order: Wanted) -> Order:
    placed = line.run(connector.place(order))
    tasks = tasks_by(placed, "dns-01")
    for one in tasks:
        house.desk.dns.set(one.where, one.record_type, [one.value])
    found = line.run(connector.proceed(order, placed.handle, tuple(one.id for one in tasks)))
    for _ in range(5):
        if found.state is OrderState.ISSUED:
            break
        house.desk.run()
        found = line.run(connector.poll(order, placed.handle))
    assert found.state is OrderState.ISSUED, found
    return found


def test_issued_replaced_and_revoked(house: "House", line: Line, options: dict[str, Any]) -> None:
    connector = connected(options)
    assert line.run(connector.test()).ok
    assert connector.capabilities.advises
    first = issued(house, line, connector, wanted("first", "www.example.com"))
    told = line.run(connector.advice(first.chain[0]))
    held = x509.load_der_x509_certificate(first.chain[0])
    assert held.not_valid_before_utc < told.start < told.end < held.not_valid_after_utc
    assert told.retry_after == 6 * 3600
    again = wanted("second", "www.example.com", replaces=first.chain[0], predecessor=first.handle)
    second = issued(house, line, connector, again)
    assert second.chain[0] != first.chain[0]
    # a server refuses to replace one that has a successor: then it is ordered without it
    third = wanted("third", "www.example.com", replaces=first.chain[0], predecessor=first.handle)
    assert issued(house, line, connector, third).chain[0] != second.chain[0]
    for _ in range(2):
        line.run(connector.revoke(second.chain[0], second.handle, 4))
    assert line.run(connector.advice(second.chain[0])).end < clock.real_now()  # at once


def test_a_profile(house: "House", line: Line, options: dict[str, Any]) -> None:
    connector = connected(options)
    _, told = line.run(connector.test()).notes
    profile = told.removesuffix(".").rpartition(" ")[2]
    order = wanted("p", "www.example.com", product=profile)
    placed = line.run(connected(options).place(order))
    assert placed.state is OrderState.TASKS
