"""The host agent by itself: keys, versions, one deployment with its way back, and kills in between."""

import ast
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from certdesk.agents import host as agent
from certdesk.agents.host import Journal, Place, Trouble
from tests.support.hosts import NAME, PROGRAM, Host, a_host
from tests.support.tls import make


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(agent, "PATIENCE", 0.0)
    with a_host(tmp_path / "host") as made:
        agent.prepare(made.place)
        yield made


def issued(place: Place) -> str:
    """A certificate for the newest key of the place, self-signed."""
    key = max((place.folder / "keys").glob("*.key"))
    names = f"subjectAltName=DNS:{NAME}"
    made = agent.openssl("req", "-x509", "-key", str(key), "-days", "9", "-subj", "/CN=x", "-addext", names)
    return made.decode()


def work(certificate: str, step: str = "1-1", place: str = "shop") -> dict[str, Any]:
    return {"work": {"step": step, "place": place, "certificate": certificate, "chain": ""}}


def done(host: Host, certificate: str, step: str = "1-1", **entry: object) -> dict[str, Any]:
    """The result of one work."""
    journal = Journal(host.state)
    agent.perform({**work(certificate, step), **entry}, {"shop": host.place}, journal)
    (found,) = [one for one in journal.entries() if one["work"]["step"] == step]
    result: dict[str, Any] = found["result"]
    return result


def test_the_file_runs_on_older_pythons_and_alone() -> None:
    """Python 3.9 of long-lived distributions; nothing but the standard library."""
    tree = ast.parse(PROGRAM.read_text(), feature_version=(3, 9))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    import sys

    assert imported <= set(sys.stdlib_module_names)


def test_a_place_has_a_key_a_request_and_something_to_serve(host: Host) -> None:
    place = host.place
    (csr,) = agent.requests(place)
    assert "BEGIN CERTIFICATE REQUEST" in csr
    (key,) = (place.folder / "keys").glob("*.key")
    assert key.stat().st_mode & 0o777 == 0o600
    assert (place.folder / "current" / "privkey.pem").stat().st_mode & 0o777 == 0o600
    assert host.served() == agent.held(place, place.current)
    agent.prepare(place)
    assert agent.requests(place) == [csr]


def test_a_certificate_is_served_and_told(host: Host) -> None:
    before, made = host.served(), issued(host.place)
    result = done(host, made)
    assert (result["ok"], result["verdict"]) == (True, "NEW")
    assert host.served() == agent.fingerprint(made) != before
    again = done(host, made, "1-2")
    assert again["ok"], "every verb may be repeated"


@pytest.mark.parametrize(
    ("reload", "told"),
    [
        (["false"], "The reload command ended with 1"),
        (["/nowhere/reload"], "could not run"),
        (["true"], "serves the previous certificate"),
    ],
)
def test_what_cannot_be_seen_is_taken_back(host: Host, reload: list[str], told: str) -> None:
    # rule: DEP-6
    before, version = host.served(), host.place.current
    host.configure(reload)
    result = done(host, issued(host.place))
    assert (result["ok"], result["back"]) == (False, True)
    assert told in result["reason"]
    assert "was put back and is served" in result["reason"]
    assert (host.served(), host.place.current) == (before, version)


def test_a_check_that_fails_stops_before_the_reload(host: Host, tmp_path: Path) -> None:
    marker = tmp_path / "reloaded"
    host.served()
    host.configure(["touch", str(marker)], check=["sh", "-c", "echo broken config >&2; exit 2"])
    result = done(host, issued(host.place))
    assert "The check command ended with 2: broken config" in result["reason"]
    assert not marker.exists()


def test_a_way_back_that_fails_is_told(host: Host) -> None:
    host.served()
    host.server.close()
    result = done(host, issued(host.place))
    assert (result["ok"], result["back"], result["verdict"]) == (False, False, "UNREACHABLE")
    assert "was put back but is not seen" in result["reason"]
    host.configure(["false"])
    assert "could not be put back" in done(host, issued(host.place))["reason"]


def test_without_a_way_back_it_says_so(host: Host) -> None:
    host.configure(["false"])
    result = done(host, issued(host.place), before="")
    assert (result["ok"], result["back"]) == (False, False)


def test_foreign_keys_broken_texts_and_lost_places_are_refused(host: Host) -> None:
    before = host.served()
    foreign = done(host, make(NAME).bundle.leaf)
    assert "belongs to no key of this host" in foreign["reason"]
    assert "no certificate" in done(host, "garbage", "1-2")["reason"]
    journal = Journal(host.state)
    agent.perform(work("x", "1-3", "gone"), {"shop": host.place}, journal)
    assert "no such place" in journal.entries()[-1]["result"]["reason"]
    with pytest.raises(Trouble, match="do not belong together"):
        agent.stage(host.place, make(NAME).bundle.leaf, "", make(NAME).bundle.key)
    assert host.served() == before


def test_a_full_disk_changes_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    before, made = host.served(), issued(host.place)
    monkeypatch.setattr(agent, "stage", _full)
    result = done(host, made)
    assert "No space left on device" in result["reason"]
    assert host.served() == before


def _full(*_: object) -> str:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("cut", ["stage", "switch", "apply", "until_served", "prune"])
def test_a_kill_at_any_step_is_followed_by_the_whole(
    host: Host, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    """What a power cut leaves serves the old one or the new one, and the next start ends the work."""
    before, made, journal = host.served(), issued(host.place), Journal(host.state)
    journal.keep(work(made))
    real = getattr(agent, cut)

    def killed(*arguments: object) -> object:
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(agent, cut, killed)
    with pytest.raises(KeyboardInterrupt):
        agent.perform(journal.entries()[0], {"shop": host.place}, journal)
    monkeypatch.setattr(agent, cut, real)
    assert host.served() in (before, agent.fingerprint(made))
    (entry,) = Journal(host.state).entries()
    agent.perform(entry, {"shop": host.place}, journal)
    assert journal.entries()[0]["result"]["ok"]
    assert host.served() == agent.fingerprint(made)


def test_old_versions_go_and_the_way_back_stays(host: Host) -> None:
    first = host.place.current
    for number in range(agent.KEPT_VERSIONS + 2):
        assert done(host, issued(host.place), f"1-{number}")["ok"]
    kept = {one.name for one in (host.place.folder / "versions").iterdir()}
    assert host.place.current in kept
    assert first not in kept
    assert len(kept) <= agent.KEPT_VERSIONS + 1


def test_a_new_key_stands_beside_the_old_one(host: Host) -> None:
    old = issued(host.place)
    assert host.run("rekey", "shop")[0] == 0
    assert len(agent.requests(host.place)) == 2
    assert done(host, issued(host.place))["ok"]
    assert done(host, old, "1-2")["ok"], "the old key still counts"
    code, said = host.run("rekey", "nowhere")
    assert (code, "no such place" in said) == (1, True)


@pytest.mark.parametrize(
    "given",
    [
        "{",
        "[]",
        '{"places": {"UPPER": {}}}',
        '{"places": {"a": {"names": ["x"], "folder": "relative", "listeners": ["h:1"]}}}',
        '{"places": {"a": {"names": ["x"], "folder": "/f", "listeners": ["nowhere"]}}}',
        '{"places": {"a": {"names": ["x"], "folder": "/f", "listeners": ["h:65536"]}}}',
        '{"places": {"a": {"names": ["x"], "folder": "/f", "listeners": ["h:0"]}}}',
        '{"places": {"a": {"names": ["x"], "folder": "/f", "listeners": ["h:1"], "reload": "rm -rf"}}}',
        '{"places": {"a": {"names": ["x"], "folder": "/f", "listeners": ["h:1"], "shell": "x"}}}',
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(tmp_path: Path, given: str) -> None:
    (tmp_path / "c.json").write_text(given)
    with pytest.raises(Trouble, match="cannot be used"):
        agent.read_places(tmp_path / "c.json")


def test_without_openssl_it_says_what_to_install(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Trouble, match="openssl genpkey failed"):
        agent.make_key(host.place)


def test_looks_tell_what_was_seen(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    here = host.served()
    place = replace(host.place, names=(NAME, f"*.{NAME}"))
    assert {one["verdict"] for one in agent.look(place, here)} == {"NEW"}
    assert {one["verdict"] for one in agent.look(place, "x", here)} == {"PREVIOUS"}
    assert {one["verdict"] for one in agent.look(place, "x")} == {"UNKNOWN"}

    def refuses(*_: object) -> str:
        raise ssl.SSLError(1, "handshake failure")

    monkeypatch.setattr(agent, "served", refuses)
    assert agent.look(place, "x")[0]["verdict"] == "REFUSED"


def test_one_good_round_is_none_while_old_and_new_processes_answer_in_turn(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    # rule: DEP-6
    answers = ["new", "old", "new", "old"]
    monkeypatch.setattr(agent, "served", lambda *_: answers.pop(0) if len(answers) > 1 else answers[0])
    monkeypatch.setattr(agent, "PATIENCE", 0.0)
    monkeypatch.setattr(agent, "AGAIN", 0.0)
    place = replace(host.place, names=(NAME,), listeners=("h:1",))
    assert agent.until_served(place, "new", "old")[0]["verdict"] == "PREVIOUS"


def test_of_very_many_looks_the_wrong_ones_are_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk refuses an exchange with more than it reads, and would refuse it for ever."""
    held = agent.held(host.place, host.place.current)
    monkeypatch.setattr(agent, "served", lambda _, name: "old" if name == "99.test" else held)
    monkeypatch.setattr(agent, "PATIENCE", 0.0)
    monkeypatch.setattr(agent, "AGAIN", 0.0)
    names, listeners = (tuple(f"{n}.test" for n in range(100)), tuple(f"h:{n}" for n in range(1, 21)))
    place = replace(host.place, names=names, listeners=listeners)
    told = agent.change(place, place.current, "")["looks"]
    assert len(told) == agent.MOST_LOOKS
    assert [one["name"] for one in told[:21]] == ["99.test"] * 20 + ["0.test"]


# --- the forced command ----------------------------------------------------------------------------------


def forced(host: Host, verb: str, **given: object) -> dict[str, Any]:
    return agent.answer_forced(f"certdesk {verb}", {"shop": host.place}, json.dumps(given).encode())


def test_the_forced_command_does_its_verbs_and_nothing_else(host: Host) -> None:
    before, bundle = host.served(), make(NAME).bundle
    (listed,) = forced(host, "list")["places"]
    assert (listed["name"], listed["fingerprint"]) == ("shop", before)
    snapshot = forced(host, "snapshot", place="shop")
    pair = {"leaf": bundle.leaf, "chain": bundle.chain, "key": bundle.key}
    assert forced(host, "install", place="shop", **pair)["ok"]
    assert host.served() == bundle.fingerprint_sha1
    assert forced(host, "keep", place="shop", needed=snapshot["version"])["ok"]
    assert forced(host, "restore", place="shop", version=snapshot["version"])["ok"]
    assert host.served() == before
    for command in ("", "id", "certdesk list; id", "certdesk LIST", "scp -t /"):
        refused = agent.answer_forced(command, {"shop": host.place}, b"{}")
        assert (refused["ok"], refused["reason"]) == (False, "NOT_ALLOWED")
    assert "no verb" in forced(host, "remove", place="shop")["message"]
    assert forced(host, "snapshot", place="../etc")["reason"] == "NOT_THERE"
    assert "have the previous" in forced(host, "restore", place="shop", version="../../x")["message"]
    assert forced(host, "install", place="shop")["reason"] == "BAD_ANSWER"


def test_the_forced_command_leaves_the_old_files_where_a_reload_fails(host: Host) -> None:
    before, bundle = host.served(), make(NAME).bundle
    pair = {"leaf": bundle.leaf, "chain": bundle.chain, "key": bundle.key}
    host.configure(["false"])
    refused = forced(host, "install", place="shop", **pair)
    assert "The reload command ended with 1" in refused["message"]
    assert "Going back failed" in refused["message"]
    assert (host.served(), agent.held(host.place, host.place.current)) == (before, before)
    again = forced(host, "restore", place="shop", version=host.place.current)
    assert "ended with 1" in again["message"]
    wrong = forced(host, "install", place="shop", leaf=bundle.leaf, chain="", key=make(NAME).bundle.key)
    assert "do not belong together" in wrong["message"]
    (host.place.folder / "current").unlink()
    assert forced(host, "snapshot", place="shop")["reason"] == "NO_WAY_BACK"
    assert "ended with 1" in forced(host, "install", place="shop", **pair)["message"]


def test_the_forced_command_tells_of_a_full_disk(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "stage", _full)
    assert "No space left" in forced(host, "install", place="shop", leaf="", chain="", key="")["message"]


def test_two_processes_take_turns(host: Host) -> None:
    entered = threading.Event()

    def wait() -> None:
        with agent.locked(host.place.folder):
            entered.set()

    with agent.locked(host.place.folder):
        other = threading.Thread(target=wait)
        other.start()
        assert not entered.wait(0.1)
    other.join()
    assert entered.is_set()
