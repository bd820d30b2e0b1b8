"""The console's pages of revocation, and the command on the host."""

import re

import pytest
from typer.testing import CliRunner

from certdesk.foundation.jobs import testing
from certdesk.interfaces.cli import start
from certdesk.interfaces.cli.main import app
from certdesk.lifecycle.certificates.models import Certificate
from tests.support.office import Office

pytestmark = pytest.mark.django_db


def page(office: Office, path: str, who: str = "alice", language: str = "en") -> str:
    return office.client(who, language).get(path, follow=True).content.decode()


def post(office: Office, path: str, who: str = "alice", **form: str) -> tuple[int, str]:
    answer = office.client(who).post(path, form, follow=True)
    return answer.status_code, answer.content.decode()


def state_of(certificate_id: str) -> str:
    return str(Certificate.objects.get(id=certificate_id).state)


def test_it_names_what_is_lost_and_wants_the_name(office: Office) -> None:
    # rule: REV-1
    # rule: REV-3
    certificate_id = office.desk.issued("www.example.com")
    shown = page(office, f"/certificates/{certificate_id}")
    assert 'data-operation="revoke"' in shown
    path = f"/certificates/{certificate_id}/revoke"
    asked = page(office, path)
    assert "Nobody trusts it any more" in asked
    assert f"key compromise {certificate_id}" in asked
    status, again = post(office, path, reason_code="SUPERSEDED", confirm_name="another")
    assert (status, "This is not the name. Nothing was revoked." in again) == (422, True)
    assert state_of(certificate_id) == "ISSUED"
    status, again = post(
        office, path, reason_code="KEY_COMPROMISE", key_proof="junk", confirm_name="www.example.com"
    )
    assert (status, "is not one CSR in PEM" in again) == (422, True)
    _, told = post(office, path, reason_code="SUPERSEDED", confirm_name="WWW.example.com")
    assert "It takes effect within seconds." in told
    testing.run_due(strict=True)
    assert state_of(certificate_id) == "REVOKED"
    assert "Revoked" in page(office, f"/certificates/{certificate_id}")
    refused = page(office, path)
    assert 'role="alert"' in refused


def test_ov_waits_for_its_confirmation_and_says_so(office: Office) -> None:
    # rule: REV-2
    certificate_id = office.desk.issued("www.example.com")
    Certificate.objects.filter(id=certificate_id).update(level="OV")
    path = f"/certificates/{certificate_id}/revoke"
    assert "has 30 days to confirm it" in page(office, path)
    _, told = post(office, path, reason_code="UNSPECIFIED", confirm_name="www.example.com")
    assert "Confirm it by the link in the mail" in told
    testing.run_due(strict=True)
    assert state_of(certificate_id) == "REVOKING"
    waiting = page(office, path)
    assert re.search(r'data-operation="confirm-revocation"', waiting)
    _, told = post(office, f"{path}/confirm")
    assert "Confirmed." in told
    assert "Nothing is left to do here." in page(office, f"{path}/confirm")
    testing.run_due(strict=True)
    assert state_of(certificate_id) == "REVOKED"
    _, told = post(office, f"{path}/confirm")
    assert 'role="alert"' in told


def test_who_may_not_revoke_sees_no_button_and_gets_no_page(office: Office) -> None:
    certificate_id = office.desk.issued("www.example.com")
    assert 'data-operation="revoke"' not in page(office, f"/certificates/{certificate_id}", "rita")
    for who, status in (("rita", 403), ("charlie", 404)):
        for path in (
            f"/certificates/{certificate_id}/revoke",
            f"/certificates/{certificate_id}/revoke/confirm",
        ):
            assert office.client(who).get(path).status_code == status
            assert office.client(who).post(path, {}).status_code == status


def test_the_host_revokes_at_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    # rule: REV-6
    monkeypatch.setattr(start, "django", lambda: None)
    certificate_id = office.desk.issued("www.example.com")
    Certificate.objects.filter(id=certificate_id).update(level="OV")  # nobody is asked by mail
    run = CliRunner()
    assert run.invoke(app, ["revoke", certificate_id], input="n\n").exit_code == 1
    assert state_of(certificate_id) == "ISSUED"
    with pytest.raises(Exception, match="BOREDOM"):
        run.invoke(app, ["revoke", certificate_id, "--reason", "BOREDOM"], catch_exceptions=False)
    with pytest.raises(Exception, match="scs0000000000000"):
        run.invoke(app, ["revoke", "scs0000000000000", "--yes"], catch_exceptions=False)
    done = run.invoke(app, ["revoke", certificate_id, "--reason", "KEY_COMPROMISE", "--yes", "--json"])
    assert (done.exit_code, certificate_id in done.stdout) == (0, True)
    testing.run_due(strict=True)
    assert state_of(certificate_id) == "REVOKED"
