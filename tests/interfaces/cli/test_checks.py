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
