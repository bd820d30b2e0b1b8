"""One suite for the targets with one certificate in files: against PostgreSQL, Postfix, Tomcat and Envoy
themselves, and for any others against a small server that looks at its file by itself."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from certdesk.connectors.targets.protocol import Reason, Snapshot
from tests.support import tls
from tests.support.placed import NAME, Rereading, Served
from tests.support.placed_kinds import MAKERS, refused, run, serves, target
from tests.support.tomcat import PASSWORD

pytestmark = pytest.mark.server


@pytest.fixture(scope="module", params=sorted(MAKERS))
def running(request: pytest.FixtureRequest) -> Iterator[tuple[Served, Snapshot]]:
    """The server with the way back to what it serves first."""
    with MAKERS[request.param]() as server:
        yield server, run(target(server).snapshot(str(server.file)))


@pytest.fixture
def server(running: tuple[Served, Snapshot]) -> Iterator[Served]:
    found, first = running
    yield found
    run(target(found).restore(str(found.file), first))


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
    assert bool(good.notes) is isinstance(server, Rereading)
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

    before = run(target(server).snapshot(str(server.file)))
    monkeypatch.setattr(os, "fsync", full)
    error = refused(target(server).install(str(server.file), tls.make(NAME).bundle))
    assert (error.reason, error.touched) == (Reason.REFUSED, False)
    assert "No space left" in error.message
    run(target(server).restore(str(server.file), before))  # there is nothing to write
    monkeypatch.undo()
    assert [one.name for one in server.file.parent.iterdir()] == ["server"]
    assert serves(server, server.first)


@pytest.mark.parametrize("name", ["pkcs12", "jks"])
def test_other_programs_read_the_store(name: str) -> None:
    """OpenSSL, and where it is installed keytool."""
    server = MAKERS[name]()
    server.prepare()
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
