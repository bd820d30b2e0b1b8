"""Exit status and answers of the commands that look, in this process."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from certdesk.foundation.audit import heads
from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.sealing import actions as sealing
from certdesk.foundation.sealing import kek
from certdesk.foundation.sealing.actions import RotationReport
from certdesk.interfaces.cli import start
from certdesk.interfaces.cli.main import app


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "django", settings.get)


@pytest.mark.parametrize(
    ("broken", "remaining", "status"),
    [((), 0, 0), (("s1",), 1, 1), ((), 2, 1)],
    ids=["whole", "broken", "left"],
)
def test_a_rotation_that_leaves_a_secret_behind_is_no_success(
    monkeypatch: pytest.MonkeyPatch, broken: tuple[str, ...], remaining: int, status: int
) -> None:
    report = RotationReport(2, 5, remaining, broken, (1,), False)
    monkeypatch.setattr(sealing, "rotate", lambda: report)
    done = CliRunner().invoke(app, ["key", "rotate", "--json"])
    assert (done.exit_code, json.loads(done.stdout)["broken"]) == (status, list(broken))


@pytest.mark.django_db
def test_the_audit_is_looked_at_before_what_waits_is_sealed(tmp_path: Path) -> None:
    from certdesk.foundation.audit import actions as audit
    from certdesk.foundation.iam.principal import system_principal

    kek.ensure_kek_file()
    audit.record(system_principal(""), "house.started")
    first, second = (CliRunner().invoke(app, ["audit", "verify", "--json"]) for _ in range(2))
    answers = [json.loads(one.stdout) for one in (first, second)]
    assert [(one["unsealed"], len(one["waiting"])) for one in answers] == [(1, 1), (0, 0)]
    absent = CliRunner().invoke(app, ["audit", "verify", "--heads", str(tmp_path / "absent")])
    assert isinstance(absent.exception, BadParameter)
    assert heads.path().suffix == ".heads"


@pytest.mark.django_db
def test_an_export_is_verified_from_the_file_alone(tmp_path: Path) -> None:
    from certdesk.foundation.audit import actions as audit
    from certdesk.foundation.audit import exporting
    from certdesk.foundation.audit.filters import Filters
    from certdesk.foundation.common import clock
    from certdesk.foundation.iam.principal import system_principal

    assert CliRunner().invoke(app, ["audit", "key"]).stdout == "No event has been sealed yet.\n"
    audit.record(system_principal(""), "house.started")
    audit.seal_pending()
    [key] = json.loads(CliRunner().invoke(app, ["audit", "key", "--json"]).stdout)["public_keys"]
    assert CliRunner().invoke(app, ["audit", "key"]).stdout.strip() == key
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"".join(exporting.export("system", Filters(), clock.real_now())))
    done = CliRunner().invoke(app, ["audit", "verify", str(path), "--key", key, "--json"])
    assert (done.exit_code, json.loads(done.stdout)["signed_by"]) == (0, "the named key")
    unsure = CliRunner().invoke(app, ["audit", "verify", str(path)])
    assert (unsure.exit_code, "name the public key" in unsure.stdout) == (0, True)
    path.write_bytes(path.read_bytes().replace(b"house.started", b"house.stopped"))
    assert CliRunner().invoke(app, ["audit", "verify", str(path), "--key", key]).exit_code == 1
    for wrong in (["audit", "verify", str(tmp_path / "absent")], ["audit", "verify", "--key", key]):
        assert isinstance(CliRunner().invoke(app, wrong).exception, BadParameter)
