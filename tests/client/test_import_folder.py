"""Hosting a whole folder: what makes a pair, what is sent together, and what a person reads about it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from certdesk.interfaces.cli.remote import importing
from certdesk.interfaces.cli.remote.importing import Line, Pair

CHAIN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN EC PRIVATE KEY-----\nBBBB\n-----END EC PRIVATE KEY-----\n"
AROUND = "Bag Attributes\n    friendlyName: one\n"


def test_what_makes_a_pair(tmp_path: Path) -> None:
    for name, text in {
        "a.crt": AROUND + CHAIN + CHAIN,
        "a.key": AROUND + KEY,
        "b.pem": KEY + CHAIN,
        "c.cer": CHAIN,
        "d.pem": KEY,  # whose certificate stands elsewhere
        "e.crt": "no PEM",
        "notes.txt": CHAIN,
        "Ünï code.CRT": CHAIN,
        "Ünï code.key": KEY,
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "f.crt").write_bytes(b"\xff\xfe\x00")
    for name, files in {
        "www.example.com": {"fullchain.pem": CHAIN, "privkey.pem": KEY},
        "else": {"x": ""},
    }.items():
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text)
    found = {one.file: one for one in importing.pairs(tmp_path)}
    assert {file: one.name for file, one in found.items() if not one.lacks} == {
        "a.crt": "a--",
        "b.pem": "b--",
        "www.example.com/fullchain.pem": "www.example.com",
        "Ünï code.CRT": "-n--code",
    }
    assert (found["a.crt"].certificate, found["a.crt"].private_key) == (CHAIN + CHAIN, KEY)
    assert (found["b.pem"].certificate, found["b.pem"].private_key) == (CHAIN, KEY)
    assert "c.key" in found["c.cer"].lacks
    assert "no certificate" in found["e.crt"].lacks
    assert found["f.crt"].lacks == found["e.crt"].lacks
    assert KEY not in repr(found["a.crt"])


class Server:
    """Hosts everything; notes how much came at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.transport = SimpleNamespace(call=self._call)

    def _call(self, method: str, path: str, *, body: dict[str, Any]) -> dict[str, Any]:
        assert (method, path) == ("POST", importing.PATH)
        self.sizes.append(len(body["items"]))
        assert all(one["duplicate_check"] and one["enterprise_project_id"] == "7" for one in body["items"])
        return {
            "items": [{"name": one["name"], "certificate_id": "scs" + one["name"]} for one in body["items"]]
        }


def sent(*given: Pair) -> tuple[list[int], list[Line]]:
    server = Server()
    lines = list(importing.send(server, given, "7"))  # type: ignore[arg-type]
    return server.sizes, lines


def test_no_request_is_too_long_or_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [Pair(f"{number}.crt", f"name-{number}", CHAIN, KEY) for number in range(importing.MOST + 1)]
    sizes, lines = sent(*many)
    assert (sizes, len(lines)) == ([importing.MOST, 1], importing.MOST + 1)
    assert lines[-1] == Line("100.crt", "hosted", "scsname-100", "")
    monkeypatch.setattr(importing, "MOST_BYTES", 3 * many[0].size)
    assert sent(*many[:7])[0] == [3, 3, 1]
    monkeypatch.setattr(importing, "MOST_BYTES", 1)
    assert sent(*many[:2])[0] == [1, 1]
    assert sent() == ([], [])


def test_what_lacks_something_is_not_sent() -> None:
    sizes, lines = sent(Pair("a.crt", "a", lacks="No key."), Pair("b.crt", "bbb", CHAIN, KEY))
    assert (sizes, [line.outcome for line in lines]) == ([1], ["refused", "hosted"])
