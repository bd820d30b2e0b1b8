"""Web servers that fail at each step of a deployment: the previous certificate stays."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from certdesk.connectors.probe import Verdict
from certdesk.connectors.targets import registry
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, Target, TargetError
from certdesk.connectors.targets.webserver import commands, layout, target
from certdesk.lab.nginx import LabNginx
from tests.support import tls
from tests.support.target_kinds import Bench, opened, run

pytestmark = pytest.mark.server
WWW, SHOP = "www.example.test", "shop.example.test"


@pytest.fixture(params=["nginx", "apache"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with opened(request.param, tmp_path / "server") as made:
        yield made


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Bench]:
    with opened("nginx", tmp_path / "server") as made:
        yield made


def config(bench: Bench) -> Path:
    return Path(str(bench.lab.options["config"]))


def refused(bench: Bench, made: tls.Made) -> TargetError:
    """An installation that must fail; afterwards the old certificate is there, live and on the disk."""
    found = bench.by_name(SHOP)
    before = run(bench.target().snapshot(found.id))
    with pytest.raises(TargetError) as error:
        run(bench.target().install(found.id, made.bundle))
    assert bench.served(SHOP, made, Verdict.PREVIOUS, before.fingerprint_sha256) is Verdict.PREVIOUS
    return error.value


@pytest.mark.parametrize(
    ("unchecked", "words"),
    [(["check_pair"], "no server would take"), (["check_pair", "check_files"], "test of its configuration")],
)
def test_a_pair_that_does_not_fit_is_caught_later_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, unchecked: list[str], words: str
) -> None:
    if bench.kind == "apache" and len(unchecked) == 2:
        return  # its own test does not look into the files: it would die of the pair at its reload
    for name in unchecked:
        monkeypatch.setattr(target.material, name, lambda *_: None)
    made = tls.make(SHOP)
    wrong = replace(made, bundle=replace(made.bundle, key=tls.make(SHOP).bundle.key))
    told = refused(bench, wrong)
    assert told.reason is Reason.REFUSED
    assert words in told.message
    assert "match" in told.message.lower()
    assert bench.by_name(SHOP).fingerprint_sha1 != made.bundle.fingerprint_sha1
    bench.restart()  # the files on the disk are whole


@pytest.mark.parametrize("step", ["check", "reload"])
def test_the_server_refuses_at_a_step(bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    made, found = tls.make(SHOP), bench.by_name(SHOP)
    broken = bench.target()

    async def fail() -> None:
        raise TargetError(Reason.REFUSED, "It says no.")

    with monkeypatch.context() as patch:
        patch.setattr(broken._server, step, fail)  # type: ignore[attr-defined]
        with pytest.raises(TargetError, match="says no"):
            run(broken.install(found.id, made.bundle))
    assert bench.by_name(SHOP) == found
    run(bench.target().install(found.id, made.bundle))
    assert bench.served(SHOP, made) is Verdict.NEW


def test_a_configuration_that_somebody_broke(bench: Bench) -> None:
    made, found = tls.make(SHOP), bench.by_name(SHOP)
    before, text = run(bench.target().snapshot(found.id)), config(bench).read_text()
    run(bench.target().install(found.id, made.bundle))
    assert bench.served(SHOP, made) is Verdict.NEW
    config(bench).write_text(f"{text}\nnonsense;")
    assert "failed" in run(bench.target().test()).problem
    for verb in (bench.target().install(found.id, made.bundle), bench.target().restore(found.id, before)):
        with pytest.raises(TargetError) as error:
            run(verb)
        assert "nonsense" in error.value.message
        assert "configuration" in error.value.next_step
    config(bench).write_text(text)
    run(bench.target().restore(found.id, before))
    assert bench.served(SHOP, made, Verdict.PREVIOUS, before.fingerprint_sha256) is Verdict.PREVIOUS


def test_a_full_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(layout.os, "fsync", full)
        told = refused(bench, tls.make(SHOP))
    assert ("No space left" in told.message, told.touched) == (True, False)
    made, found = tls.make(SHOP), bench.by_name(SHOP)
    run(bench.target().install(found.id, made.bundle))
    assert bench.served(SHOP, made) is Verdict.NEW


def test_a_frozen_server_serves_what_is_on_the_disk_once_it_thaws(bench: Bench) -> None:
    made, found = tls.make(SHOP), bench.by_name(SHOP)
    before = run(bench.target().snapshot(found.id))
    os.kill(bench.lab.process.pid, signal.SIGSTOP)
    try:
        run(bench.target().install(found.id, made.bundle))
        run(bench.target().restore(found.id, before))
    finally:
        os.kill(bench.lab.process.pid, signal.SIGCONT)
    assert bench.served(SHOP, made, Verdict.PREVIOUS, before.fingerprint_sha256) is Verdict.PREVIOUS
    run(bench.target().install(found.id, made.bundle))
    assert bench.served(SHOP, made) is Verdict.NEW


def test_a_worker_that_is_told_to_stop_leaves_the_old_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, found = tls.make(SHOP), bench.by_name(SHOP)
    slow = bench.target()

    there = asyncio.Event()

    async def forever() -> None:
        there.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(slow._server, "check", forever)  # type: ignore[attr-defined]

    async def cancelled() -> None:
        work = asyncio.create_task(slow.install(found.id, made.bundle))
        await there.wait()
        written = await asyncio.to_thread(Path(found.id).read_text)
        assert written == made.bundle.leaf + made.bundle.chain
        work.cancel()
        await asyncio.wait({work})

    run(cancelled())
    assert bench.by_name(SHOP) == found


def test_a_server_that_does_not_run_is_not_started(bench: Bench) -> None:
    made, found = tls.make(SHOP), bench.by_name(SHOP)
    bench.lab.stop()
    with pytest.raises(TargetError):
        run(bench.target().install(found.id, made.bundle))
    assert bench.by_name(SHOP) == found
    assert "does not run" in run(bench.target().test()).problem


def test_no_certificate_no_way_back(nginx: Bench) -> None:
    pair = f"{nginx.lab.folder}/tls/site2.crt={nginx.lab.folder}/tls/site2.key"
    named = {"pairs": [pair], "listeners": [nginx.lab.server]}
    path = pair.partition("=")[0]
    assert run(nginx.target(**named).snapshot(path)).names == (SHOP,)
    for text in ("", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"):
        Path(path).write_text(text, encoding="ascii")
        with pytest.raises(TargetError) as refused:
            run(nginx.target(**named).snapshot(path))
        assert refused.value.reason is Reason.NO_WAY_BACK
    assert run(nginx.target(**named).resources())[0].fingerprint_sha1 == ""
    assert "failed" in run(nginx.target(**named).test()).problem


def test_named_pairs_need_no_configuration(nginx: Bench) -> None:
    pair = f"{nginx.lab.folder}/tls/site2.crt={nginx.lab.folder}/tls/site2.key"
    (only,) = run(nginx.target(pairs=[pair], listeners=[nginx.lab.server]).resources())
    assert (only.names, only.listeners) == ((SHOP,), (nginx.lab.server,))
    made = tls.make(SHOP)
    run(nginx.target(pairs=[pair], listeners=[nginx.lab.server]).install(only.id, made.bundle))
    assert nginx.served(SHOP, made) is Verdict.NEW
    with pytest.raises(TargetError, match="without the listeners"):
        nginx.target(pairs=[pair])


def test_certificates_that_share_a_key_are_left_alone(nginx: Bench) -> None:
    text = config(nginx).read_text()
    for name in ("crt", "key"):
        target_ = nginx.lab.folder / "tls" / f"site1.{name}"
        (nginx.lab.folder / "tls" / f"site2.{name}").write_bytes(target_.read_bytes())
    config(nginx).write_text(text.replace("site2.key", "site1.key"))
    with pytest.raises(TargetError, match="key of several certificates"):
        run(nginx.target().snapshot(nginx.by_name(SHOP).id))


def test_sites_without_https_are_named_and_refused(tmp_path: Path) -> None:
    with LabNginx(tmp_path / "server", plain=("bare.example.test",)) as lab:
        bench = Bench("nginx", lab)
        bare = bench.by_name("bare.example.test")
        assert (bare.listeners, bare.fingerprint_sha1) == ((), "")
        with pytest.raises(TargetError, match="without HTTPS"):
            run(bench.target().snapshot(bare.id))


def test_files_outside_the_folders_are_noted_and_left_out(nginx: Bench, tmp_path: Path) -> None:
    tls_folder = nginx.lab.folder / "tls"
    for name in ("crt", "key"):
        moved = tmp_path / f"site2.{name}"
        (tls_folder / f"site2.{name}").rename(moved)
        (tls_folder / f"site2.{name}").symlink_to(moved)
    result = run(nginx.target().test())
    assert [one.names for one in result.resources] == [(WWW, "example.test")]
    assert "lies in no folder" in result.notes[0]


def test_keeping_what_somebody_else_changed_is_refused(nginx: Bench) -> None:
    found = nginx.by_name(SHOP)
    with pytest.raises(TargetError, match="changed"):
        run(nginx.target().keep(found.id, tls.make(SHOP).bundle))


def test_a_folder_that_may_not_be_written(nginx: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.access
    monkeypatch.setattr(target.os, "access", lambda path, mode: mode & os.W_OK == 0 and really(path, mode))
    assert "may not write" in run(nginx.target().test()).problem


def test_what_is_in_use_is_not_pushed_over(nginx: Bench) -> None:
    made = tls.make(SHOP)
    pushed = run(nginx.target().push("scs1", made.bundle))
    pair = f"{pushed.id}={pushed.id.removesuffix('.pem')}.key"
    with pytest.raises(TargetError, match="in use"):
        run(nginx.target(pairs=[pair], listeners=[nginx.lab.server]).push("scs1", made.bundle))
    with pytest.raises(TargetError, match="does not belong"):
        run(nginx.target().push("scs2", replace(made.bundle, key="no key")))


def fixed(monkeypatch: pytest.MonkeyPatch, **programs: str | None) -> list[tuple[str, ...]]:
    """Programs that are found as told, and every command that would run."""
    ran: list[tuple[str, ...]] = []

    async def note(_: Outside, command: tuple[str, ...], __: str) -> str:
        ran.append(tuple(command))
        return ""

    monkeypatch.setattr(commands, "find", lambda *names: programs.get(names[0]))
    monkeypatch.setattr(commands, "run", note)
    return ran


def made_target(kind: str, folder: Path, **options: object) -> Target:
    return registry.connect(kind, {"config": f"{folder}/c.conf", **options}, Outside(folders=(folder,)))


@pytest.mark.parametrize(("kind", "program"), [("nginx", "/usr/sbin/nginx"), ("apache", "/usr/sbin/apache2")])
def test_sudo_and_systemd_are_fixed_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, program: str
) -> None:
    found = {"sudo": "/usr/bin/sudo", "systemctl": "/usr/bin/systemctl", kind: program, "apache2": program}
    ran = fixed(monkeypatch, **found)
    server = made_target(kind, tmp_path, sudo=True, unit=f"{Path(program).name}.service")._server  # type: ignore[attr-defined]
    run(server.check())
    run(server.reload())
    assert ran[0][:3] == ("/usr/bin/sudo", "-n", program)
    assert ran[0][-1] == "-t"
    unit = f"{Path(program).name}.service"
    assert ran[1] == ("/usr/bin/sudo", "-n", "/usr/bin/systemctl", "reload", unit)
    with pytest.raises(TargetError, match="unit"):
        made_target(kind, tmp_path, unit="ssh")
    fixed(monkeypatch)
    with pytest.raises(TargetError, match="is not installed"):
        run(server.check())


def test_debian_needs_its_own_wrapper(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = fixed(monkeypatch, apache2ctl="/usr/sbin/apache2ctl")
    outside = Outside(folders=(Path("/etc/apache2"),))
    made = registry.connect("apache", {"config": "/etc/apache2/apache2.conf"}, outside)
    run(made._server.check())  # type: ignore[attr-defined]
    assert ran == [("/usr/sbin/apache2ctl", "-f", "/etc/apache2/apache2.conf", "-t")]


def test_certificates_without_a_fixed_path_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed(monkeypatch, nginx="/usr/sbin/nginx")

    async def dump(*_: object) -> str:
        return (
            "# configuration file /n/c.conf:\nhttp { server { listen 443 ssl; "
            "ssl_certificate $name.crt; ssl_certificate_key $name.key; } }"
        )

    monkeypatch.setattr(commands, "run", dump)
    result = run(made_target("nginx", tmp_path).test())
    assert (result.ok, result.resources) == (True, ())
    assert "fixed path" in result.notes[0]
    assert "no certificate yet" in result.notes[-1]


def command_lines() -> Iterator[bytes]:
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield one.read_bytes()


def test_commands_end_in_time_and_in_measure(tmp_path: Path) -> None:
    outside = Outside(folders=(tmp_path,), seconds=0.3, max_bytes=10)
    mark = f"60.{os.getpid()}"
    with pytest.raises(TargetError) as late:
        run(commands.run(outside, ["/bin/sh", "-c", f"sleep {mark} & sleep {mark}"], "The sleep"))
    assert late.value.reason is Reason.TIMEOUT
    until = time.monotonic() + 10
    while any(mark.encode() in cmdline for cmdline in command_lines()):
        assert time.monotonic() < until, "a child of the command goes on"
    with pytest.raises(TargetError, match="more than 10 bytes"):
        run(commands.run(replace(outside, seconds=10), ["/bin/echo", "12345678901234567890"], "The echo"))
    with pytest.raises(TargetError) as denied:
        run(commands.run(replace(outside, seconds=10, max_bytes=999), ["/bin/cat", "/no/file"], "The look"))
    assert denied.value.reason is Reason.REFUSED
    script = ["/bin/sh", "-c", "echo 'Permission denied' >&2; exit 3"]
    with pytest.raises(TargetError) as denied:
        run(commands.run(replace(outside, seconds=10, max_bytes=99), script, "The look"))
    assert "sudo" in denied.value.next_step
    assert commands.told("") == "it said nothing"


def test_whether_a_process_is_there(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert commands.runs(str(file)) is False
    file.write_text(f"{os.getpid()}\n")
    assert commands.runs(str(file)) is True
    file.write_text("")
    assert commands.runs(str(file)) is False
    assert commands.runs(str(tmp_path)) is None
