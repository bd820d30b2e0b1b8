"""Targets with files as they can go wrong: failing commands, servers that refuse, options that do not fit."""

import os
import pwd
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from certdesk.connectors.targets import disk, registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, Target, TargetCheck, TargetError
from certdesk.connectors.targets.webserver import layout
from tests.support import tls
from tests.support.deployment_faults import no_permission
from tests.support.needs import need
from tests.support.placed import NAME, POSTGRES, RealPostgres, together
from tests.support.placed_kinds import refused, run

PATH, LISTENER = "/tmp/server.pem", "10.0.0.5:443"
TOMCAT = {
    "password": "long-enough",
    "manager": "http://h:8080/manager",
    "manager_user": "certdesk",
    "manager_password": "p",
}


def script(folder: Path, text: str) -> str:
    path = folder / "bin" / "reload"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(0o700)
    return str(path)


def made(folder: Path, kind: str = "pem", **options: Any) -> Target:
    (folder / "tls").mkdir(exist_ok=True)
    given = {"path": str(folder / "tls" / "server"), "listeners": [LISTENER], **options}
    outside = Outside(folders=(folder / "tls",), programs=(folder / "bin",), seconds=5)
    return registry.connect(kind, given, outside)


# rule: DEP-6
def test_a_command_that_fails_is_told_and_the_way_back_stays(tmp_path: Path) -> None:
    old, new, file = tls.make(NAME), tls.make(NAME), tmp_path / "tls" / "server"
    target = made(tmp_path, reload=[script(tmp_path, 'echo "line 7: bad $1"; exit 1'), "now"])
    file.write_bytes(together(old.bundle))
    before = run(target.snapshot(str(file)))
    error = refused(target.install(str(file), new.bundle))
    assert (error.reason, error.permanent) == (Reason.REFUSED, True)
    assert error.message.endswith("did not reload the server: status 1, line 7: bad now.")
    assert refused(target.restore(str(file), before)).reason is Reason.REFUSED
    assert file.read_bytes() == together(old.bundle)  # whatever the command says, a restart finds the old one
    script(tmp_path, "exit 0")
    run(target.restore(str(file), before))


def test_the_test_names_a_command_that_may_not_run(tmp_path: Path) -> None:
    target = made(tmp_path, reload=["/usr/bin/true"])
    (tmp_path / "tls" / "server").write_bytes(together(tls.make(NAME).bundle))
    told: TargetCheck = run(target.test())
    assert (told.ok, "CERTDESK_TARGET_PROGRAMS" in told.next_step) == (False, True)


def test_two_files_are_one_certificate(tmp_path: Path) -> None:
    file, key = tmp_path / "tls" / "server", tmp_path / "tls" / "key"
    target, new = made(tmp_path, key_path=str(key)), tls.make(NAME)
    file.write_bytes(together(tls.make(NAME).bundle))
    assert refused(target.snapshot(str(file))).reason is Reason.NO_WAY_BACK  # no key to go back to
    key.write_bytes(b"the old key")
    before = run(target.snapshot(str(file)))
    run(target.install(str(file), new.bundle))
    assert key.read_text(encoding="ascii") == new.bundle.key
    assert "PRIVATE KEY" not in file.read_text(encoding="ascii")
    run(target.restore(str(file), before))
    assert key.read_bytes() == b"the old key"


def test_a_keystore_with_another_password_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "tls" / "server"
    for kind in ("PKCS12", "JKS"):
        options = {"format": kind, "password": "the-first-one"}
        run(made(tmp_path, "keystore", **options).install(str(file), tls.make(NAME, key="RSA").bundle))
        other = made(tmp_path, "keystore", **{**options, "password": "another-one"})
        assert run(other.resources()) == ()
        assert refused(other.snapshot(str(file))).reason is Reason.NO_WAY_BACK


def test_a_keystore_has_no_password_in_its_answers(tmp_path: Path) -> None:
    options = registry.read_options(
        "keystore", {"path": PATH, "listeners": [LISTENER], "password": "the-first-one"}
    )
    assert options.shown()["password"] == "***"
    assert "the-first-one" not in repr(options)
    assert options.stored()["password"] == "the-first-one"


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("pem", {"path": "relative"}, "path"),
        ("pem", {"listeners": []}, "listeners"),
        ("pem", {"listeners": ["no port"]}, "listeners"),
        ("pem", {"listeners": ["smtp//x:25"]}, "listeners"),
        ("pem", {"reload": ["x"] * 17}, "reload"),
        ("keystore", {"password": "short"}, "six characters"),
        ("keystore", {"password": "long-enough", "alias": "Ä"}, "alias"),
        ("keystore", {"password": "long-enough", "format": "BKS"}, "format"),
        ("keystore", {**TOMCAT, "reload": ["/x"]}, "and not both"),
        ("keystore", {**TOMCAT, "manager_password": ""}, "user and password of the manager"),
        ("keystore", {**TOMCAT, "manager_user": "a:b"}, "manager_user"),
        ("keystore", {**TOMCAT, "manager": "ftp://h/manager"}, "begin with https"),
        ("envoy", {}, "secret"),
        ("postgresql", {}, "the socket or a command"),
        ("postgresql", {"socket": "/run/postgresql", "reload": ["/x"]}, "and not both"),
    ],
)
def test_options_that_do_not_fit(kind: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(TargetError, match=told) as error:
        registry.connect(kind, {"path": PATH, "listeners": [LISTENER], **options}, Outside())
    assert error.value.reason is Reason.OPTIONS


@pytest.mark.parametrize("listener", [LISTENER, "smtp://mx.example.test:25", "imap://[2001:db8::1]:143"])
def test_listeners_that_fit(listener: str) -> None:
    assert registry.read_options("pem", {"path": PATH, "listeners": [listener]}).stored()["listeners"] == [
        listener
    ]


def test_files_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside(folders=(tmp_path,), max_bytes=10)
    (tmp_path / "folder").mkdir()
    (tmp_path / "long").write_bytes(b"x" * 11)
    assert disk.read(outside, str(tmp_path / "none")) is None
    for name, told in (("folder", "cannot be read"), ("long", "longer than 10 bytes")):
        with pytest.raises(TargetError, match=told):
            disk.read(outside, str(tmp_path / name))
    for name in ("folder", "nowhere/file"):
        with pytest.raises(TargetError, match="cannot be written"):
            disk.write(outside, str(tmp_path / name), b"text")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(TargetError, match="cannot be written: Permission denied"):
        disk.check_writable(outside, str(tmp_path / "long"))
    assert {one.name for one in tmp_path.iterdir()} == {"folder", "long"}


SERVER, READERS = 4711, 4712
"""Ids of a server's user and of a group, in no list of this machine."""


def nobody_gives(monkeypatch: pytest.MonkeyPatch, *mine: int) -> None:
    """As for a service that is not root and belongs to these groups."""
    real = os.chown

    def chown(path: int | Path, user: int, group: int) -> None:
        if user != -1 or group not in mine:
            raise PermissionError(1, "Operation not permitted")
        real(path, user, group)

    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(os, "geteuid", lambda: 4713)
    monkeypatch.setattr(os, "getgroups", lambda: list(mine))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
@pytest.mark.parametrize(
    ("user", "mode", "mine", "fits"),
    [
        (0, 0o640, (READERS,), True),
        (0, 0o640, (), False),
        (0, 0o644, (), True),
        (0, 0o600, (), True),
        (SERVER, 0o640, (READERS,), False),
        (SERVER, 0o600, (READERS,), False),
        (SERVER, 0o644, (), True),
    ],
)
def test_who_reads_a_file_reads_the_one_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, mode: int, mine: tuple[int, ...], fits: bool
) -> None:
    outside, path = Outside(folders=(tmp_path,)), tmp_path / "key"
    path.write_bytes(b"old")
    path.chmod(mode)
    os.chown(path, user, READERS)
    nobody_gives(monkeypatch, *mine)
    if fits:
        disk.check_writable(outside, str(path))
        disk.write(outside, str(path), b"new")
    else:
        for ask in (
            lambda: disk.check_writable(outside, str(path)),
            lambda: disk.write(outside, str(path), b"new"),
        ):
            with pytest.raises(TargetError, match="could not read it after its next restart"):
                ask()
    assert path.read_bytes() == (b"new" if fits else b"old")
    assert path.stat().st_mode & 0o777 == mode
    assert (path.stat().st_gid == READERS) is (READERS in mine or not fits)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_servers_user_in_the_files_group_reads_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, path = Outside(folders=(tmp_path,)), tmp_path / "key"
    path.write_bytes(b"old")
    path.chmod(0o640)
    os.chown(path, pwd.getpwnam("daemon").pw_uid, pwd.getpwnam("daemon").pw_gid)
    nobody_gives(monkeypatch, pwd.getpwnam("daemon").pw_gid)
    disk.check_writable(outside, str(path))
    disk.write(outside, str(path), b"new")
    assert path.stat().st_gid == pwd.getpwnam("daemon").pw_gid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_folder_that_may_not_be_entered_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    folder.mkdir(mode=0o700)
    for name in ("a.crt", "a.key"):
        (folder / name).write_bytes(b"text")
    outside, path = Outside(folders=(folder,)), str(folder / "a.key")
    closed = no_permission()
    closed.enter()
    try:
        for ask in (
            lambda: layout.file_set(outside, (path,)),
            lambda: disk.check_owner(Path(path)),
            lambda: disk.check_writable(outside, path),
        ):
            with pytest.raises(TargetError) as error:
                ask()
            assert error.value.reason in (Reason.REFUSED, Reason.NOT_THERE)
        assert not disk.is_folder(folder / "below")
    finally:
        closed.leave()
    assert disk.is_folder(folder)
    disk.check_owner(folder / "none")


@pytest.fixture(scope="module")
def postgres() -> Iterator[RealPostgres]:
    need(bool(POSTGRES), "postgresql is not installed")
    with RealPostgres() as server:
        yield server


def of(server: RealPostgres, **options: Any) -> Target:
    return registry.connect(
        "postgresql", {**server.options, **options}, Outside(folders=(server.folder,), seconds=5)
    )


def ask(server: RealPostgres, *statements: str) -> None:
    place = {"host": str(server.folder), "port": server.port, "user": "postgres", "dbname": "postgres"}
    with psycopg.connect("", autocommit=True, **place) as connection:  # type: ignore[arg-type]
        for statement in statements:
            connection.execute(statement.encode())


@pytest.mark.server
def test_postgresql_says_what_is_wrong_with_it(postgres: RealPostgres) -> None:
    assert run(of(postgres).test()).ok
    other = postgres.file.with_name("other")
    other.write_bytes(postgres.file.read_bytes())
    told = run(of(postgres, path=str(other)).test())
    other.unlink()
    assert f"reads its certificate from {postgres.file}, not from {other}" in told.problem
    assert "cannot be used" in run(of(postgres, port=1).test()).problem
    assert "cannot be used" in run(of(postgres, user="nobody-here").test()).problem
    assert "CERTDESK_TARGET_FOLDERS" in run(of(postgres, socket="/run/other").test()).next_step


@pytest.mark.server
def test_a_role_without_the_right_to_reload(postgres: RealPostgres) -> None:
    ask(postgres, "DROP ROLE IF EXISTS small", "CREATE ROLE small LOGIN")
    held = postgres.file.read_bytes()
    error = refused(of(postgres, user="small").install(str(postgres.file), tls.make(NAME).bundle))
    postgres.file.write_bytes(held)
    assert (error.reason, "permission denied" in error.message) == (Reason.REFUSED, True)
    assert "Give the role small" in error.next_step


@pytest.mark.server
def test_a_server_with_tls_off(postgres: RealPostgres) -> None:
    ask(postgres, "ALTER SYSTEM SET ssl = off")
    try:
        postgres.stop()
        postgres.start()
        assert "its setting ssl is off" in run(of(postgres).test()).problem
    finally:
        ask(postgres, "ALTER SYSTEM RESET ssl")
        postgres.stop()
        postgres.start()


def test_a_frozen_postgresql(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    target = made(tmp_path, "postgresql", socket=str(folder), port=7)
    (folder / "server").write_bytes(together(tls.make(NAME).bundle))
    target._outside = Outside(folders=(folder,), seconds=0.5)  # type: ignore[attr-defined]
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(folder / ".s.PGSQL.7"))
        silent.listen()
        error = refused(target.restore(str(folder / "server"), run(target.snapshot(str(folder / "server")))))
    assert error.reason is Reason.TIMEOUT


def test_postgresql_by_a_command(tmp_path: Path) -> None:
    target = made(tmp_path, "postgresql", reload=[script(tmp_path, f"echo done > {tmp_path}/told")])
    file = tmp_path / "tls" / "server"
    file.write_bytes(together(tls.make(NAME).bundle))
    assert run(target.test()).ok
    run(target.install(str(file), tls.make(NAME).bundle))
    assert (tmp_path / "told").read_text(encoding="ascii") == "done\n"
