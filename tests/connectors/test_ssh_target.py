"""Hosts by SSH against a real sshd: the verbs of every target, host keys, and what the key may not do."""

import asyncio
import ipaddress
import subprocess
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from certdesk.agents import host as agent
from certdesk.connectors import probe
from certdesk.connectors.probe import Expected, Verdict
from certdesk.connectors.targets import registry, running
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, Target, TargetError
from certdesk.connectors.targets.ssh import shell, target
from tests.support import tls
from tests.support.hosts import NAME, Host, a_host
from tests.support.sshd import Sshd, serving

pytestmark = pytest.mark.server
T = TypeVar("T")
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


@dataclass
class World:
    host: Host
    sshd: Sshd

    def target(self, **changes: object) -> Target:
        outside = Outside(seconds=30, allow_networks=LOOPBACK)
        return registry.connect("ssh", self.sshd.options(**changes), outside)

    def refused(self, work: Awaitable[object]) -> TargetError:
        with pytest.raises(TargetError) as caught:
            run(work)
        return caught.value

    def served(self, made: tls.Made, previous: str = "") -> Verdict:
        expected = Expected(made.sha256, previous, chain=made.chain)
        looked = probe.look("127.0.0.1", self.host.server.port, NAME, expected, allow_networks=LOOPBACK)
        return run(looked)[0].verdict


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_host(tmp_path / "host") as host:
        agent.prepare(host.place)
        with serving(tmp_path / "sshd", host) as sshd:
            yield World(host, sshd)


def test_the_verbs_of_every_target(world: World) -> None:
    """As the conformance suite asks them: each repeated, and back to where it was."""
    made, connected = tls.make(NAME), world.target()
    (found,) = run(connected.resources())
    assert (found.id, found.names, found.listeners) == ("shop", (NAME,), world.host.place.listeners)
    assert found.fingerprint_sha1 == world.host.served()
    before = run(connected.snapshot("shop"))
    assert b"PRIVATE" not in before.content
    for _ in range(2):
        run(connected.install("shop", made.bundle))
        run(connected.keep("shop", made.bundle))
    assert world.served(made, before.fingerprint_sha256) is Verdict.NEW
    assert run(connected.resources())[0].fingerprint_sha1 == made.bundle.fingerprint_sha1
    for _ in range(2):
        run(connected.restore("shop", before))
    assert world.served(made, before.fingerprint_sha256) is Verdict.PREVIOUS
    assert run(connected.test()).ok
    (elsewhere,) = run(world.target(listeners=["web1.example.com:443"]).resources())
    assert elsewhere.listeners == ("web1.example.com:443",)


def test_a_wrong_pair_and_a_failing_reload_leave_the_old_one(world: World) -> None:
    made, connected = tls.make(NAME), world.target()
    before = run(connected.snapshot("shop"))
    wrong = replace(made.bundle, key=tls.make("x.example.test").bundle.key)
    assert "do not belong together" in world.refused(connected.install("shop", wrong)).message
    world.host.configure(["sh", "-c", "echo no such unit >&2; exit 5"])
    failed = world.refused(connected.install("shop", made.bundle))
    assert (failed.reason, "ended with 5: no such unit" in failed.message) == (Reason.REFUSED, True)
    assert world.served(made, before.fingerprint_sha256) is Verdict.PREVIOUS
    assert world.refused(connected.snapshot("nowhere")).reason is Reason.NOT_THERE
    assert world.refused(connected.push("x", made.bundle)).reason is Reason.NOT_ALLOWED


def test_the_host_key_is_confirmed_first_and_then_pinned(world: World) -> None:
    pin = world.sshd.pin
    first = run(world.target(host_key="").test())
    assert not first.ok
    assert "is not confirmed yet" in first.problem
    assert pin in first.problem
    world.sshd.new_host_key()
    changed = run(world.target(host_key=pin).test())
    assert "another host key than the pinned one" in changed.problem
    assert world.sshd.pin in changed.problem
    assert "Somebody may stand between" in changed.next_step


def test_the_key_does_nothing_but_the_helper(world: World) -> None:
    """Whatever is asked for: the helper answers, no shell and no forwarding."""
    key = world.sshd.folder / "desk_key"
    base = ["ssh", "-F", "none", "-i", str(key), "-p", str(world.sshd.port), "-o", "BatchMode=yes"]
    more = ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={world.sshd.folder}/x"]
    user = str(world.sshd.options()["user"])
    done = subprocess.run(
        [*base, *more, f"{user}@127.0.0.1", "id; cat /etc/passwd"], capture_output=True, text=True, input=""
    )
    assert '"NOT_ALLOWED"' in done.stdout
    assert "uid=" not in done.stdout
    assert "root:" not in done.stdout


def test_who_is_not_let_in_and_what_is_not_there(world: World, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    foreign = world.refused(world.target(key=(tmp_path / "other").read_text()).resources())
    assert (foreign.reason, foreign.field) == (Reason.NOT_ALLOWED, "key")
    broken = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----"
    assert world.refused(world.target(key=broken).resources()).reason in (Reason.OPTIONS, Reason.NOT_ALLOWED)
    world.sshd.stop()
    gone = world.refused(world.target().resources())
    assert (gone.reason, gone.permanent) == (Reason.UNREACHABLE, False)


def test_networks_that_nobody_allowed_are_not_reached(world: World) -> None:
    closed = registry.connect("ssh", world.sshd.options(), Outside(seconds=5))
    error = world.refused(closed.resources())
    assert (error.reason, error.field) == (Reason.NOT_ALLOWED, "host")


def test_a_name_that_does_not_resolve_now_may_do_so_later(world: World) -> None:
    async def none(_: str) -> Sequence[str]:
        return ()

    options = {**world.sshd.options(), "host": "web.example.test"}
    error = world.refused(registry.connect("ssh", options, Outside(resolver=none)).resources())
    assert (error.reason, error.permanent) == (Reason.UNREACHABLE, False)


BAD_PORT = (
    '{"ok": true, "places": [{"name": "a", "names": ["x"], "listeners": ["h:65536"], "fingerprint": ""}]}'
)


def test_what_is_no_helper_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("Welcome!", '{"ok": true}', "[1]", '{"ok": true, "places": [{}]}', BAD_PORT):
        monkeypatch.setattr(shell, "run", _says(text))
        assert world.refused(world.target().resources()).reason is Reason.BAD_ANSWER
    monkeypatch.setattr(shell, "run", _says('{"ok": true}'))
    assert world.refused(world.target().snapshot("shop")).reason is Reason.BAD_ANSWER
    monkeypatch.setattr(shell, "run", _says('{"ok": false, "reason": "ODD", "message": "No."}'))
    assert world.refused(world.target().resources()).reason is Reason.REFUSED


def _says(text: str) -> Any:
    async def answer(*_: object) -> str:
        return text

    return answer


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("Load key: error in libcrypto", Reason.OPTIONS),
        ("Connection closed", Reason.UNREACHABLE),
        ("", Reason.UNREACHABLE),
    ],
)
def test_failures_of_the_client_have_a_reason(told: str, reason: Reason) -> None:
    assert shell._failure(shell.Login("h", 22, "u", "", "k"), told).reason is reason


def test_without_a_client_it_says_what_to_install(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(running.CLEAN, "PATH", "/nowhere")
    assert "openssh-client" in world.refused(world.target().resources()).next_step


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "-oProxyCommand=x"},
        {"user": "-l"},
        {"user": "a b"},
        {"host_key": "MD5:00"},
        {"key": "no key"},
        {"port": 0},
        {"listeners": ["nowhere"]},
    ],
)
def test_options_that_could_mean_something_else_are_refused(wrong: dict[str, object]) -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n-----END OPENSSH PRIVATE KEY-----"
    good = {"host": "h.example.com", "key": key}
    shown = registry.read_options("ssh", good).shown()
    assert (shown["key"], shown["port"]) == ("***", 22)
    with pytest.raises(TargetError) as refused:
        registry.read_options("ssh", {**good, **wrong})
    assert "secret" not in refused.value.message


def test_the_label_is_for_people() -> None:
    assert target.SshOptions.label == "Host by SSH"
