"""kill -9 of a host's agent, or of the desk that it asks, at random moments: old or new is served, and the
host ends with the new one, reported once."""

import hashlib
import os
import random
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from certdesk.agents import host as agent
from certdesk.interfaces.cli.client import Client
from certdesk.interfaces.cli.installation import Installation, free_port
from certdesk.lab.dns_server import LabDns
from certdesk.lab.nginx import LabNginx
from tests.support import prepared
from tests.support.crowd import PRODUCT, C, Crowd
from tests.support.deployment_faults import Visitor
from tests.support.hosts import NAME, Host, a_host, kill, nginx_of
from tests.support.needs import need

pytestmark = [pytest.mark.server, pytest.mark.slow]
KILLS = 25 if os.environ.get("CERTDESK_SIZE") == "full" else 2
LATEST = 1.5
"""Seconds after the agent's start in which the kill falls: its whole turn takes about one."""
TRIES = 30


def enrol(host: Host, client: Client, url: str) -> None:
    code = str(client.post("/v3/scm/agents/enrolment-codes")["code"])
    roots = client.get("/agent/ca")["certificates"].encode()
    pin = hashlib.sha256(roots).hexdigest()
    done, said = host.run("enrol", "--server", url, "--code", code, "--pin", pin)
    assert done == 0, said


def only_place(client: Client) -> dict[str, Any]:
    (found,) = client.get("/v3/scm/agents")["items"]
    (place,) = client.get(f"/v3/scm/agents/{found['id']}")["places"]
    assert isinstance(place, dict)
    return place


def deliver(client: Client, csr: str) -> str:
    """A new certificate for the host's key; its SHA-1."""
    made = client.post(f"{C}/issue", {**PRODUCT, "domain": NAME, "csr": csr})
    return agent.fingerprint(str(made["certificate"]))


def restart(home: Installation) -> None:
    home.start("web")
    home.wait_ready()


def until_deployed(host: Host, client: Client, wanted: str, told: str) -> None:
    """The agent is started again and again, as its service manager does."""
    said = ""
    for _ in range(TRIES):
        _, said = host.run("run", "--once")
        place = only_place(client)
        if (place["deployment"], place["served"]["fingerprint"]) == ("DEPLOYED", wanted):
            return
        threading.Event().wait(0.2)
    pytest.fail(f"{told}: {only_place(client)} {said}")


def test_old_or_new_is_served_whenever_the_agent_or_the_desk_is_killed(tmp_path: Path) -> None:
    # rule: DEP-6
    need(LabNginx.program() is not None, "nginx is not installed")
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    https = f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        dns = stack.enter_context(LabDns())
        more = {"dns_resolvers": dns.server, "https": https, "workers": "1", "look_seconds": "15"}
        home = stack.enter_context(Installation(tmp_path / "home", **more))
        home.environment.pop("COVERAGE_PROCESS_CONFIG", None)  # killed processes have nothing to tell it
        key = prepared.set_up(home)
        home.start()
        home.wait_ready()
        crowd = Crowd(home.url, key, dns, NAME)
        client = stack.enter_context(closing(crowd.client()))
        crowd.prove(client)
        host = stack.enter_context(a_host(tmp_path / "host"))
        enrol(host, client, f"https://{https}")
        lab = stack.enter_context(nginx_of(host))
        host.run("run", "--once")
        (csr,) = only_place(client)["csrs"]
        allowed = {deliver(client, csr)}
        until_deployed(host, client, *allowed, "before any kill")
        visitor = stack.enter_context(Visitor(lab.port, NAME).visiting())
        for number in range(KILLS):
            wanted = deliver(client, csr)
            allowed.add(wanted)
            process = host.start("run", "--once")
            threading.Event().wait(dice.uniform(0.0, LATEST))
            if number % 2:
                home.kill("web")
                process.communicate(timeout=120)
                restart(home)
            else:
                kill(process)
            until_deployed(host, client, wanted, f"seed {seed}, kill {number}")
            assert visitor.visit() == wanted
            assert visitor.refused == [], f"seed {seed}"
        assert visitor.seen <= allowed
        assert not list((host.state / "journal").glob("*.json"))
        lab.stop()
        lab.start()
        assert visitor.visit() == wanted
