"""The offline ceremony from end to end: asked for, held by two people, taken in; and what is refused."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner, Result

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError
from certdesk.interfaces.cli import ceremony as command
from certdesk.interfaces.cli import diagnosis, start
from certdesk.interfaces.cli.main import app
from certdesk.pki.authority import (
    actions,
    ceremonies,
    ceremony,
    constraints,
    hierarchy,
    publishing,
    responders,
)
from certdesk.pki.authority.models import Authority, Ceremony, Crl
from certdesk.pki.keystore.models import Held
from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support import authority, softhsm

pytestmark = pytest.mark.django_db
PHRASE = "four words of a phrase"
PEOPLE = ("--person", "Ada", "--person", "Grace")


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "django", settings.get)
    authority.start_ca()


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """What travels between the two machines."""
    folder = tmp_path / "stick"
    folder.mkdir()
    (tmp_path / "phrase").write_text(PHRASE + "\n")
    return folder


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["ca", *arguments], input=typed)


def ask(stick: Path, *more: str) -> dict[str, Any]:
    done = run("request", "p256", "--folder", str(stick), "--json", *more)
    assert done.exit_code == 0, done.exception
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def hold(stick: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> str:
    """Both people type what the screen shows; answers the check value."""
    real, shown = ceremony.hold, []

    def watched(*arguments: Any, **named: Any) -> ceremony.Outcome:
        shown.append(real(*arguments, **named))
        return shown[0]

    monkeypatch.setattr(ceremony, "hold", watched)
    monkeypatch.setattr(
        command.typer, "prompt", lambda *_, **__: shown[0].check_value.replace(" ", "").upper()
    )
    done = run("ceremony", *where(stick), *PEOPLE, "--json", *more)
    monkeypatch.undo()
    monkeypatch.setattr(start, "django", settings.get)
    assert done.exit_code == 0, done.exception
    value = str(json.loads(done.stdout)["check_value"])
    assert value in (stick / command.TRANSCRIPT).read_text()
    return value


def where(stick: Path) -> list[str]:
    phrase = stick.parent / "phrase"
    folders = ["--folder", str(stick), "--keys", str(stick.parent / "safe")]
    return [*folders, "--agenda", asked_value(stick), "--passphrase-file", str(phrase)]


def asked_value(stick: Path) -> str:
    """What `ca request` printed."""
    rows = Ceremony.objects.order_by("-asked_at")[:1]
    return ceremony.agenda_of(rows[0].agenda).check_value if rows else ""


def bring_back(stick: Path, value: str) -> Result:
    return run("import", "--folder", str(stick), "--check", value, "--json")


def pem(slug: str) -> bytes:
    der = bytes(Authority.objects.get(slug=slug).certificate_der)
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def test_a_ceremony_makes_an_offline_root_whose_authorities_sign_here(
    stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(stick)
    assert asked["check_value"] == asked_value(stick)
    assert "PRIVATE" not in (stick / command.AGENDA).read_text()
    value = hold(stick, monkeypatch)
    assert b"ENCRYPTED PRIVATE KEY" in (stick.parent / "safe" / command.KEY).read_bytes()
    assert bring_back(stick, value).exit_code == 0
    root = Authority.objects.get(slug="root-p256-g2")
    assert (root.key.held, root.key.secret_id) == (Held.ELSEWHERE, "")
    signed = authority.signed(authority.request(now=clock.now()), clock.now())
    assert signed.issuer == "dv-p256-g2"
    folder = stick.parent
    (folder / "root.pem").write_bytes(pem("root-p256-g2"))
    (folder / "dv.pem").write_bytes(pem("dv-p256-g2"))
    leaf = x509.load_der_x509_certificate(signed.der).public_bytes(Encoding.PEM)
    (folder / "leaf.pem").write_bytes(leaf)
    publishing.publish_all(clock.now())
    crls = [bytes(row.der) for row in Crl.objects.filter(name__contains="p256-g2")]
    (folder / "crls.pem").write_bytes(
        b"".join(x509.load_der_x509_crl(der).public_bytes(Encoding.PEM) for der in crls)
    )
    how = ("-CAfile", "root.pem", "-untrusted", "dv.pem", "-CRLfile", "crls.pem", "-crl_check_all")
    verified = subprocess.run(["openssl", "verify", *how, "leaf.pem"], cwd=folder, capture_output=True)
    assert verified.returncode == 0, verified.stderr
    row = Ceremony.objects.get(id=asked["ceremony"])
    assert (row.check_value, list(ceremonies.taken())) == (value, [row])
    assert "Ada" in row.transcript
    event = Event.objects.get(action=ceremonies.TAKEN)
    assert json.loads(event.details)["check_value"] == value
    assert "Ada" not in event.details


def test_a_ceremony_signs_the_name_constraints_that_were_asked_for_and_no_others(
    stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.install(settings.get().model_copy(update={"https": ""}))  # whose names are to be outside
    ask(stick, "--permit", "example.com", "--exclude", "secret.example.com")
    value = hold(stick, monkeypatch)
    record = (stick / command.TRANSCRIPT).read_text()
    assert "certifies    example.com\n  never        secret.example.com" in record
    agenda = ceremony.agenda_of((stick / command.AGENDA).read_text())
    other = replace(agenda, wanted=tuple(replace(one, bounds=constraints.NONE) for one in agenda.wanted))
    assert other.check_value != agenda.check_value
    outcome = ceremony.outcome_of((stick / command.OUTCOME).read_text())
    with pytest.raises(CertdeskError, match="other name constraints than were asked for"):
        ceremony.refuse_untrue(other, outcome)
    assert bring_back(stick, value).exit_code == 0
    now = clock.now()
    assert authority.signed(authority.request(now=now), now).issuer == "dv-p256-g2"
    with pytest.raises(CertdeskError, match="lies outside"):
        authority.signed(authority.request(("www.example.org",), now=now), now)


def test_the_running_ca_refuses_only_what_needs_the_offline_root(
    stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(stick)
    assert bring_back(stick, hold(stick, monkeypatch)).exit_code == 0
    refused = run("create", "dv-p256")
    assert "ca ceremony" in str(refused.exception)
    assert not Authority.objects.filter(slug="dv-p256-g3").exists()
    assert actions.bootstrap(clock.now(), authority.pooled_key) == 0
    assert "root-p256-g2" not in publishing.due(clock.now())
    assert "root-p256-g2" not in responders.lacking(clock.now())
    before = Crl.objects.get(name="root-p256-g2")
    publishing.jump()
    assert Crl.objects.get(name="root-p256-g2").this_update == before.this_update
    assert diagnosis._authority().level == "ok"
    soon = before.next_update - timedelta(days=29)
    monkeypatch.setattr(clock, "now", lambda: soon)
    told = diagnosis._authority()
    assert told.level == "warning"
    assert "root-p256-g2" in told.sentence


def test_a_later_ceremony_uses_the_same_root_and_keeps_what_was_revoked(
    stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(stick)
    assert bring_back(stick, hold(stick, monkeypatch)).exit_code == 0
    bad = x509.load_pem_x509_certificate(pem("ov-p256-g2")).serial_number
    later = clock.now() + timedelta(seconds=5)
    monkeypatch.setattr(clock, "now", lambda: later)
    ask(stick, "--list-only")
    value = hold(stick, monkeypatch, "--revoke", f"{bad:x}")
    assert bring_back(stick, value).exit_code == 0
    later += timedelta(seconds=5)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert ask(stick)["root"] == "root-p256-g2"
    assert bring_back(stick, hold(stick, monkeypatch)).exit_code == 0
    row = Crl.objects.get(name="root-p256-g2")
    held = x509.load_der_x509_crl(bytes(row.der))
    assert held.get_revoked_certificate_by_serial_number(bad) is not None
    assert Authority.objects.get(slug="dv-p256-g3").parent_id == "root-p256-g2"
    assert Authority.objects.get(slug="dv-p256-g2").retired_at is not None


def test_a_wrong_check_value_writes_nothing_and_leaves_no_key(stick: Path) -> None:
    ask(stick)
    done = run("ceremony", *where(stick), *PEOPLE, typed="0000 0000\n")
    assert "Ada typed another check value" in str(done.exception)
    assert not (stick / command.OUTCOME).exists()
    assert list((stick.parent / "safe").iterdir()) == []


def test_who_breaks_a_ceremony_off_leaves_no_key(stick: Path) -> None:
    ask(stick)
    assert run("ceremony", *where(stick), *PEOPLE, typed="").exit_code
    assert list((stick.parent / "safe").iterdir()) == []


def test_an_agenda_that_was_exchanged_on_the_way_is_not_signed(stick: Path) -> None:
    ask(stick)
    exchanged = json.loads((stick / command.AGENDA).read_text())
    own = ceremonies._request(next(hierarchy.places()), keys.generate(KeyAlgorithm.EC_P256))
    exchanged["wanted"][0]["csr"] = base64.b64encode(own).decode()
    (stick / command.AGENDA).write_text(json.dumps(exchanged))
    done = run("ceremony", *where(stick), *PEOPLE)
    assert "not the one given with --agenda" in str(done.exception)
    assert not (stick.parent / "safe").exists()


def test_of_two_requests_for_the_same_places_only_the_first_is_taken_in(
    stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(stick)
    value = hold(stick, monkeypatch)
    first = (stick / command.OUTCOME).read_text()
    ask(stick)
    (stick.parent / "safe").rename(stick.parent / "first")
    other = hold(stick, monkeypatch)
    second = (stick / command.OUTCOME).read_text()
    (stick / command.OUTCOME).write_text(first)
    assert bring_back(stick, value).exit_code == 0
    (stick / command.OUTCOME).write_text(second)
    assert "same names" in str(bring_back(stick, other).exception)
    assert Ceremony.objects.exclude(taken_at=None).count() == 1


def test_the_offline_machine_needs_no_installation(stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own over an empty data folder: no database, no KEK."""
    ask(stick)
    environment = {"PATH": os.environ["PATH"], "CERTDESK_DATA": str(stick.parent / "offline")}
    done = subprocess.run(
        [sys.executable, "-m", "certdesk", "ca", "ceremony", *where(stick), *PEOPLE],
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
        input="0000\n",
        capture_output=True,
        text=True,
    )
    assert "Ada typed another check value" in done.stderr
    assert list((stick.parent / "offline").iterdir()) == []


@pytest.mark.server
def test_the_root_may_lie_in_a_token_of_its_own(
    stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(stick)
    (tmp_path / "token").mkdir()
    with softhsm.used(softhsm.make(tmp_path / "token")):
        wrong = run("ceremony", *where(stick), *PEOPLE, typed="0000\n")
        assert wrong.exit_code
        value = hold(stick, monkeypatch)
        assert "token of its own" in (stick / command.TRANSCRIPT).read_text()
        assert bring_back(stick, value).exit_code == 0
        ask(stick, "--list-only")
        hold(stick, monkeypatch)


@pytest.mark.parametrize("people", [("--person", "Ada"), ("--person", "Ada", "--person", "ada ")])
def test_one_person_holds_no_ceremony(stick: Path, people: tuple[str, ...]) -> None:
    assert "two different people" in str(run("ceremony", *where(stick), *people).exception)


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def apply(stick: Path) -> None:
        outcome = json.loads((stick / command.OUTCOME).read_text())
        change(outcome)
        (stick / command.OUTCOME).write_text(json.dumps(outcome))

    return apply


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (changed(lambda one: one.update(ceremony="0" * 16)), "never asked"),
        (changed(lambda one: one["certificates"].pop("dv-p256-g2")), "other certificates"),
        (
            changed(
                lambda one: one["certificates"].update({"dv-p256-g2": one["certificates"]["ov-p256-g2"]})
            ),
            "another key",
        ),
        (changed(lambda one: one.update(crl=one["root_certificate"])), "damaged"),
        (changed(lambda one: one.update(people=["Ada"])), "fewer than two"),
        (lambda stick: (stick / command.OUTCOME).write_text("{}"), "is no outcome"),
        (lambda stick: (stick / command.OUTCOME).unlink(), "cannot be read"),
    ],
    ids=["unasked", "fewer", "swapped", "damaged", "alone", "empty", "gone"],
)
def test_an_outcome_that_is_not_what_was_asked_for_is_not_taken_in(
    stick: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], why: str
) -> None:
    ask(stick)
    value = hold(stick, monkeypatch)
    change(stick)
    assert why in str(bring_back(stick, value).exception)
    assert not Authority.objects.filter(slug="root-p256-g2").exists()


def test_an_outcome_is_taken_in_once_with_its_own_check_value(
    stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(stick)
    value = hold(stick, monkeypatch)
    assert "check value" in str(bring_back(stick, "0000").exception)
    assert bring_back(stick, value).exit_code == 0
    assert "taken in before" in str(bring_back(stick, value).exception)


def test_the_root_of_before_cannot_be_exchanged(stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(stick)
    assert bring_back(stick, hold(stick, monkeypatch)).exit_code == 0
    ask(stick, "--list-only")
    agenda = ceremony.agenda_of((stick / command.AGENDA).read_text())
    other = keys.generate(KeyAlgorithm.EC_P256)
    with pytest.raises(CertdeskError, match="not that of the root"):
        ceremony.hold(agenda, other, clock.now())
    forged = ceremony.hold(
        ceremony.Agenda(agenda.id, "X", agenda.base, agenda.root, b"", ()), other, clock.now()
    )
    with pytest.raises(CertdeskError, match="not the one of before"):
        ceremony.refuse_untrue(agenda, forged)


def test_a_request_that_its_own_key_did_not_sign_is_refused(stick: Path) -> None:
    ask(stick)
    agenda = ceremony.agenda_of((stick / command.AGENDA).read_text())
    root, wanted = authority.pooled_key(KeyAlgorithm.EC_P256, 7), agenda.wanted[0]
    for csr, why in (
        (wanted.csr[:-3] + b"\0\0\0", "own kind|cannot be read"),
        (b"nothing", "cannot be read"),
    ):
        broken = ceremony.Agenda(
            agenda.id,
            agenda.installation,
            agenda.base,
            agenda.root,
            b"",
            (ceremony.Wanted(wanted.place, csr),),
        )
        with pytest.raises(CertdeskError, match=why):
            ceremony.hold(broken, root, clock.now())


def test_what_is_missing_or_wrong_is_named(stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no chain" in str(run("request", "p521", "--folder", str(stick)).exception)
    assert "no folder" in str(run("request", "p256", "--folder", str(stick / "x")).exception)
    assert "no offline one" in str(run("request", "p256", "--folder", str(stick), "--list-only").exception)
    assert "cannot be read" in str(run("ceremony", *where(stick), *PEOPLE).exception)
    (stick / command.AGENDA).write_text("[]")
    assert "no agenda" in str(run("ceremony", *where(stick), *PEOPLE).exception)
    ask(stick)
    assert "hex" in str(run("ceremony", *where(stick), *PEOPLE, "--revoke", "xyz").exception)
    (stick.parent / "phrase").write_text("short\n")
    (stick.parent / "safe" / command.KEY).unlink(missing_ok=True)
    assert "at least 12" in str(run("ceremony", *where(stick), *PEOPLE).exception)
    (stick.parent / "phrase").write_text(PHRASE + "\n")
    value = hold(stick, monkeypatch)
    assert "another root" in str(run("ceremony", *where(stick), *PEOPLE).exception)
    assert bring_back(stick, value).exit_code == 0
    ask(stick, "--list-only")
    (stick.parent / "phrase").write_text("another long phrase\n")
    assert "does not open" in str(run("ceremony", *where(stick), *PEOPLE).exception)
    (stick.parent / "safe" / command.KEY).unlink()
    assert "holds no key" in str(run("ceremony", *where(stick), *PEOPLE).exception)


@pytest.mark.parametrize("bound", ["--permit", "--exclude"])
def test_a_new_list_alone_takes_no_bounds(stick: Path, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    ask(stick)
    bring_back(stick, hold(stick, monkeypatch))
    refused = run("request", "p256", "--folder", str(stick), "--list-only", bound, "example.com")
    assert "only a new CRL was asked for" in str(refused.exception)
    assert Ceremony.objects.count() == 1


def test_without_a_file_the_passphrase_is_asked_for_twice(stick: Path) -> None:
    ask(stick)
    done = run("ceremony", *where(stick)[:6], *PEOPLE, typed=f"{PHRASE}\n{PHRASE}\nwrong\n")
    assert "typed another check value" in str(done.exception)
