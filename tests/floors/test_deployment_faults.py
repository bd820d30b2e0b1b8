"""Whatever fails at whichever step of a deployment: the old or the new certificate is served, never none, and
the place comes right by itself within a minute of the fault's end."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from certdesk.connectors import probe
from certdesk.connectors.targets import registry
from certdesk.foundation.common import settings
from certdesk.foundation.jobs import testing
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.deployment import actions, dialing, work
from certdesk.lifecycle.deployment.models import Binding, Deployment
from tests.support import deployment_faults as faults
from tests.support.deployment_faults import Fault, Visitor, Watched
from tests.support.fault_places import CAN_HAPPEN, NAME, STANDS, Stand
from tests.support.hand_clock import MINUTE, HandClock
from tests.support.needs import need
from tests.support.office import Office, open_office
from tests.support.rulebook import Caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server, pytest.mark.slow]
FULL = os.environ.get("CERTDESK_SIZE") == "full"
KINDS = tuple(STANDS) if FULL else ("nginx", "haproxy")
STEPS = ("snapshot", "install", "look", "resources", "keep")
"""Before: the way back is known, anything is touched, clients look, the target is asked, it is kept."""
FAULTS = {
    "reload": "install",
    "disk": "install",
    "permission": "keep",
    "pair": "install",
    "frozen": "look",
    "cut": "install",
}
"""Each with the step that the small form takes: where it does most harm."""
FIRST_HARMLESS = {
    "nginx": {"reload": "keep", "cut": "look", "disk": "look", "frozen": "resources"},
    "tomcat": {"cut": "look", "frozen": "resources"},
    "envoy": {"disk": "look", "frozen": "resources", "permission": "keep"},
}
HARMLESS = {
    (kind, name, step)
    for kind, firsts in FIRST_HARMLESS.items()
    for name, first in firsts.items()
    for step in STEPS[STEPS.index(first) :]
}
"""By then it has written and been reloaded, and what is in force lasts."""
CERTAIN = {
    *((kind, name) for kind in ("nginx", "haproxy", "envoy") for name in CAN_HAPPEN[kind]),
    *(("tomcat", name) for name in ("cut", "frozen")),
    *((kind, "pair") for kind in STANDS),  # with another's key none is served
    ("apache", "permission"),
}
"""It fails, but for what is harmless; elsewhere both may happen, as the fault meets a write or not."""
LOOK_SECONDS = 10
"""As in a lab: pauses of 0.7, 1.3, 3.3, 10, 40 seconds."""
LASTS = 60 if FULL else 3
"""Seconds of the fault, by the hand clock: in the full form the pauses have grown as long as they get."""
KILOBYTES = 400
SLOW = 8.0
"""Seconds that a slow machine is given where nothing is wrong."""


@pytest.fixture
def office() -> Iterator[Office]:
    with open_office() as made:
        yield made


def steps(kind: str, name: str) -> tuple[str, ...]:
    if name == "pair":
        return ("install",)
    if FULL:
        return STEPS
    return ("keep",) if (kind, name) == ("haproxy", "disk") else (FAULTS[name],)  # it writes when it keeps


@dataclass
class Place:
    """One server of a kind, and its place for its name."""

    office: Office
    stand: Stand
    binding: str
    clock: HandClock

    def state(self) -> str:
        return str(Binding.objects.get(id=self.binding).deployment)

    def deploy(self) -> str:
        """A new certificate is on its way; its SHA-1."""
        made = self.office.desk.issued(NAME)
        assert not actions.deploy_to(self.office.desk.alice, made, [self.binding]).refused
        return str(Version.objects.get(certificate_id=made).fingerprint_sha1)

    def work(self, seconds: float, over: Callable[[], bool] = lambda: False) -> None:
        """A worker's seconds, until it is over."""
        self.clock.moved = 0.0
        testing.run_due()
        while self.clock.moved < seconds and not over():
            self.clock.move(1.0)
            testing.run_due()

    def restart(self) -> None:
        self.stand.lab.stop()
        self.stand.lab.start()


@contextmanager
def placed(stand: Stand, office: Office, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The server is connected, and serves a certificate of ours."""
    before = settings.get()
    _watch(fault, stand, monkeypatch)
    reachable = {"target_folders": (stand.folder,), "target_programs": stand.programs}
    more = {"allow_networks": (ip_network("127.0.0.0/8"),), "look_seconds": LOOK_SECONDS}
    settings.install(before.model_copy(update={**reachable, **more}))
    try:
        alice = Caller(office.desk.alice)
        body = {"service": stand.service, "kind": stand.kind, "region": "here", "options": stand.options}
        target = alice("targets.create", body=body)
        found = alice("targets.discover", id=target["id"])["bindings"]
        binding = next(one["id"] for one in found if one["names"] == [NAME])
        place = Place(office, stand, binding, HandClock(monkeypatch))
        place.deploy()
        place.work(0)
        assert place.state() == "DEPLOYED", Binding.objects.get(id=binding).reason
        yield place
    finally:
        fault.over()
        settings.install(before)


def _watch(fault: Fault, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault sees every verb; waiting for what is frozen is short."""

    def connector(kind: str, options: dict[str, Any]) -> Watched:
        quick = replace(dialing.outside(), seconds=stand.seconds if fault.on else SLOW)
        work.PATIENCE = stand.patience if fault.on else SLOW
        return Watched(registry.connect(kind, options, quick), fault)

    def inside(real: Callable[..., Any]) -> Callable[..., Any]:
        async def worked(*arguments: Any) -> Any:
            with fault.around():
                return await real(*arguments)

        return worked

    look = probe.look

    async def looked(*arguments: Any, **more: Any) -> Any:
        fault.reached("look")
        work.PATIENCE = stand.patience if fault.on else SLOW
        return await look(*arguments, seconds=1.0 if fault.on else SLOW, **more)

    monkeypatch.setattr(dialing, "connector", connector)
    monkeypatch.setattr(probe, "look", looked)
    monkeypatch.setattr(work, "PATIENCE", SLOW)
    for verb in ("prepare", "install"):
        monkeypatch.setattr(work, verb, inside(getattr(work, verb)))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in CAN_HAPPEN[kind]])
def test_old_or_new_is_served_and_the_place_comes_right(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    need(os.geteuid() == 0, "only root can mount a disk and be another user")
    watched = Fault()
    folder = tmp_path / "server"
    with ExitStack() as stack:
        mounted = stack.enter_context(faults.small_disk(folder, KILOBYTES)) if name == "disk" else True
        need(mounted, "no disk can be mounted")
        stand = stack.enter_context(STANDS[kind](folder))
        place = stack.enter_context(placed(stand, office, watched, monkeypatch))
        made = stand.fault(name)
        for part in ("begin", "end", "enter", "leave", "bundle"):
            setattr(watched, part, getattr(made, part))
        for step in steps(kind, name):
            _fails_and_comes_right(place, watched, (kind, name, step))


def _fails_and_comes_right(place: Place, fault: Fault, case: tuple[str, str, str]) -> None:
    kind, name, step = case
    visitor = Visitor(place.stand.lab.port, NAME, place.stand.first)
    before = visitor.visit()
    with visitor.visiting():
        fault.at = step
        new = place.deploy()
        place.work(LASTS)
        happened, state, why = fault.on, place.state(), Binding.objects.get(id=place.binding).reason
        fault.over()
        sys.stdout.write(f"{kind}, {name} at {step}: {state} {why}\n")
        assert happened, case
        if (kind, name) in CERTAIN:
            assert state == ("DEPLOYED" if case in HARMLESS else "FAILED"), (case, why)
        else:
            assert state == "DEPLOYED" or (state == "FAILED" and why), (case, state)
        place.work(MINUTE, lambda: place.state() == "DEPLOYED")
        said = Deployment.objects.latest("created_at")
        assert place.state() == "DEPLOYED", (case, Binding.objects.get(id=place.binding).reason, said.state)
        assert visitor.visit() == new
    assert visitor.refused == [], case
    assert visitor.seen <= {before, new}, case
    assert visitor.visits > 0
    place.restart()
    assert visitor.visit() == new, case
