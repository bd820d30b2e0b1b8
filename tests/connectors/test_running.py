"""The runner of programs: what may run, what it gets, and what is left of it."""

import asyncio
import os
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest

from certdesk.connectors.targets import running
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError
from certdesk.connectors.targets.running import Ran
from tests.support.waiting import until

T = TypeVar("T")
KEY = "MC4CAQAwBQYDK2VwBCIEIJx1"


def script(folder: Path, text: str, name: str = "it") -> str:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o700)
    return str(path)


def outside(tmp_path: Path, seconds: float = 30) -> Outside:
    return Outside(folders=(tmp_path / "data",), programs=(tmp_path / "bin",), seconds=seconds)


def run(tmp_path: Path, text: str, *arguments: str, **options: object) -> Ran:
    command = (script(tmp_path / "bin", text), *arguments)
    return asyncio.run(running.run(outside(tmp_path), command, **options))  # type: ignore[arg-type]


def refusal(work: Awaitable[object]) -> TargetError:
    async def inside() -> None:
        await work

    with pytest.raises(TargetError) as refused:
        asyncio.run(inside())
    return refused.value


def test_arguments_arrive_as_they_are_and_no_shell_reads_them(tmp_path: Path) -> None:
    ran = run(tmp_path, 'printf "%s|" "$@"; exit 3', "a b", "$(id)", "*; rm -rf /", "")
    assert (ran.status, ran.output) == (3, "a b|$(id)|*; rm -rf /||")


def test_the_environment_is_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CERTDESK_KEK_FILE", "/secret")
    told = run(tmp_path, "/usr/bin/env; pwd", environment={"MINE": "1"}).output.splitlines()
    assert "MINE=1" in told
    assert set(running.CLEAN.items()) <= {tuple(line.split("=", 1)) for line in told if "=" in line}
    assert not any("CERTDESK" in line or line.startswith("HOME=") for line in told)
    assert told[-1] == "/"


def test_both_streams_are_kept_in_order_up_to_a_limit(tmp_path: Path) -> None:
    assert run(tmp_path, "echo one; echo two >&2; echo three").told == "one two three"
    long = run(tmp_path, "/usr/bin/head -c 200000 /dev/zero | /usr/bin/tr '\\0' x; exit 1")
    assert (long.status, len(long.output), len(long.told)) == (1, running.MOST_OUTPUT, 300)


def test_the_input_comes_from_memory_whether_it_is_read_or_not(tmp_path: Path) -> None:
    big = b"k" * 1_000_000
    assert run(tmp_path, "/usr/bin/wc -c", stdin=big).told == "1000000"
    assert run(tmp_path, "echo done", stdin=big).told == "done"
    assert "memfd:" in run(tmp_path, "/usr/bin/readlink /proc/self/fd/0").output


def test_what_is_not_over_in_time_ends_with_its_children(tmp_path: Path) -> None:
    path = script(tmp_path / "bin", f"sleep 600 & echo $! > {tmp_path}/child; wait")
    error = refusal(running.run(outside(tmp_path, seconds=1.5), (path,)))
    assert (error.reason, error.permanent) == (Reason.TIMEOUT, False)
    child = int((tmp_path / "child").read_text(encoding="ascii"))
    until("the end of what it started", lambda: not alive(child))


def alive(pid: int) -> bool:
    """It was not told to end, or has not yet had the time to."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_daemon_that_holds_the_pipe_does_not_keep_the_caller(tmp_path: Path) -> None:
    ran = run(tmp_path, "sleep 600 & echo $!")
    daemon = int(ran.output)
    os.kill(daemon, 9)  # it lived: nothing ends what a program leaves behind on purpose
    assert ran.status == 0


@pytest.mark.parametrize("text", [f"echo 'bad line: {KEY}' >&2", "echo '-----BEGIN PRIVATE KEY-----'"])
def test_output_with_a_secret_is_not_shown(tmp_path: Path, text: str) -> None:
    ran = run(tmp_path, text, secrets=(f"-----BEGIN X-----\n{KEY}\n",))
    assert ran.told == "its output repeats a secret and is not shown"
    assert "bad line" in run(tmp_path, "echo bad line", secrets=(KEY, "short")).told


def test_only_programs_that_the_operator_named(tmp_path: Path) -> None:
    mine = script(tmp_path / "bin", "true")
    other = script(tmp_path / "other", "true")
    (tmp_path / "bin" / "link").symlink_to(other)
    for path in (other, str(tmp_path / "bin" / "link"), f"{tmp_path}/bin/../other/it"):
        error = refusal(running.run(outside(tmp_path), (path,), field="command"))
        assert (error.reason, error.field) == (Reason.NOT_ALLOWED, "command")
        assert "CERTDESK_TARGET_PROGRAMS" in error.next_step
    one = Outside(programs=(Path(other),))
    assert running.program(one, str(tmp_path / "bin" / "link")) == Path(other)
    assert refusal(running.run(one, (mine,))).reason is Reason.NOT_ALLOWED
    assert refusal(running.run(Outside(), (mine,))).reason is Reason.NOT_ALLOWED


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_program_that_others_may_change_does_not_run(tmp_path: Path, mode: int) -> None:
    path = Path(script(tmp_path / "bin", "true"))
    path.chmod(mode)
    error = refusal(running.run(outside(tmp_path), (str(path),)))
    assert (error.reason, "changed by others" in error.message) == (Reason.NOT_ALLOWED, True)


def test_a_program_where_targets_write_does_not_run(tmp_path: Path) -> None:
    path = script(tmp_path / "bin", "true")
    both = Outside(folders=(tmp_path / "bin",), programs=(tmp_path / "bin",))
    assert refusal(running.run(both, (path,))).reason is Reason.NOT_ALLOWED


def test_what_is_no_program(tmp_path: Path) -> None:
    file = tmp_path / "bin" / "text"
    script(tmp_path / "bin", "true")
    file.write_text("text", encoding="ascii")
    for path in (str(file), str(tmp_path / "bin"), str(tmp_path / "bin" / "none")):
        assert refusal(running.run(outside(tmp_path), (path,))).reason is Reason.NOT_THERE
    file.chmod(0o700)
    file.write_bytes(b"\x7fELF\0")
    assert "cannot be started" in refusal(running.run(outside(tmp_path), (str(file),))).message


@pytest.mark.parametrize("command", [(), ("x",) * 33, ("x\0y",)])
def test_what_is_no_command(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert refusal(running.run(outside(tmp_path), command)).reason is Reason.OPTIONS


def test_succeed_tells_the_status_and_the_last_words(tmp_path: Path) -> None:
    path = script(tmp_path / "bin", 'echo "bad: $1"; exit "$2"')
    assert asyncio.run(running.succeed(outside(tmp_path), (path, "no", "0"), "reload x")).status == 0
    error = refusal(running.succeed(outside(tmp_path), (path, "line 3.", "2"), "reload x"))
    assert error.message == f"{path} did not reload x: status 2, bad: line 3."
    silent = script(tmp_path / "bin", "exit 1", "silent")
    assert "said nothing" in refusal(running.succeed(outside(tmp_path), (silent,), "reload x")).message
