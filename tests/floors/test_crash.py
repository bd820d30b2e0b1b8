"""kill -9 of web and worker at random moments under load; nothing acknowledged may be lost or doubled."""

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from certdesk.interfaces.cli.client import Client
from certdesk.interfaces.cli.installation import Installation
from certdesk.lab.dns_server import LabDns
from tests.support import invariants
from tests.support.crowd import C, Crowd, NoAnswer

pytestmark = [pytest.mark.server, pytest.mark.slow]
KILLS = 50 if os.environ.get("CERTDESK_SIZE") == "full" else 8
SETTLED_WITHIN = 10.0
ISSUED_WITHIN = 120.0
JOURNAL = Path(__file__).parents[1] / "support" / "journal"


def until(fact: Callable[[], object], seconds: float, what: Callable[[], str]) -> float:
    """Seconds until the fact held."""
    began = time.monotonic()
    while not fact():
        assert time.monotonic() - began < seconds, what()
        threading.Event().wait(0.05)
    return time.monotonic() - began


def start(home: Installation, *names: str) -> None:
    """Starts and waits until web answers and the worker works."""
    before = home.log.read_bytes().count(b"worker started") if home.log.exists() else 0
    home.start(*names)
    home.wait_ready()
    if "worker" in names:
        until(lambda: home.log.read_bytes().count(b"worker started") > before, 60, home.log_end)


def kill_at_random(home: Installation, crowd: Crowd, dice: random.Random) -> str:
    """Kills web, worker or both in the middle of the load and starts them again."""
    victims = dice.choice([("web",), ("worker",), ("web", "worker"), ("web", "worker")])
    crowd.stop.wait(dice.uniform(0.05, 1.5))
    home.kill(*victims)
    start(home, *victims)
    return "+".join(victims)


# rule: ORD-4
# rule: IAM-10
def test_nothing_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    journal = tmp_path / "signatures"
    with (
        ExitStack() as opened,
        LabDns() as dns,
        Installation(tmp_path / "home", dns_resolvers=dns.server, workers="2") as home,
    ):
        path = os.pathsep.join(filter(None, [str(JOURNAL), os.environ.get("PYTHONPATH")]))
        home.environment |= {"PYTHONPATH": path, "SIGNER_JOURNAL": str(journal)}
        home.environment.pop("COVERAGE_PROCESS_CONFIG", None)  # killed processes have nothing to tell it
        data = Path(home.environment["CERTDESK_DATA"])
        key = home.set_up("100000000")
        start(home, "web", "worker")
        crowd = Crowd(home.url, key, dns, "crash-shop.com")
        client = opened.enter_context(closing(crowd.client()))
        crowd.prove(client)
        dice = random.Random(seed)
        with crowd:
            killed = [kill_at_random(home, crowd, dice) for _ in range(KILLS)]
            crowd.stop.wait(dice.uniform(0.05, 1.0))
            home.kill("web", "worker")
        left = invariants.left_open(data)
        start(home, "web", "worker")
        settled = until(
            lambda: not any(invariants.left_open(data).values()),
            SETTLED_WITHIN,
            lambda: f"{invariants.left_open(data)} left; seed {seed}; {home.log_end()}",
        )
        answered = answer_pending(crowd, client)
        issued = all_issued(crowd, data)
        print(  # noqa: T201  # the figures of the run
            f"\nseed {seed}: {len(killed) + 1} kills, {crowd.log.lost_connections} requests cut off,"
            f" {len(crowd.log.answers)} answered ({answered} of them after the last start),"
            f" {len(invariants.journalled(journal))} signatures,"
            f" {len(crowd.log.certificates)} certificates acknowledged at once,"
            f" {len(crowd.log.expected)} by workers; left at the last start {left},"
            f" settled {settled:.1f} s after it, all issued {issued:.1f} s later"
        )
        assert not crowd.log.refused, crowd.log.refused[:5]
        assert invariants.unrecorded(data, journal) == set()
        assert invariants.certificate_faults(data) == []
        assert invariants.ledger_faults(data) == []
        check_orders(crowd, client)
        check_certificates(crowd, client, data)
        check_repeats(crowd, client, data)
        assert home.run("verify-issued")["problems"] == []
        assert home.run("audit", "verify")["problems"] == []


def answer_pending(crowd: Crowd, client: Client) -> int:
    """Sends again what got no answer; each gets one now. How many there were."""
    pending = list(crowd.log.pending.items())

    def try_all() -> bool:
        for key, (path, body) in list(crowd.log.pending.items()):
            try:
                crowd.keyed(client, path, body, key)
            except NoAnswer:
                continue
        return not crowd.log.pending

    until(try_all, 60, lambda: f"{len(crowd.log.pending)} keys without an answer: {crowd.log.pending}"[:2000])
    return len(pending)


def all_issued(crowd: Crowd, data: Path) -> float:
    """Every certificate whose application was acknowledged and whose records stand is issued in the end."""

    def waiting() -> dict[str, str]:
        states = dict(invariants.rows(data, "SELECT id, state FROM certificates_certificate"))
        return {one: states[one] for one in crowd.log.expected if states[one] != "ISSUED"} | {
            one: state for one, state in states.items() if state == "ISSUING"
        }

    return until(lambda: not waiting(), ISSUED_WITHIN, lambda: f"not issued: {waiting()}")


def check_orders(crowd: Crowd, client: Client) -> None:
    for order, certificates in crowd.log.orders.items():
        shown = client.get(f"/v3/scm/orders/{order}")
        if certificates:
            assert (shown["state"], sorted(shown["cert_ids"])) == ("PAID", sorted(certificates))


def check_certificates(crowd: Crowd, client: Client, data: Path) -> None:
    signed = {
        serial
        for (serial,) in invariants.rows(data, "SELECT serial FROM authority_intent WHERE state = 'SIGNED'")
    }
    assert crowd.log.serials <= signed
    for certificate_id, (leaf, chain) in crowd.log.certificates.items():
        exported = client.post(f"{C}/{certificate_id}/export")
        assert (exported["certificate"], exported["certificate_chain"]) == (leaf, chain)


def check_repeats(crowd: Crowd, client: Client, data: Path) -> None:
    """The same key gives the same answer and moves no money."""
    orders = invariants.count(data, "SELECT count(*) FROM orders_order")
    entries = invariants.count(data, "SELECT count(*) FROM orders_entry")
    for key, (path, body, answer) in list(crowd.log.answers.items())[:: max(1, len(crowd.log.answers) // 40)]:
        assert crowd.once(client, "POST", path, body, key) == answer
    assert invariants.count(data, "SELECT count(*) FROM orders_order") == orders
    assert invariants.count(data, "SELECT count(*) FROM orders_entry") == entries
