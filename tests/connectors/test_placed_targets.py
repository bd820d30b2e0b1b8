"""One suite for the targets with one certificate in files: against PostgreSQL and Postfix themselves, and for
the formats of others against a small server that reads them."""

import asyncio
import ipaddress
import os
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

from certdesk.connectors import probe
from certdesk.connectors.probe import Expected, Seen, Verdict
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, Snapshot, Target, TargetError
from tests.support import tls
from tests.support.needs import need
from tests.support.placed import NAME, POSTGRES, RealPostfix, RealPostgres, Rereading, Served

pytestmark = pytest.mark.server
T = TypeVar("T")
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PASSWORD = "s3cret-of-the-store"


def _postfix() -> Served:
    need(Path("/usr/sbin/postfix").exists(), "postfix is not installed")
    return RealPostfix()


def _postgres() -> Served:
    need(bool(POSTGRES), "postgresql is not installed")
    return RealPostgres()


def _pkcs12(content: bytes) -> bytes:
    key, leaf, chain = pkcs12.load_key_and_certificates(content, PASSWORD.encode())
    assert key is not None
    assert leaf is not None
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + b"".join(one.public_bytes(Encoding.PEM) for one in (leaf, *chain))


def _jks(content: bytes) -> bytes:
    import base64

    import jks

    (entry,) = jks.KeyStore.loads(content, PASSWORD).private_keys.values()
    parts = [("PRIVATE KEY", entry.pkey_pkcs8), *(("CERTIFICATE", der) for _, der in entry.cert_chain)]
    return b"".join(
        f"-----BEGIN {word}-----\n".encode() + base64.encodebytes(der) + f"-----END {word}-----\n".encode()
        for word, der in parts
    )


def _envoy(content: bytes) -> bytes:
    import json

    (mine,) = [one for one in json.loads(content)["resources"] if one["name"] == "server"]
    held = mine["tls_certificate"]
    text: str = held["private_key"]["inline_string"] + held["certificate_chain"]["inline_string"]
    return text.encode()


STORE = {"password": PASSWORD}
MAKERS: dict[str, Callable[[], Served]] = {
    "postgresql": _postgres,
    "pkcs12": lambda: Rereading("keystore", _pkcs12, STORE),
    "jks": lambda: Rereading("keystore", _jks, {**STORE, "format": "JKS"}),
    "envoy": lambda: Rereading("envoy", _envoy, {"secret": "server"}),
    "pem": lambda: Rereading("pem", bytes, {}),
}
if os.geteuid() == 0:  # Postfix runs under root only
    MAKERS["postfix"] = _postfix


@pytest.fixture(scope="module", params=sorted(MAKERS))
def running(request: pytest.FixtureRequest) -> Iterator[tuple[Served, Snapshot]]:
    """The server with the way back to what it serves first."""
    server = MAKERS[request.param]()
    if isinstance(server, Rereading):
        _first(server)
    with server:
        yield server, run(target(server).snapshot(str(server.file)))


def _first(server: Rereading) -> None:
    """What an administrator has put there: the kind's own writer makes it."""
    if server.kind == "envoy":
        other = '{"resources": [{"name": "other", "generic_secret": {}}]}'
        server.file.write_text(other, encoding="ascii")
    run(target(server).install(str(server.file), server.first.bundle))


@pytest.fixture
def server(running: tuple[Served, Snapshot]) -> Iterator[Served]:
    found, first = running
    yield found
    run(target(found).restore(str(found.file), first))


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


def target(server: Served, **options: Any) -> Target:
    outside = Outside(folders=(server.folder,), programs=server.programs, seconds=30)
    return registry.connect(server.kind, {**server.options, **options}, outside)


async def _look(server: Served, expected: Expected, wanted: Verdict) -> Verdict:
    """As a deployment does: what a server shows just after it was told may be a moment late."""
    seen: tuple[Seen, ...] = ()
    until = time.monotonic() + 15
    while time.monotonic() < until:
        seen = await probe.look(server.host, server.port, NAME, expected, allow_networks=LOOPBACK)
        if seen[0].verdict is wanted:
            break
        await asyncio.sleep(0.1)
    return seen[0].verdict


def serves(server: Served, made: tls.Made) -> bool:
    expected = Expected(made.sha256, chain=made.chain)
    return run(_look(server, expected, Verdict.NEW)) is Verdict.NEW


def refused(work: Awaitable[object]) -> TargetError:
    with pytest.raises(TargetError) as error:
        run(work)
    return error.value


def test_resources_tell_names_listeners_and_fingerprint(server: Served) -> None:
    (found,) = run(target(server).resources())
    assert (found.id, found.names) == (str(server.file), (NAME,))
    assert found.listeners == (f"{server.scheme}127.0.0.1:{server.port}",)
    assert found.fingerprint_sha1 == server.first.bundle.fingerprint_sha1
    assert serves(server, server.first)
    snapshot = run(target(server).snapshot(found.id))
    assert (snapshot.names, snapshot.fingerprint_sha256) == ((NAME,), server.first.sha256)
    assert "content" not in repr(snapshot)


# rule: DEP-6
def test_installed_is_served_and_restored_is_as_before(server: Served) -> None:
    made, path = tls.make(NAME, "two.example.test"), str(server.file)
    mode = server.file.stat().st_mode
    before = run(target(server).snapshot(path))
    for _ in range(2):  # every verb may be repeated
        run(target(server).install(path, made.bundle))
        run(target(server).keep(path, made.bundle))
    assert serves(server, made)
    assert run(target(server).resources())[0].fingerprint_sha1 == made.bundle.fingerprint_sha1
    assert server.file.stat().st_mode == mode
    for _ in range(2):
        run(target(server).restore(path, before))
    assert serves(server, server.first)
    assert [one.name for one in server.file.parent.iterdir()] == ["server"]


def test_a_restart_changes_nothing(server: Served) -> None:
    made = tls.make(NAME)
    run(target(server).install(str(server.file), made.bundle))
    server.stop()
    server.start()
    assert serves(server, made)


def test_a_wrong_key_changes_nothing(server: Served) -> None:
    made = tls.make(NAME)
    wrong = replace(made.bundle, key=tls.make(NAME).bundle.key)
    error = refused(target(server).install(str(server.file), wrong))
    assert (error.reason, "does not belong" in error.message) == (Reason.REFUSED, True)
    unreadable = replace(made.bundle, key="no key")
    assert refused(target(server).install(str(server.file), unreadable)).reason is Reason.REFUSED
    assert serves(server, server.first)


def test_what_is_not_there_is_refused(server: Served) -> None:
    made, path = tls.make(NAME), "/etc/other"
    way_back = run(target(server).snapshot(str(server.file)))
    for work in (
        target(server).install(path, made.bundle),
        target(server).keep(path, made.bundle),
        target(server).snapshot(path),
        target(server).restore(path, way_back),
    ):
        assert refused(work).reason is Reason.NOT_THERE
    assert "nothing can be pushed" in refused(target(server).push("scs16", made.bundle)).message


def test_the_test_changes_nothing_and_says_what_is_wrong(server: Served) -> None:
    before = server.file.stat()
    good = run(target(server).test())
    assert (good.ok, good.problem, len(good.resources)) == (True, "", 1)
    looks_itself = isinstance(server, Rereading) and server.kind != "envoy"
    assert bool(good.notes) is looks_itself
    outside = run(target(server, path="/etc/tls.pem").test())
    assert "CERTDESK_TARGET_FOLDERS" in outside.next_step
    nowhere = run(target(server, path=str(server.folder / "none" / "x")).test())
    assert "is no folder" in nowhere.problem
    empty = run(target(server, path=str(server.folder / "tls" / "none")).test())
    assert "does not hold a certificate" in empty.problem
    assert server.file.stat().st_mtime_ns == before.st_mtime_ns


def test_no_way_back_means_hands_off(server: Served) -> None:
    held = server.file.read_bytes()
    for content in (
        b"",
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ):
        server.file.write_bytes(content)
        try:
            assert refused(target(server).snapshot(str(server.file))).reason is Reason.NO_WAY_BACK
            assert run(target(server).resources()) == ()
        finally:
            server.file.write_bytes(held)


def test_a_full_disk_leaves_the_old_one(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    error = refused(target(server).install(str(server.file), tls.make(NAME).bundle))
    assert (error.reason, "No space left" in error.message) == (Reason.REFUSED, True)
    monkeypatch.undo()
    assert [one.name for one in server.file.parent.iterdir()] == ["server"]
    assert serves(server, server.first)


@pytest.mark.parametrize("name", ["pkcs12", "jks"])
def test_other_programs_read_the_store(name: str) -> None:
    """OpenSSL, and where it is installed keytool; the library behind the small server reads both."""
    server = MAKERS[name]()
    run(target(server).install(str(server.file), server.first.bundle))
    file, commands = str(server.file), list[list[str]]()
    if name == "pkcs12":
        commands.append(["openssl", "pkcs12", "-in", file, "-nokeys", "-passin", "env:STORE"])
    if shutil.which("keytool"):
        commands.append(["keytool", "-list", "-rfc", "-keystore", file, "-storepass:env", "STORE"])
    for command in commands:
        told = subprocess.run(command, env={"STORE": PASSWORD}, capture_output=True, check=True).stdout
        assert server.first.bundle.leaf.split()[2] in told.decode().replace("\r", "")
        assert told.count(b"BEGIN CERTIFICATE") == 2
    shutil.rmtree(server.folder)
