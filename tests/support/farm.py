"""Many small TLS servers, as places of a kind of target that only tests have; each may misbehave."""

import asyncio
import contextlib
import hashlib
import re
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_network
from typing import Any, ClassVar

import pytest

from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside, TargetOptions
from certdesk.connectors.targets.protocol import Bundle, Reason, Resource, Snapshot, TargetCheck, TargetError
from certdesk.foundation.common import settings
from certdesk.lab.background import LoopThread
from certdesk.lab.elb_site import self_signed
from certdesk.lifecycle.deployment import waiting, work
from certdesk.lifecycle.deployment.models import Target
from tests.support.office import Office
from tests.support.rulebook import Caller

REGION = "farm"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)


def name_of(number: int) -> str:
    return f"p{number:03d}.example.com"


def _context(pem: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        made.load_cert_chain(file.name)
    return made


def _digest(pem: str, kind: str) -> str:
    der = ssl.PEM_cert_to_DER_cert(_CERTIFICATE.findall(pem)[0])
    return hashlib.new(kind, der, usedforsecurity=False).hexdigest()


@dataclass
class Farm:
    """`faults` by name: deaf, refuses, no_chain, shut, frozen; `calls` are the verbs that targets had."""

    faults: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    _served: dict[str, ssl.SSLContext] = field(default_factory=dict)

    def add(self, name: str, pem: str) -> None:
        self.held[name], self._served[name] = pem, _context(pem)

    def take(self, name: str, pem: str) -> None:
        self.held[name] = pem
        fault = self.faults.get(name)
        if fault == "no_chain":
            _leaf, *rest = _CERTIFICATE.findall(pem)
            for one in rest:
                pem = pem.replace(one, "")
        if fault != "deaf":
            self._served[name] = _context(pem)

    async def listen(self) -> None:
        for name in self.held:
            context = _context(self.held[name])
            context.sni_callback = partial(self._choose, name)
            server = await asyncio.start_server(_serve, "127.0.0.1", 0, ssl=context)
            self.ports[name] = int(server.sockets[0].getsockname()[1])

    def _choose(self, place: str, found: ssl.SSLObject, _name: str, _old: ssl.SSLContext) -> int | None:
        if self.faults.get(place) == "shut":
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        found.context = self._served[place]
        return None

    def sha1(self, name: str) -> str:
        return _digest(self.held[name], "sha1")


class FarmOptions(TargetOptions):
    label: ClassVar[str] = "A farm of tests"
    first: int
    last: int


class FarmTarget:
    """Names `first` to `last` of the farm."""

    farm: Farm

    def __init__(self, options: FarmOptions, outside: Outside) -> None:
        self._names = [name_of(number) for number in range(options.first, options.last)]

    def _call(self, verb: str, name: str = "") -> None:
        self.farm.calls.append((verb, name))
        if self.farm.faults.get(name) == "frozen":
            raise TargetError(Reason.TIMEOUT, f"{name} did not answer.")

    async def resources(self) -> tuple[Resource, ...]:
        farm = self.farm
        there = [name for name in self._names if name in farm.held]
        return tuple(
            Resource(name, (name,), (f"127.0.0.1:{farm.ports[name]}",), farm.sha1(name)) for name in there
        )

    async def snapshot(self, resource_id: str) -> Snapshot:
        self._call("snapshot", resource_id)
        pem = self.farm.held[resource_id]
        return Snapshot(pem.encode(), _digest(pem, "sha256"), (resource_id,))

    async def install(self, resource_id: str, bundle: Bundle) -> None:
        self._call("install", resource_id)
        if self.farm.faults.get(resource_id) == "refuses":
            raise TargetError(Reason.REFUSED, f"{resource_id} is read only.", "Open it.")
        self.farm.take(resource_id, bundle.whole)

    async def keep(self, resource_id: str, bundle: Bundle) -> None:
        self._call("keep", resource_id)

    async def restore(self, resource_id: str, snapshot: Snapshot) -> None:
        self._call("restore", resource_id)
        fault = self.farm.faults.pop(resource_id, "")
        self.farm.take(resource_id, snapshot.content.decode())
        if fault:
            self.farm.faults[resource_id] = fault

    async def push(self, name: str, bundle: Bundle) -> Resource:
        raise TargetError(Reason.REFUSED, "Nothing is pushed here.")

    async def test(self) -> TargetCheck:
        return TargetCheck(True, await self.resources())


@dataclass
class Field:
    """An account whose targets of the farm are connected and looked through; `places`: bindings by name."""

    office: Office
    farm: Farm
    alice: Caller
    targets: list[str]
    places: dict[str, str]

    def binding(self, name: str) -> Any:
        found = self.alice("bindings.list", query={"limit": 50})["items"]
        return next(one for one in found if one["resource"] == name)

    def wildcard(self) -> str:
        """A certificate for every place, issued."""
        desk = self.office.desk
        certificate_id = desk.buy(domain_type="WILDCARD")
        desk.apply(certificate_id, domain="*.example.com")
        desk.publish(certificate_id)
        desk.run()
        assert desk.state(certificate_id) == "ISSUED"
        return certificate_id


@contextmanager
def open_field(
    office: Office, monkeypatch: pytest.MonkeyPatch, count: int = 3, targets: int = 1
) -> Iterator[Field]:
    farm, loop = Farm(), LoopThread("farm").start()
    kind = registry.Kind("farm", FarmOptions, type("Here", (FarmTarget,), {"farm": farm}))
    monkeypatch.setitem(registry.KINDS, "farm", kind)
    monkeypatch.setattr(waiting, "pause", office.desk.run)
    monkeypatch.setattr(work, "PATIENCE", 0.0)
    before = settings.get()
    for number in range(count):
        farm.add(name_of(number), self_signed([name_of(number)]))
    settings.install(before.model_copy(update={"allow_networks": (ip_network("127.0.0.0/8"),)}))
    try:
        loop.call(farm.listen())
        alice = Caller(office.desk.alice)
        size = -(-count // targets)
        made = [_connect(alice, start, min(start + size, count)) for start in range(0, count, size)]
        found = {one["resource"]: one["id"] for each in made for one in each[1]}
        yield Field(office, farm, alice, [one for one, _ in made], found)
    finally:
        settings.install(before)
        loop.stop()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        await reader.read(1)
    writer.transport.abort()


def _connect(alice: Caller, first: int, last: int) -> tuple[str, list[Any]]:
    body = {
        "service": "OTHER",
        "kind": "farm",
        "region": REGION,
        "label": f"farm {first}",
        "options": {"first": first, "last": last},
    }
    made = alice("targets.create", body=body)["id"]
    assert Target.objects.filter(id=made).exists()
    return made, alice("targets.discover", id=made)["bindings"]
