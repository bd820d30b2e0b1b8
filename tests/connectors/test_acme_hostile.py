"""The ACME client against a hostile server: each order ends right or cleanly failed, and never twice.

A front before Pebble gives faults by a seeded die: refused nonces (a quarter of them, by Pebble itself),
429 and 503 with `Retry-After`, 500, connections cut before and after the server has acted, slow issuance,
a foreign chain and a certificate for another key. Processes die and forget. Time is the test's own.
"""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.connectors.issuers.acme import chains
from certdesk.connectors.issuers.protocol import (
    IssuerConnector,
    IssuerError,
    Order,
    OrderState,
    Wanted,
)
from certdesk.pki.x509.certificates import chain_to_pem, facts
from tests.support import acme_between, pebble, tls
from tests.support.acme_between import CUT, Between, Reply, problem
from tests.support.issuer_kinds import Memory, acme, acme_options, tasks_by, wanted
from tests.support.pebble import Pebble

pytestmark = pytest.mark.server
ORDERS = 100 if os.environ.get("CERTDESK_SIZE") == "full" else 15
SEED = 20261126
_MOST_STEPS = 400
_DIES = 0.1
_DECK = 30
_SPOILT = ("chain", "key")


@dataclass
class Hostile:
    """The faults. `spoilt`: name → how its certificate is spoilt, each time that it is fetched."""

    die: random.Random
    now: list[float]
    spoilt: dict[str, str]
    told: Counter[str] = field(default_factory=Counter)
    _decks: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    _slow: dict[str, int] = field(default_factory=dict)

    def before(self, method: str, path: str) -> Reply | str | None:
        if method != "POST":
            return None
        return self._drawn(
            {
                "429": lambda: problem(429, "rateLimited", "too many", str(self.die.randint(1, 30))),
                "503": lambda: problem(503, "serverInternal", "busy", str(self.die.randint(1, 30))),
                "500": lambda: problem(500, "serverInternal", "broken"),
                "cut before": lambda: CUT,
            }
        )

    def _drawn(self, faults: dict[str, Callable[[], Reply | str]]) -> Reply | str | None:
        """From a deck with one of each among blanks: by luck alone, one may be missing for a whole run."""
        deck = self._decks.setdefault(tuple(faults), [])
        if not deck:
            deck += [*faults, *[""] * (_DECK - len(faults))]
            self.die.shuffle(deck)
        name = deck.pop()
        if not name:
            return None
        self.told[name] += 1
        return faults[name]()

    def after(self, method: str, path: str, reply: Reply) -> Reply | str:
        if method != "POST" or reply.status >= 300:
            return reply
        if path.startswith("/certZ/"):
            reply = self._certificate(reply)
        if path.startswith(("/finalize-order/", "/my-order/")):
            reply = self._slowed(path.rpartition("/")[2], reply)
        return self._drawn({"cut after": lambda: CUT}) or reply

    def _slowed(self, order: str, reply: Reply) -> Reply:
        """An order that the server has finished is in work for some more looks."""
        found = reply.object
        if found["status"] != "valid":
            return reply
        left = self._slow.setdefault(order, self.die.randint(0, 2))
        if not left:
            return reply
        self._slow[order] = left - 1
        self.told["slow"] += 1
        body = {**found, "status": "processing"}
        del body["certificate"]
        headers = {**reply.headers, "Retry-After": [str(self.die.randint(1, 20))]}
        return Reply(reply.status, headers, json.dumps(body).encode())

    def _certificate(self, reply: Reply) -> Reply:
        held = [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(reply.body)]
        spoilt = self.spoilt.get(facts(held[0]).names[0], "")
        foreign = tls.make("foreign.example.test")
        if spoilt == "chain":
            held[1] = foreign.intermediate
        if spoilt == "key":
            held = [foreign.leaf, foreign.intermediate]
        self.told[f"spoilt {spoilt}".strip()] += 1
        return Reply(reply.status, reply.headers, chain_to_pem(held).encode())


@dataclass
class Need:
    """One thing wanted, as the pipeline keeps it: what is recorded survives the death of a process."""

    order: Wanted
    handle: str = ""
    state: str = ""
    due: float = 0.0
    found: Order | None = None


@dataclass
class Office:
    """Works the orders off, one step at a time, with the clock put forward to the next that is due."""

    server: Pebble
    options: dict[str, Any]
    now: list[float]
    die: random.Random
    front: Between
    memory: Memory = field(init=False)
    connector: IssuerConnector = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new process knows no wait that was asked of the one before; the server says it again."""
        self.front.forget_waits()
        self.memory = Memory(lambda: self.now[0])
        self.connector = acme(self.options, self.memory)

    async def work(self, needs: list[Need]) -> None:
        for _ in range(_MOST_STEPS * len(needs)):
            open_needs = [one for one in needs if not one.state]
            if not open_needs:
                return
            need = min(open_needs, key=lambda one: one.due)
            self.now[0] = max(self.now[0], need.due)
            await self._step(need)
        pytest.fail("the orders do not come to an end")

    async def _step(self, need: Need) -> None:
        try:
            found = await self._called(need)
        except IssuerError as error:
            if error.permanent:
                need.state = f"failed: {error.reason}"
            need.due = self.now[0] + max(error.retry_after or 0, 1)
            return
        if self.die.random() < _DIES and not need.handle:
            self.restart()  # before the handle is recorded
            return
        need.handle, need.found = found.handle, found
        if found.state not in (OrderState.TASKS, OrderState.WORKING):
            need.state = found.state
        need.due = self.now[0] + max(found.retry_after or 0, 1)

    async def _called(self, need: Need) -> Order:
        if not need.handle:
            return await self.connector.place(need.order)
        tasks = tasks_by(need.found, "http-01") if need.found else []
        if need.found and need.found.state is OrderState.TASKS:
            for one in tasks:
                self.server.set_up(one)
            return await self.connector.proceed(need.order, need.handle, tuple(one.id for one in tasks))
        return await self.connector.poll(need.order, need.handle)


def staged(front: Between, count: int) -> tuple[Hostile, Office, list[Need]]:
    now = [1000.0]
    names = [f"hostile{number}.example.test" for number in range(count)]
    spoilt = {name: _SPOILT[number % 5] for number, name in enumerate(names) if number % 5 < 2}
    hostile = Hostile(random.Random(SEED), now, spoilt)
    front.before, front.after, front.clock = hostile.before, hostile.after, lambda: now[0]
    options = acme_options(front.directory, front.identity.pem)
    office = Office(front.pebble, options, now, random.Random(SEED + 1), front)
    return hostile, office, [Need(wanted(f"need-{name}", name)) for name in names]


def judged(order: Wanted, chain: tuple[bytes, ...]) -> str:
    """How a certificate is spoilt; empty for a good one."""
    if facts(chain[0]).names != order.names:
        return "key"
    return "" if chains.holds(chain, order.csr) else "chain"


def test_each_order_ends_right_or_cleanly_failed_and_never_twice(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    with (
        pebble.running(folder, PEBBLE_WFE_NONCEREJECT="25") as server,
        acme_between.standing(server) as front,
    ):
        hostile, office, needs = staged(front, ORDERS)
        asyncio.run(office.work(needs))
        for need in needs:
            (name,) = need.order.names
            assert need.state == OrderState.ISSUED, (need, front.asked[-5:])
            assert need.found is not None
            # a spoilt one comes as it was sent: whether it is taken is judged by who ordered it
            assert judged(need.order, need.found.chain) == hostile.spoilt.get(name, "")
        assert max(Counter(front.finalized.values()).values()) == 1
        assert len(front.finalized) == len(needs)
        assert front.early == []
        met = {"429", "503", "500", "cut before", "cut after", "slow", "spoilt chain", "spoilt key"}
        assert met <= set(hostile.told)
