"""HAProxy's answers as they can go wrong, files that cannot be had, options that do not fit."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from certdesk.connectors.targets import disk, registry
from certdesk.connectors.targets.haproxy import listing
from certdesk.connectors.targets.haproxy.runtime import Runtime
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError
from certdesk.lab.background import LoopThread

PEM = "-----BEGIN X-----\nAA\n-----END X-----\n"


@contextmanager
def answering(folder: Path, answer: Callable[[str], str | None], seconds: float = 10) -> Iterator[Runtime]:
    """A Runtime API with made-up answers; None = it stays silent."""

    async def command(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = answer((await reader.readline()).decode().replace(" <<", "").strip())
        try:
            if told is None:
                await reader.read()
            else:
                writer.write(told.encode())
                await writer.drain()
        finally:
            writer.transport.abort()

    async def start() -> asyncio.Server:
        return await asyncio.start_unix_server(command, str(folder / "s"))

    loop = LoopThread("answers").start()
    server = loop.call(start())
    try:
        yield Runtime(str(folder / "s"), Outside(folders=(folder,), seconds=seconds, max_bytes=1000))
    finally:
        loop.loop.call_soon_threadsafe(server.close)
        loop.stop()


def refusal(work: object) -> TargetError:
    with pytest.raises(TargetError) as refused:
        asyncio.run(work)  # type: ignore[arg-type]
    return refused.value


@pytest.mark.parametrize(
    ("told", "reason"),
    [(None, Reason.TIMEOUT), ("x" * 2000, Reason.BAD_ANSWER), ("Permission denied\n", Reason.REFUSED)],
)
def test_answers_that_are_none(tmp_path: Path, told: str | None, reason: Reason) -> None:
    with answering(tmp_path, lambda _: told, 10 if told else 0.3) as runtime:
        assert refusal(runtime.ask("show ssl cert")).reason is reason


def test_a_set_that_went_into_somebody_elses_transaction_is_undone(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(command: str) -> str:
        asked.append(command)
        if command == "show ssl cert":
            return (
                "# transaction\n*/other.pem\n" if "set ssl cert /a.pem" in asked else "# filename\n/a.pem\n"
            )
        return "Transaction updated for certificate /other.pem!\n"

    with answering(tmp_path, answer) as runtime:
        error = refusal(runtime.replace("/a.pem", PEM))
    assert error.reason is Reason.REFUSED
    assert asked[-1] == "abort ssl cert /other.pem"


def test_names_that_cannot_be_changed_are_told(tmp_path: Path) -> None:
    lists = {
        "show ssl crt-list": "/l\n",
        "show ssl crt-list -n /l": "# /l\n/a.pem:1 old.test\n/a.pem:2 new.test\n",
    }

    def at_delete(command: str) -> str:
        return lists.get(command, "Can't delete the entry: busy\n")

    with answering(tmp_path, at_delete) as runtime:
        assert "busy" in refusal(runtime.rename("/a.pem", ("new.test",))).message
        assert "change the names" in refusal(runtime.rename("/a.pem", ("third.test",))).message


def test_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    def answer(command: str) -> str:
        return "Can't display\n" if command.startswith("show") else ""

    with answering(tmp_path, answer) as runtime:
        assert "nothing was answered" in refusal(runtime.create("/a.pem", PEM)).message


def test_a_process_that_has_gone_leaves_the_first_error(tmp_path: Path) -> None:
    def answer(command: str) -> str:
        if command.startswith("set"):
            (tmp_path / "s").unlink()
            return "unable to load certificate\n"
        return "# filename\n/a.pem\n"

    with answering(tmp_path, answer) as runtime:
        assert "unable to load" in refusal(runtime.replace("/a.pem", PEM)).message


def test_entries_of_a_list() -> None:
    text = "# /l\n/a.pem:1 [alpn h2\0] a.test !b.test\n/b.pem:2\n"
    first, second = listing.entries(text)
    assert (first.options, first.filters, first.line) == ("alpn h2", ("a.test", "!b.test"), 1)
    assert (second.path, second.filters) == ("/b.pem", ())
    stored = listing.Stored("Used", "", ("own.test",))
    assert listing.names_of("/a.pem", stored, (first, second)) == ("a.test",)
    assert listing.names_of("/b.pem", stored, (first, second)) == ("own.test",)
    assert listing.names_of("/c.pem", stored, (first, second)) == ("own.test",)
    assert listing.names_of("/a.pem", listing.Stored("Unused", "", ()), (first,)) == ()


def test_a_list_file_keeps_what_is_not_meant() -> None:
    text = "# mine\n\n/a.pem [alpn h2] a.test\n/b.pem b.test\n/a.pem second.test\n/a.pem\n"
    assert listing.rewritten(text, "/a.pem", ("n.test", "*.n.test")) == (
        "# mine\n\n/a.pem [alpn h2] n.test *.n.test\n/b.pem b.test\n/a.pem\n"
    )
    assert listing.filters_of(text, "/a.pem") == ("a.test", "second.test")
    assert listing.filters_of("/x:7 a.test", "/x:7") == ("a.test",)


def test_files_that_cannot_be_had(tmp_path: Path) -> None:
    outside = Outside(folders=(tmp_path,), max_bytes=10)
    (tmp_path / "folder").mkdir()
    (tmp_path / "long").write_text("x" * 11, encoding="ascii")
    assert disk.read_text(outside, str(tmp_path / "none")) is None
    for name, told in (("folder", "cannot be read"), ("long", "longer than 10 bytes")):
        with pytest.raises(TargetError, match=told):
            disk.read_text(outside, str(tmp_path / name))
    for name in ("folder", "nowhere/file"):
        with pytest.raises(TargetError, match="cannot be written"):
            disk.write_text(outside, str(tmp_path / name), "text")
    assert {one.name for one in tmp_path.iterdir()} == {"folder", "long"}
    with pytest.raises(TargetError, match="no folder that targets may use"):
        disk.write_text(outside, str(tmp_path / ".." / "file"), "text")


def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a.pem"
    file.write_text("old", encoding="ascii")
    file.chmod(0o640)
    disk.write_text(Outside(folders=(tmp_path,)), str(file), "new")
    assert (file.read_text(encoding="ascii"), file.stat().st_mode & 0o777) == ("new", 0o640)


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("nothing", {}, "no kind of target"),
        ("haproxy", {}, "socket"),
        ("haproxy", {"socket": "relative", "listeners": ["a:1"]}, "socket"),
        ("haproxy", {"socket": "/s", "listeners": []}, "listeners"),
        ("haproxy", {"socket": "/s\nshow", "listeners": ["a:1"]}, "socket"),
        ("haproxy", {"socket": "/s", "listeners": ["a"]}, "listeners"),
        ("haproxy", {"socket": "/s", "listeners": ["a:1"], "more": 1}, "more"),
    ],
)
def test_options_that_do_not_fit(kind: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(TargetError, match=told) as refused:
        registry.connect(kind, options, Outside())
    assert refused.value.reason is Reason.OPTIONS
    assert refused.value.permanent
