"""An account with a load balancer: the lab's, connected as a target; jobs run while a request waits."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from certdesk.foundation.common import settings
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.iam.queries import principal_of
from certdesk.lab.elb import LabElb
from certdesk.lab.elb_small import Fault
from certdesk.lifecycle.deployment import waiting, work
from tests.support.office import Office
from tests.support.rulebook import Caller

SITES = (("www.example.com", "example.com"), ("shop.example.com",))
REGION = "cn-north-4"


@dataclass
class Balancer:
    """`elb` is connected as `target`; `bindings` by their first name."""

    office: Office
    elb: LabElb
    alice: Caller
    target: str
    sites: Sequence[Sequence[str]]

    def someone(self, name: str) -> Caller:
        return Caller(principal_of(self.office.people[name], Via.API))

    def discover(self) -> dict[str, Any]:
        found = self.alice("targets.discover", id=self.target)["bindings"]
        return {self.name_of(one): one for one in found}

    def name_of(self, binding: dict[str, Any]) -> str:
        """By its file: its names may change."""
        number = Path(binding["resource"]).stem.removeprefix("site")
        return self.sites[int(number) - 1][0] if number.isdigit() else binding["resource"]

    def binding(self, name: str) -> dict[str, Any]:
        items = self.alice("bindings.list", query={"target": self.target, "limit": 50})["items"]
        found: dict[str, Any] = next(one for one in items if self.name_of(one) == name)
        return found

    def deploy(self, certificate_id: str, *names: str, **more: object) -> Any:
        """Deploys to the bindings of these names."""
        resources = [{"id": self.binding(name)["id"]} for name in names]
        body = {"service_name": "ELB", "project_name": REGION, "resources": resources, **more}
        return self.alice("certificates.deploy", certificate_id, body)


@contextmanager
def open_balancer(
    office: Office,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    sites: Sequence[Sequence[str]] = SITES,
    faults: Sequence[Fault] = (),
    real: bool = False,
) -> Iterator[Balancer]:
    with open_elb(folder, monkeypatch, office.desk.run, sites=sites, faults=faults, real=real) as elb:
        alice = Caller(office.desk.alice)
        made = alice("targets.create", body=connection(elb))
        balancer = Balancer(office, elb, alice, made["id"], sites)
        balancer.discover()
        yield balancer


def connection(elb: LabElb) -> dict[str, Any]:
    """The body of the request that connects it."""
    return {
        "service": "ELB",
        "kind": "haproxy",
        "region": REGION,
        "label": "front",
        "options": elb.options,
    }


@contextmanager
def open_elb(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[[], object],
    *,
    sites: Sequence[Sequence[str]] = SITES,
    faults: Sequence[Fault] = (),
    real: bool = False,
) -> Iterator[LabElb]:
    """The load balancer alone, within reach; `run` is what a request does while it waits for a deployment."""
    before = settings.get()
    monkeypatch.setattr(waiting, "pause", run)
    monkeypatch.setattr(work, "PATIENCE", 0.0)
    with LabElb(folder / "elb", sites, real=real, faults=faults) as elb:
        reachable = {"target_folders": (elb.folder,), "allow_networks": (ip_network("127.0.0.0/8"),)}
        settings.install(before.model_copy(update=reachable))
        try:
            yield elb
        finally:
            settings.install(before)
