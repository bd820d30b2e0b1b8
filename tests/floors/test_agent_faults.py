"""Whatever fails on a host with an agent, at whichever step: its nginx serves the old or the new certificate,
never none, the desk hears why, and the place comes right by itself within a minute of the fault's end."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from certdesk.agents import host as agent
from certdesk.foundation.common import settings
from certdesk.interfaces.public import agents
from certdesk.lab.nginx import LabNginx
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.deployment.models import Binding
from tests.support import deployment_faults as faults
from tests.support import tls
from tests.support.deployment_faults import Fault, Visitor
from tests.support.hand_clock import MINUTE, HandClock
from tests.support.host_world import World, open_world
from tests.support.hosts import NAME, nginx_of
from tests.support.needs import need

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server, pytest.mark.slow]
FULL = os.environ.get("CERTDESK_SIZE") == "full"
STEPS = ("stage", "switch", "until_served", "exchange")
"""Before: anything is written, `current` leads elsewhere, listeners are looked at, the desk is told."""
FAULTS = {
    "reload": "switch",
    "disk": "stage",
    "permission": "switch",
    "pair": "stage",
    "frozen": "until_served",
    "cut": "exchange",
}
"""Each with the step that the small form takes: where it does most harm."""
HARMLESS = {(name, step) for name in FAULTS for step in STEPS[STEPS.index("exchange") :]} | {
    ("reload", "until_served"),
    ("disk", "switch"),
    ("disk", "until_served"),
    ("permission", "until_served"),
}
"""By then it is served and seen, or nothing of it is needed any more (a link takes no room on a disk); the
desk may hear of it later."""
SILENT = {"cut"}
"""While it lasts the desk cannot hear anything."""
LOOK_SECONDS = 10
"""As in a lab: pauses of a third of a second up to 20 s."""
LASTS = 600.0 if FULL else 25.0
"""Seconds of the fault, by the hand clock: in the full form all pauses have grown as long as they get."""
KILOBYTES = 400


class Ended(Exception):
    """The host's process ends: its test has seen enough."""


@dataclass
class Server:
    """The host's nginx, which reads what the agent lays down."""

    world: World
    lab: LabNginx
    clock: HandClock
    fault: Fault = field(default_factory=Fault)

    def state(self) -> str:
        return str(Binding.objects.get().deployment)

    def turns(self, over: Callable[[], bool], seconds: float) -> None:
        """The agent's own loop, with its longest pauses, until it is over or the clock has moved so far."""
        self.clock.moved = 0.0

        def rest(pause: float) -> None:
            if over() or self.clock.moved > seconds:
                raise Ended
            self.clock.move(pause * 1.25)

        agent.rest = rest
        with pytest.raises(Ended):
            agent.run(self.world.host.state, self.world.host.config, once=False)

    def restart(self) -> None:
        self.lab.stop()
        self.lab.start()


@pytest.fixture
def server(
    request: pytest.FixtureRequest, live_server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """The host is enrolled, and its nginx serves a certificate of ours."""
    need(LabNginx.program() is not None, "nginx is not installed")
    need(os.geteuid() == 0, "only root can mount a disk and be another user")
    with ExitStack() as stack:
        if request.node.callspec.params["name"] == "disk":
            mounted = stack.enter_context(faults.small_disk(tmp_path / "host", KILOBYTES))
            need(mounted, "no disk can be mounted")
        world = stack.enter_context(open_world(live_server.url, tmp_path))
        settings.install(settings.get().model_copy(update={"look_seconds": LOOK_SECONDS}))
        monkeypatch.setattr(agent, "rest", agent.rest)
        places = agent.read_places(world.host.config)
        agent.enrol(world.host.state, world.front.url, world.code(), agents.pin(), places)
        lab = stack.enter_context(nginx_of(world.host))
        made = Server(world, lab, HandClock(monkeypatch))
        made.turns(lambda: True, 0)
        deliver(made)
        made.turns(lambda: made.state() == "DEPLOYED", MINUTE)
        assert made.state() == "DEPLOYED"
        stack.callback(lambda: made.fault.over())
        yield made


def deliver(server: Server) -> str:
    """A new certificate is there for the host; its SHA-1."""
    made = server.world.issue(str(server.world.place()["csrs"][0]))
    return str(Version.objects.get(certificate_id=made).fingerprint_sha1)


def watch(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault sees every step of the agent; waiting for what is frozen is short."""
    fault = server.fault

    def stepped(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any) -> Any:
            fault.reached(name)
            agent.LOOK_SECONDS = agent.PATIENCE = 0.5 if fault.on else 10.0  # a slow machine is no fault
            return real(*arguments)

        return step

    for name in ("stage", "switch", "until_served"):
        monkeypatch.setattr(agent, name, stepped(name, getattr(agent, name)))
    perform, exchange = agent.perform, agent.Desk.exchange

    def performed(*arguments: Any) -> Any:
        with fault.around():
            return perform(*arguments)

    def exchanged(desk: agent.Desk, message: dict[str, Any]) -> Any:
        if message["results"]:
            fault.reached("exchange")
            fault.leave()
        answer = exchange(desk, message)
        if answer["work"]:
            fault.reached("stage")
            fault.leave()
        more = [fault.bundle(work) if fault.on else work for work in answer["work"]]
        return {**answer, "work": more}

    monkeypatch.setattr(agent, "perform", performed)
    monkeypatch.setattr(agent.Desk, "exchange", exchanged)
    for name in ("LOOK_SECONDS", "PATIENCE"):
        monkeypatch.setattr(agent, name, 10.0)


def fault_of(name: str, server: Server) -> Fault:
    """What there is to make of it on this host."""
    host, lab = server.world.host, server.lab
    if name == "reload":
        return faults.broken_configuration(lab.folder / "nginx.conf")
    if name == "disk":
        return faults.full_disk(host.folder)
    if name == "cut":
        front = server.world.front
        return Fault(lambda: setattr(front, "down", True), lambda: setattr(front, "down", False))
    if name == "frozen":
        return faults.frozen(lambda: lab.process.pid if lab.process else 0)
    if name == "permission":
        return faults.no_permission()
    other = tls.make(NAME).bundle.leaf
    return Fault(bundle=lambda work: {**work, "certificate": other})


@pytest.mark.parametrize("name", list(FAULTS))
def test_old_or_new_is_served_and_the_host_comes_right(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # rule: DEP-6
    made = fault_of(name, server)
    server.fault = made
    watch(server, monkeypatch)
    steps = STEPS if FULL and name != "pair" else (FAULTS[name],)
    for step in steps:
        _fails_and_comes_right(server, name, step)


def _fails_and_comes_right(server: Server, name: str, step: str) -> None:
    visitor, fault = Visitor(server.lab.port, NAME), server.fault
    before = visitor.visit()
    with visitor.visiting():
        fault.at = step
        new = deliver(server)
        server.turns(lambda: False, LASTS)
        happened, state = fault.on, server.state()
        fault.over()
        assert happened, step
        if (name, step) not in HARMLESS and name not in SILENT:
            assert state == "FAILED", (step, state)
            assert Binding.objects.get().reason != ""
        server.turns(lambda: server.state() == "DEPLOYED", MINUTE)
        assert server.state() == "DEPLOYED", (step, Binding.objects.get().reason)
        assert server.clock.moved <= MINUTE, step
        assert visitor.visit() == new
    assert visitor.refused == [], step
    assert visitor.seen <= {before, new}, step
    assert visitor.visits > 0
    server.restart()
    assert visitor.visit() == new, step
