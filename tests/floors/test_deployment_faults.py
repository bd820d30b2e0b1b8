"""Whatever fails at whichever step of a deployment: the old or the new certificate is served, never none, and
the place comes right by itself within a minute of the fault's end."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from certdesk.connectors import probe
from certdesk.connectors.targets import registry
from certdesk.foundation.common import settings
from certdesk.foundation.jobs import testing
from certdesk.lab.elb import LabElb, haproxy
from certdesk.lab.nginx import LabNginx
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.deployment import actions, dialing, work
from certdesk.lifecycle.deployment.models import Binding, Deployment
from tests.support import deployment_faults as faults
from tests.support.deployment_faults import Fault, Visitor, Watched
from tests.support.needs import need
from tests.support.office import Office, open_office
from tests.support.rulebook import Caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server, pytest.mark.slow]
NAME, OTHER = "www.example.com", "shop.example.com"
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
HARMLESS = {
    ("nginx", name, step)
    for name, first in (("reload", "keep"), ("cut", "look"), ("disk", "look"), ("frozen", "resources"))
    for step in STEPS[STEPS.index(first) :]
}
"""By then it has written and been reloaded, and what is in force lasts."""
LOOK_SECONDS = 15
"""As in a lab: pauses of 1, 2, 5, 15, 60 seconds."""
MINUTE = timedelta(minutes=1)
KILOBYTES = 256


@pytest.fixture
def office() -> Iterator[Office]:
    with open_office() as made:
        yield made


def steps(kind: str, name: str) -> tuple[str, ...]:
    if name == "pair":
        return ("install",)
    if os.environ.get("CERTDESK_SIZE") == "full":
        return STEPS
    return ("keep",) if (kind, name) == ("haproxy", "disk") else (FAULTS[name],)  # it writes when it keeps


@dataclass
class Place:
    """One server of a kind, and its place for `NAME`."""

    office: Office
    lab: Any
    binding: str

    @property
    def pid(self) -> int:
        process = self.lab.process if isinstance(self.lab, LabNginx) else self.lab._process
        return int(process.pid)

    def state(self) -> str:
        return str(Binding.objects.get(id=self.binding).deployment)

    def deploy(self) -> str:
        """A new certificate is on its way; its SHA-1."""
        made = self.office.desk.issued(NAME)
        assert not actions.deploy_to(self.office.desk.alice, made, [self.binding]).refused
        return str(Version.objects.get(certificate_id=made).fingerprint_sha1)

    def restart(self) -> None:
        self.lab.stop()
        self.lab.start()


@contextmanager
def placed(
    kind: str, office: Office, folder: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """The server runs, is connected, and serves a certificate of ours."""
    program = haproxy() if kind == "haproxy" else LabNginx.program()
    need(program is not None, f"{kind} is not installed")
    sites, before = ((NAME,), (OTHER,)), settings.get()
    lab: Any = LabElb(folder, sites, real=True) if kind == "haproxy" else LabNginx(folder, sites)
    _watch(fault, monkeypatch)
    with lab:
        reachable = {"target_folders": (folder,), "allow_networks": (ip_network("127.0.0.0/8"),)}
        settings.install(before.model_copy(update={**reachable, "look_seconds": LOOK_SECONDS}))
        try:
            alice = Caller(office.desk.alice)
            service = "ELB" if kind == "haproxy" else "WAF"
            body = {"service": service, "kind": kind, "region": "here", "options": lab.options}
            target = alice("targets.create", body=body)
            found = alice("targets.discover", id=target["id"])["bindings"]
            binding = next(one["id"] for one in found if one["names"] == [NAME])
            place = Place(office, lab, binding)
            place.deploy()
            testing.run_due()
            assert place.state() == "DEPLOYED"
            yield place
        finally:
            fault.over()
            settings.install(before)


def _watch(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault sees every verb; waiting for what is frozen is short."""
    quick = replace(dialing.outside(), seconds=2.0)

    def connector(kind: str, options: dict[str, Any]) -> Watched:
        allowed = replace(quick, folders=dialing.outside().folders)
        return Watched(registry.connect(kind, options, allowed), fault)

    def inside(real: Callable[..., Any]) -> Callable[..., Any]:
        async def worked(*arguments: Any) -> Any:
            with fault.around():
                return await real(*arguments)

        return worked

    look = probe.look

    async def looked(*arguments: Any, **more: Any) -> Any:
        fault.reached("look")
        return await look(*arguments, seconds=1.0, **more)

    monkeypatch.setattr(dialing, "connector", connector)
    monkeypatch.setattr(probe, "look", looked)
    monkeypatch.setattr(work, "PATIENCE", 1.0)
    for verb in ("prepare", "install"):
        monkeypatch.setattr(work, verb, inside(getattr(work, verb)))


def faults_of(kind: str, name: str, place: Place) -> Fault:
    """What there is to make of it on this server."""
    folder: Path = place.lab.folder
    if name == "reload":
        return faults.broken_configuration(folder / "nginx.conf")
    if name == "disk":
        return faults.full_disk(folder)
    if name == "cut":
        return faults.cut(folder / ("admin.sock" if kind == "haproxy" else "nginx.pid"))
    if name == "frozen":
        return faults.frozen(lambda: place.pid)
    return faults.no_permission() if name == "permission" else faults.another_pair()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in ("nginx", "haproxy")
        for name in FAULTS
        if (kind, name) != ("haproxy", "reload")  # it is never reloaded
    ],
)
def test_old_or_new_is_served_and_the_place_comes_right(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    need(os.geteuid() == 0, "only root can mount a disk and be another user")
    watched = Fault()
    folder = tmp_path / "server"
    with ExitStack() as stack:
        mounted = stack.enter_context(faults.small_disk(folder, KILOBYTES)) if name == "disk" else True
        need(mounted, "no disk can be mounted")
        place = stack.enter_context(placed(kind, office, folder, watched, monkeypatch))
        made = faults_of(kind, name, place)
        for part in ("begin", "end", "enter", "leave", "bundle"):
            setattr(watched, part, getattr(made, part))
        for step in steps(kind, name):
            _fails_and_comes_right(place, watched, step, (kind, name, step) in HARMLESS)


def _fails_and_comes_right(place: Place, fault: Fault, step: str, harmless: bool) -> None:
    visitor = Visitor(place.lab.port, NAME)
    before = visitor.visit()
    with visitor.visiting():
        fault.at = step
        new = place.deploy()
        for _ in range(2):  # the first try, and one by itself
            testing.run_all(timedelta(seconds=3), 20)
        happened, state = fault.on, place.state()
        fault.over()
        assert (happened, state) == (True, "DEPLOYED" if harmless else "FAILED"), step
        testing.run_all(MINUTE, 50)
        said = Deployment.objects.latest("created_at")
        assert place.state() == "DEPLOYED", (step, Binding.objects.get(id=place.binding).reason, said.state)
        assert visitor.visit() == new
    assert visitor.refused == [], step
    assert visitor.seen <= {before, new}, step
    assert visitor.visits > 0
    place.restart()
    assert visitor.visit() == new, step
