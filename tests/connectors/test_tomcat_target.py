"""Tomcat and its keystore: only what its manager makes it read is served, and what the manager answers."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from certdesk.connectors.targets.keystore.manager import Manager
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetCheck, TargetError
from tests.support import stub_http, tls, tomcat
from tests.support.needs import need
from tests.support.placed import NAME
from tests.support.placed_kinds import LOOPBACK, refused, run, serves, target
from tests.support.stub_http import Answer, Asked, Stub

OUTSIDE = Outside(seconds=5, allow_networks=LOOPBACK)
ALONE = {"manager": None, "manager_user": "", "manager_password": ""}


@pytest.fixture(scope="module")
def running() -> Iterator[tomcat.RealTomcat]:
    need(not tomcat.missing(), f"{tomcat.missing()} is not installed")
    with tomcat.RealTomcat() as server:
        yield server  # type: ignore[misc]


@pytest.fixture
def server(running: tomcat.RealTomcat) -> Iterator[tomcat.RealTomcat]:
    path = str(running.file)
    before = run(target(running).snapshot(path))
    yield running
    run(target(running).restore(path, before))


@pytest.mark.server
def test_a_tomcat_that_nobody_tells_serves_the_old_one(server: tomcat.RealTomcat) -> None:
    new, quiet = tls.make(NAME), target(server, **ALONE)
    told: TargetCheck = run(quiet.test())
    assert (told.ok, told.notes[0].startswith("There is no command")) == (True, True)
    run(quiet.install(str(server.file), new.bundle))
    assert serves(server, server.first)
    run(target(server).install(str(server.file), new.bundle))
    assert serves(server, new)


# rule: DEP-6
@pytest.mark.server
@pytest.mark.parametrize(
    ("options", "status", "next_step"),
    [
        ({"manager_password": "another-one"}, 401, "Correct user and password of the manager."),
        ({"manager_user": "other"}, 403, "Give the user the role manager-script"),
        ({"manager": "http://127.0.0.1:{port}/none"}, 404, "Correct the manager's address"),
    ],
)
def test_a_manager_that_refuses_is_told_and_a_restart_finds_the_old_one(
    server: tomcat.RealTomcat, options: dict[str, str], status: int, next_step: str
) -> None:
    given = {name: text.format(port=server.manager) for name, text in options.items()}
    path, before = str(server.file), run(target(server).snapshot(str(server.file)))
    error = refused(target(server, **given).install(path, tls.make(NAME).bundle))
    assert (error.reason, error.permanent) == (Reason.REFUSED, True)
    assert error.message == f"The reload of Tomcat's TLS failed: 127.0.0.1 answered {status}."
    assert error.next_step.startswith(next_step)
    assert refused(target(server, **given).restore(path, before)).reason is Reason.REFUSED
    assert serves(server, server.first)
    assert run(target(server).resources())[0].fingerprint_sha1 == server.first.bundle.fingerprint_sha1
    told: TargetCheck = run(target(server, **given).test())
    assert (told.ok, f"answered {status}" in told.problem) == (False, True)


@pytest.mark.server
def test_what_tomcat_cannot_use_leaves_the_old_one(server: tomcat.RealTomcat) -> None:
    manager = Manager(server.options["manager"], "_default_", "certdesk", tomcat.KEY)
    held = server.file.read_bytes()
    server.file.write_bytes(b"no keystore")
    try:
        error = refused(manager.reload(OUTSIDE))
        assert (error.reason, "log" in error.next_step) == (Reason.REFUSED, True)
        assert serves(server, server.first)
    finally:
        server.file.write_bytes(held)


@pytest.mark.server
def test_another_hosts_broken_keystore_is_not_in_the_way(server: tomcat.RealTomcat) -> None:
    """Told to read all again, Tomcat stops at the broken one, before ours or after it."""
    held = server.other.read_bytes()
    server.other.write_bytes(b"no keystore")
    try:
        new = tls.make(NAME)
        run(target(server).install(str(server.file), new.bundle))
        assert serves(server, new)
        error = refused(target(server, tls_host="nobody.example.test").install(str(server.file), new.bundle))
        assert error.message == "The reload of Tomcat's TLS failed: Failed to reload TLS configuration."
        assert "name of the TLS host" in error.next_step
    finally:
        server.other.write_bytes(held)


@dataclass
class Standin(Stub):
    """A manager that answers each question like this."""

    status: int = 200
    says: bytes = b""

    def refuses(self, asked: Asked) -> Answer | None:
        return None

    def answer(self, asked: Asked) -> Answer:
        return Answer(self.status, self.says, "text/plain")


@pytest.mark.parametrize(
    ("status", "says", "reason", "told"),
    [
        (200, b"FAIL - Failed to reload TLS configuration\r\n", Reason.REFUSED, "Failed to reload TLS"),
        (200, b"<html>Welcome</html>", Reason.BAD_ANSWER, "not answer as Tomcat's manager"),
        (200, b"", Reason.BAD_ANSWER, "not answer as Tomcat's manager"),
        (503, b"", Reason.BUSY, "answered 503"),
        (302, b"", Reason.REFUSED, "answered 302"),
    ],
)
def test_only_its_ok_counts(status: int, says: bytes, reason: Reason, told: str) -> None:
    with stub_http.running(Standin(status=status, says=says)) as found:
        manager = Manager(f"{found.url}/manager", "_default_", "certdesk", "the-password")
        error = refused(manager.reload(OUTSIDE))
    assert (error.reason, told in error.message) == (reason, True)
    assert (found.asked[0].path, found.asked[0].query) == (
        "/manager/text/sslReload",
        {"tlsHostName": "_default_"},
    )
    assert "the-password" not in f"{manager!r}{error!r}"


def test_a_manager_that_is_away_or_silent_may_come_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/manager"
        quick = Outside(seconds=0.3, allow_networks=LOOPBACK)
        error: TargetError = refused(Manager(url, "_default_", "certdesk", "p").reload(quick))
    assert (error.reason, error.permanent) == (Reason.TIMEOUT, False)
    assert refused(Manager(url, "_default_", "certdesk", "p").reload(quick)).reason is Reason.UNREACHABLE
    assert refused(Manager(url, "_default_", "certdesk", "p").look(Outside())).reason is Reason.NOT_ALLOWED
