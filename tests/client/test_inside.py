"""Parts of the user commands that are looked at from inside: waiting, profiles, words."""

import getpass
import sys
from pathlib import Path
from typing import Any

import pytest

from certdesk.interfaces.cli.remote import profiles, showing, waiting
from certdesk.interfaces.cli.remote.profiles import ProfileRefused
from certdesk.interfaces.cli.remote.waiting import NotIssued


class Desk:
    """Answers `certificates.show` with one state after another."""

    def __init__(self, *states: tuple[str, int, str]) -> None:
        self.states = list(states)
        self.certificates = self

    def show(self, certificate_id: str) -> dict[str, Any]:
        status, progress, actor = self.states.pop(0)
        step = "Set the record." if actor else ""
        failure = "The CA said no." if status == "UNPASSED" else ""
        return {
            "id": certificate_id,
            "status": status,
            "progress": progress,
            "next_actor": actor,
            "next_step": step,
            "last_failure": failure,
        }


def wait(desk: Desk, timeout: float = 100) -> tuple[dict[str, Any], list[float]]:
    waits: list[float] = []
    found = waiting.until_issued(desk, "scs1", timeout, sleep=waits.append, now=lambda: sum(waits))  # type: ignore[arg-type]
    return found, waits


def test_waiting_ends_with_the_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    found, waits = wait(
        Desk(("CHECKING", 40, "applicant"), ("CHECKING", 40, "applicant"), ("ISSUED", 100, ""))
    )
    assert found["status"] == "ISSUED"
    assert waits == [2, 3]
    said = capsys.readouterr().err
    assert said.count("applicant must act: Set the record.") == 1
    assert "ISSUED" in said


def test_waiting_ends_where_nothing_will_come() -> None:
    with pytest.raises(NotIssued, match=r"will not be issued.*The CA said no"):
        wait(Desk(("CHECKING", 40, "applicant"), ("UNPASSED", 0, "")))


@pytest.mark.parametrize("state", ["REVOKING", "REVOKING_DOMAIN", "REVOKED", "EXPIRED"])
def test_waiting_ends_with_what_is_being_revoked(state: str) -> None:
    with pytest.raises(NotIssued, match=f"will not be issued: {state}"):
        wait(Desk((state, 0, "")))


def test_waiting_ends_in_time() -> None:
    with pytest.raises(NotIssued, match=r"not issued yet: CHECKING\. applicant must act"):
        wait(Desk(*[("CHECKING", 40, "applicant")] * 9), timeout=10)


def write(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "certdesk").mkdir(exist_ok=True)
    (tmp_path / "certdesk" / "config.toml").write_text(text, encoding="utf-8")
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def secret(tmp_path: Path, text: str = "hush\n", mode: int = 0o600) -> str:
    path = tmp_path / "secret"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def test_a_profile(tmp_path: Path) -> None:
    text = f'[profiles.a]\naccess_key = "K"\nsecret_key_file = "{secret(tmp_path)}"\nlanguage = "zh"\n'
    found = profiles.load("a", write(tmp_path, text))
    assert (found.endpoint, found.access_key, found.secret_key, found.language) == (
        profiles.LOCAL,
        "K",
        "hush",
        "zh",
    )
    assert "hush" not in repr(found)
    chosen = write(tmp_path, text) | {"CERTDESK_CLIENT_PROFILE": "a", "CERTDESK_CLIENT_ENDPOINT": "http://x"}
    assert profiles.load("", chosen).endpoint == "http://x"


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("", "", "No access key is configured"),
        ("", "a", "no profile 'a'"),
        ("x = [", "", "cannot be read"),
        ("profiles = 1\n", "a", "no profile 'a'"),
        ("[profiles.a]\ncolour = 1\n", "a", "unknown setting colour"),
        ('[profiles.a]\naccess_key = "K"\n', "a", "nobody can be asked"),
        ('[profiles.a]\naccess_key = "K"\nsecret_key_file = "/none"\n', "a", "cannot be read"),
    ],
)
def test_profiles_that_cannot_be_used(
    tmp_path: Path, text: str, name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(ProfileRefused, match=said):
        profiles.load(name, write(tmp_path, text))


@pytest.mark.parametrize(("text", "mode", "said"), [("hush", 0o640, "chmod 600"), ("\n", 0o600, "is empty")])
def test_secret_files_that_cannot_be_used(tmp_path: Path, text: str, mode: int, said: str) -> None:
    environ = {"HOME": str(tmp_path), "CERTDESK_CLIENT_ACCESS_KEY": "K"}
    with pytest.raises(ProfileRefused, match=said):
        profiles.load("", environ | {"CERTDESK_CLIENT_SECRET_KEY_FILE": secret(tmp_path, text, mode)})


def test_without_a_file_the_secret_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda question: "typed")
    environ = {"HOME": str(tmp_path), "CERTDESK_CLIENT_ACCESS_KEY": "K"}
    assert profiles.load("", environ).secret_key == "typed"
    with pytest.raises(ProfileRefused, match="does not exist"):
        profiles.load("b", environ)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "yes"),
        (None, ""),
        ("a\x1b[2Jb", "a�[2Jb"),
        (["a", "b"], "a\nb"),
        ({"unit_price": "1", "empty": ""}, "unit price: 1"),
        ([{"a": [1, 2]}, {"b": False}], "a: 1, 2\nb: no"),
    ],
)
def test_values_in_words(value: object, words: str) -> None:
    assert showing._words(value) == words
