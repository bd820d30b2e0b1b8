"""The tour's harder deployments: one that must fail and be put back, and a new version under clients."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .client import Client
from .touring_balancer import REGION, served
from .touring_steps import Steps, TourFailed, expect

if TYPE_CHECKING:
    from certdesk.lab.elb import LabElb

A_SECOND = 50
WITHIN = 60.0


def take_to_replacing(
    client: Client,
    elb: "LabElb",
    steps: Steps,
    roots: Path,
    name: str,
    certificate_id: str,
    prove: Callable[[str], object],
) -> None:
    """Seen by clients of the listener all the while.

    Args:
        certificate_id: what is served for `name` now.
        prove: puts the records of a certificate into the zone and asks for the look at them.

    Raises:
        TourFailed: a handshake failed, or something else was served than should be.
    """
    target, binding = _target(client, elb)
    other = str(_issue(client, name)["cert_id"])
    with steps.step("a bad deployment: a second node goes on serving the old one") as say:
        before = served(elb.port, name)
        with _stuck_node(client, certificate_id, roots) as port, _clients(elb.port, name, roots) as seen:
            _listeners(client, target, elb, f"127.0.0.1:{port}")
            body = {"service_name": "ELB", "project_name": REGION, "resources": [{"id": binding}]}
            (failure,) = client.post(f"/v3/scm/certificates/{other}/deploy", body)["failure_list"]
            told = failure["failure_info"]
            expect("was put back and is served" in told, f"the deployment said: {told}")
            expect(served(elb.port, name) == before, "the previous certificate did not come back")
        _listeners(client, target, elb)
        say(told)
        say(seen.sentence())
    with steps.step("reissue while clients come and go; the new one follows by itself") as say:
        client.call("PUT", f"/v3/scm/bindings/{binding}", {"certificate_id": certificate_id})
        with _clients(elb.port, name, roots) as seen:
            _reissued(client, certificate_id, prove)
            _until(lambda: served(elb.port, name) != before, "the new version did not follow")
            _until(lambda: _state(client, binding) == "DEPLOYED", "the place is not deployed")
        expect(len(seen.serials) == 2, f"clients were served {sorted(seen.serials)}")
        say(f"{name} is served serial {served(elb.port, name)} instead of {before}")
        say(seen.sentence())


def _target(client: Client, elb: "LabElb") -> tuple[str, str]:
    target = str(client.get("/v3/scm/targets")["items"][0]["id"])
    found = client.get(f"/v3/scm/bindings?target={target}&limit=50")["items"]
    return target, str(next(one["id"] for one in found if one["resource"].endswith("site1.pem")))


def _issue(client: Client, name: str) -> dict[str, Any]:
    body = {
        "cert_brand": "GEOTRUST",
        "cert_type": "DV_SSL_CERT",
        "agree_privacy_protection": True,
        "domain": name,
        "key_algorithm": "EC_P256",
    }
    found: dict[str, Any] = client.post("/v3/scm/certificates/issue", body)
    return found


def _listeners(client: Client, target: str, elb: "LabElb", *more: str) -> None:
    options = {**elb.options, "listeners": [elb.server, *more]}
    client.call("PUT", f"/v3/scm/targets/{target}", {"options": options})
    client.post(f"/v3/scm/targets/{target}/discover")


def _reissued(client: Client, certificate_id: str, prove: Callable[[str], object]) -> None:
    path = f"/v3/scm/certificates/{certificate_id}"
    client.post(f"{path}/reissue", {"agree_privacy_protection": True, "key_algorithm": "EC_P256"})
    client.post(f"{path}/reissue/confirm")
    if client.get(path)["status"] == "CHECKING":
        prove(certificate_id)
    _until(lambda: client.get(path)["status"] == "ISSUED", "the reissued certificate does not come")


def _state(client: Client, binding: str) -> str:
    found = client.get("/v3/scm/bindings?limit=50")["items"]
    return str(next(one["deployment"] for one in found if one["id"] == binding))


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + WITHIN
    while not holds():
        expect(time.monotonic() < until, f"{otherwise} after {WITHIN:.0f} s")
        time.sleep(0.1)


@contextmanager
def _stuck_node(client: Client, certificate_id: str, roots: Path) -> Iterator[int]:
    """A second node behind the same name that serves what is served now, whatever is deployed."""
    from certdesk.lab.background import LoopThread

    exported = client.post(f"/v3/scm/certificates/{certificate_id}/export")
    file = roots.with_name("node.pem")
    file.touch(0o600)
    parts = (exported["certificate"], exported["certificate_chain"], exported["private_key"])
    file.write_text("\n".join(parts), encoding="ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    file.unlink()
    loop = LoopThread("tour-node").start()
    try:
        yield loop.call(_listen(context))
    finally:
        loop.stop()


async def _listen(context: ssl.SSLContext) -> int:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    return int(server.sockets[0].getsockname()[1])


@dataclass
class Seen:
    """What clients met: handshakes, those that failed with their words, and the serials they were served."""

    handshakes: int = 0
    failed: list[str] = field(default_factory=list)
    serials: set[str] = field(default_factory=set)

    def sentence(self) -> str:
        """Raises TourFailed when a handshake failed, or there was none."""
        expect(self.handshakes > 0, "no client came")
        expect(not self.failed, f"{len(self.failed)} handshakes failed: {self.failed[:1]}")
        return f"clients meanwhile: {self.handshakes} handshakes with chain and name checked, 0 failed"


@contextmanager
def _clients(port: int, name: str, roots: Path) -> Iterator[Seen]:
    """Clients that trust the built-in root, about fifty a second, until the block ends."""
    seen, over = Seen(), threading.Event()
    thread = threading.Thread(target=_come, args=(port, name, roots, seen, over), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(10)
    if thread.is_alive():
        raise TourFailed("a client hangs in its handshake")


def _come(port: int, name: str, roots: Path, seen: Seen, over: threading.Event) -> None:
    context = ssl.create_default_context(cafile=str(roots))
    while not over.wait(1 / A_SECOND):
        try:
            with (
                socket.create_connection(("127.0.0.1", port), 5) as plain,
                context.wrap_socket(plain, server_hostname=name) as client,
            ):
                seen.serials.add(str((client.getpeercert() or {}).get("serialNumber", "")))
        except OSError as error:  # ssl.SSLError is one
            seen.failed.append(str(error))
        seen.handshakes += 1
