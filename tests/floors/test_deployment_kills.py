"""kill -9 of the worker at random moments of deployments: old or new is served, and all comes right."""

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from certdesk.interfaces.cli.client import Client
from certdesk.interfaces.cli.installation import Installation
from certdesk.lab.dns_server import LabDns
from certdesk.lab.elb import LabElb, haproxy
from certdesk.lab.nginx import LabNginx
from tests.support import invariants, prepared
from tests.support.crowd import PRODUCT, C, Crowd
from tests.support.deployment_faults import Visitor
from tests.support.needs import need

pytestmark = [pytest.mark.server, pytest.mark.slow]
NAME = "kill-shop.com"
KILLS = 25 if os.environ.get("CERTDESK_SIZE") == "full" else 3
WITHIN = 60.0
LATEST = 2.0
"""Seconds after the request in which the kill falls: a deployment takes about one."""


def until(fact: Callable[[], object], seconds: float, what: Callable[[], str]) -> None:
    began = time.monotonic()
    while not fact():
        assert time.monotonic() - began < seconds, what()
        threading.Event().wait(0.05)


def work(home: Installation) -> None:
    """A worker that works."""
    before = home.log.read_bytes().count(b"worker started") if home.log.exists() else 0
    home.start("worker")
    until(lambda: home.log.read_bytes().count(b"worker started") > before, 60, home.log_end)


def connect(client: Client, kind: str, options: dict[str, Any]) -> str:
    """The target's binding for `NAME`."""
    service = "ELB" if kind == "haproxy" else "WAF"
    body = {"service": service, "kind": kind, "region": "here", "options": options}
    target = client.post("/v3/scm/targets", body)["id"]
    found = client.post(f"/v3/scm/targets/{target}/discover")["bindings"]
    return next(str(one["id"]) for one in found if one["names"] == [NAME])


def deploy(home: Installation, key: dict[str, str], certificate: str, places: dict[str, str]) -> None:
    """Both places are asked for; nobody waits for the answers."""
    with closing(Client(home.url, key["access_key"], key["secret_key"], timeout=60)) as client:
        for service, binding in places.items():
            body = {"service_name": service, "project_name": "here", "resources": [{"id": binding}]}
            client.post(f"{C}/{certificate}/deploy", body)


def test_old_or_new_is_served_whenever_the_manager_is_killed(tmp_path: Path) -> None:
    need(haproxy() is not None and LabNginx.program() is not None, "haproxy or nginx is not installed")
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    sites = ((NAME,), ("other.example.com",))
    folders = [tmp_path / "haproxy", tmp_path / "nginx"]
    reach = {"target_folders": ",".join(map(str, folders)), "allow_networks": "127.0.0.0/8"}
    with ExitStack() as stack:
        dns = stack.enter_context(LabDns())
        elb = stack.enter_context(LabElb(folders[0], sites, real=True))
        nginx = stack.enter_context(LabNginx(folders[1], sites))
        home = stack.enter_context(
            Installation(tmp_path / "home", dns_resolvers=dns.server, workers="1", look_seconds="15", **reach)
        )
        home.environment.pop("COVERAGE_PROCESS_CONFIG", None)  # killed processes have nothing to tell it
        data = Path(home.environment["CERTDESK_DATA"])
        key = prepared.set_up(home)
        home.start("web")
        home.wait_ready()
        work(home)
        crowd = Crowd(home.url, key, dns, NAME)
        client = stack.enter_context(closing(crowd.client()))
        crowd.prove(client)
        made = [issue(client) for _ in range(2)]
        places = {
            "ELB": connect(client, "haproxy", elb.options),
            "WAF": connect(client, "nginx", nginx.options),
        }

        def right(certificate: str) -> bool:
            query = "SELECT deployment, certificate_id, served_certificate_id FROM deployment_binding"
            rows = invariants.rows(data, f"{query} WHERE id IN {tuple(places.values())}")
            return set(rows) == {("DEPLOYED", certificate, certificate)}

        def told() -> str:
            columns = "state, verdict, reason, attempts"
            steps = list(invariants.rows(data, f"SELECT {columns} FROM deployment_step ORDER BY id"))[-4:]
            return f"seed {seed}: {steps} {home.log_end()}"

        deploy(home, key, made[0], places)
        until(lambda: right(made[0]), WITHIN, told)
        visitors = [stack.enter_context(Visitor(one.port, NAME).visiting()) for one in (elb, nginx)]
        allowed = {one.visit() for one in visitors}
        assert len(allowed) == 1
        for _ in range(KILLS):
            made.reverse()
            asking = threading.Thread(target=deploy, args=(home, key, made[0], places))
            asking.start()
            threading.Event().wait(dice.uniform(0.0, LATEST))
            home.kill("worker")
            work(home)
            asking.join()
            until(lambda: right(made[0]), WITHIN, told)
            now = {one.visit() for one in visitors}
            assert len(now) == 1, told()
            allowed |= now
        for one in visitors:
            assert one.refused == [], told()
            assert one.seen <= allowed
        assert len(allowed) == 2
        for lab in (elb, nginx):
            lab.stop()
            lab.start()
        assert {one.visit() for one in visitors} == now


def issue(client: Client) -> str:
    made = client.post(f"{C}/issue", {**PRODUCT, "domain": NAME, "key_algorithm": "EC_P256"})
    return str(made["cert_id"])
