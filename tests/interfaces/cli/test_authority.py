"""`certdesk ca …` in this process."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.interfaces.cli import diagnosis, start
from certdesk.interfaces.cli.main import app
from certdesk.pki.authority import actions
from certdesk.pki.authority.models import Authority
from certdesk.pki.keystore import actions as keystore
from tests.support.authority import start_ca

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "django", settings.get)
    start_ca()


def test_a_new_authority_is_made_and_listed_beside_the_one_before() -> None:
    made = CliRunner().invoke(app, ["ca", "create", "dv-p256", "--json"])
    assert json.loads(made.stdout) == {"created": [{"slug": "dv-p256-g2", "key": "sealed"}]}
    listed = json.loads(CliRunner().invoke(app, ["ca", "list", "--json"]).stdout)["authorities"]
    assert {one["slug"]: one["signs"] for one in listed if one["place"] == "dv-p256"} == {
        "dv-p256": False,
        "dv-p256-g2": True,
    }
    assert listed[0]["parent"] == ""
    plain = CliRunner().invoke(app, ["ca", "list"]).stdout
    assert "dv-p256-g2" in plain
    event = Event.objects.get(action=actions.CREATED)
    assert (event.resource, event.via) == ("authority:dv-p256-g2", "cli")


def test_an_authority_is_made_with_name_constraints_and_listed_with_them() -> None:
    bounds = ["--permit", "example.com", "--permit", "10.0.0.0/8", "--exclude", "secret.example.com"]
    made = CliRunner().invoke(app, ["ca", "create", "ov-p256", *bounds, "--json"])
    assert made.exit_code == 0, made.exception
    listed = json.loads(CliRunner().invoke(app, ["ca", "list", "--json"]).stdout)["authorities"]
    held = {one["slug"]: (one["permitted"], one["excluded"]) for one in listed}
    assert held["ov-p256-g2"] == (["example.com", "10.0.0.0/8"], ["secret.example.com"])
    assert held["ov-p256"] == ([], [])


def test_bounds_that_shut_the_own_https_out_are_refused_before_a_key_is_made() -> None:
    settings.install(settings.get().model_copy(update={"https": "127.0.0.1:8443"}))
    refused = CliRunner().invoke(app, ["ca", "create", "dv-p256", "--permit", "example.com"])
    assert isinstance(refused.exception, BadParameter)
    assert "127.0.0.1, localhost, ::1 would lie outside" in str(refused.exception)
    hosts = [text for host in ("localhost", "127.0.0.1", "::1") for text in ("--permit", host)]
    assert CliRunner().invoke(app, ["ca", "create", "dv-p256", *hosts]).exit_code == 0
    other = ["ca", "create", "dv-rsa2048", "--permit", "example.com"]
    assert CliRunner().invoke(app, other).exit_code == 0


def test_cross_certificates_by_a_root_of_ours_and_by_csr(tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["ca", "cross-sign", "dv-p256", "--by", "root-p384", "--json"])
    assert json.loads(made.stdout)["cross"] == "dv-p256-x1"
    listed = json.loads(CliRunner().invoke(app, ["ca", "list", "--json"]).stdout)["authorities"]
    held = {one["slug"]: one["crosses"] for one in listed}
    assert "Root P-384" in held["dv-p256"]["dv-p256-x1"]
    asked = CliRunner().invoke(app, ["ca", "cross-request", "root-p256"]).stdout
    assert asked.startswith("-----BEGIN CERTIFICATE REQUEST-----")
    missing = CliRunner().invoke(app, ["ca", "cross-import", "root-p256", "--file", str(tmp_path / "none")])
    assert "cannot be read" in str(missing.exception)
    file = tmp_path / "cross.pem"
    file.write_text(actions.roots_pem())
    refused = CliRunner().invoke(app, ["ca", "cross-import", "root-p256", "--file", str(file)])
    assert "another issuer" in str(refused.exception)


def test_doctor_names_the_authorities_whose_key_is_lost() -> None:
    assert diagnosis._authority().level == "ok"
    keystore.set_lost(Authority.objects.get(slug="dv-p256").key_id, clock.real_now())
    found = diagnosis._authority()
    assert found.level == "problem"
    assert "dv-p256:" in found.sentence
