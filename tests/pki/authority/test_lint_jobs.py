"""Shapes proved ahead and afterwards-lint in workers."""

import dataclasses
import json

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.pki.authority import issue, jobs, lint, shapes, subjects
from certdesk.pki.authority.errors import LintRefused
from certdesk.pki.authority.models import Intent, Shape
from certdesk.pki.authority.types import Subject
from tests.support.authority import NOW, ORGANISATION, request

pytestmark = pytest.mark.usefixtures("ca")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    runs: list[str] = []
    real = lint.whole

    def whole(der: bytes, kind: str) -> tuple[lint.Finding, ...]:
        runs.append(kind)
        return real(der, kind)

    monkeypatch.setattr(lint, "whole", whole)
    return runs


def test_a_shape_is_linted_once_and_recorded(counted: list[str]) -> None:
    first = issue.prepare(request(["a.example.com"]), NOW)
    again = issue.prepare(request(["b.example.org"]), NOW)
    assert counted == ["DV"]
    assert (first.shape, first.lint_due) == (again.shape, True)
    row = Shape.objects.get(digest=first.shape)
    assert row.linter.startswith("pkilint ")
    assert set(json.loads(row.findings)) <= set(lint.waived("private"))
    shapes.forget()
    issue.prepare(request(["c.example.com"]), NOW)
    assert counted == ["DV"]


def test_another_key_name_class_profile_level_or_organisation_is_another_shape(counted: list[str]) -> None:
    for asked in (
        request(["a.example.com"]),
        request(["*.example.com"]),
        request(["xn--bcher-kva.example.com"]),
        request(["a.example.com"], profile="public"),
        request(["a.example.com"], level="OV"),
        dataclasses.replace(
            request(level="OV"), subject=dataclasses.replace(ORGANISATION, organization="Other AG")
        ),
    ):
        issue.prepare(asked, NOW)
    assert counted == ["DV", "DV", "DV", "DV", "OV", "OV"]
    assert Shape.objects.count() == 6


def test_what_the_linter_refuses_is_not_signed_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "refuse_subject", lambda level, subject: None)  # our own check is first
    bad = Subject(country="QQ", state="X", organization="X AG")
    with pytest.raises(LintRefused, match="cabf"):
        issue.prepare(dataclasses.replace(request(level="OV"), subject=bad), NOW)
    assert not Shape.objects.exists()


def test_the_common_shapes_are_proved_by_a_worker(counted: list[str]) -> None:
    enqueue(jobs.PROVE)
    testing.run_due(strict=True)
    assert Shape.objects.count() == len(counted) == 24
    issue.prepare(request(["www.anything.example"[:-8] + ".org"]), NOW)
    enqueue(jobs.PROVE)
    testing.run_due(strict=True)
    assert len(counted) == 24


def issue_one() -> str:
    prepared = issue.prepare(request(level="EV"), NOW)
    issue.intend([prepared])
    issue.record([issue.sign(prepared)])
    return prepared.serial


def test_a_clean_certificate_is_marked_as_linted() -> None:
    serial = issue_one()
    testing.run_due(strict=True)
    assert Intent.objects.get(serial=serial).linted_at is not None
    assert not Event.objects.filter(action=jobs.LINT_FAILED).exists()


def test_an_error_found_after_issuance_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    serial = issue_one()
    finding = lint.Finding("ERROR", "planted.code")
    monkeypatch.setattr(lint, "whole", lambda der, kind: (finding,))
    testing.run_due(strict=True)
    event = Event.objects.get(action=jobs.LINT_FAILED)
    assert event.resource == f"issued:{serial}"
    assert json.loads(event.details)["codes"] == ["planted.code"]


def test_the_pem_lint_of_one_certificate() -> None:
    from certdesk.pki.x509 import certificates

    signed = issue.sign(issue.prepare(request(), NOW))
    pem = certificates.to_pem(signed.der).encode()
    assert lint.lint_pem(pem, "private") == []
    assert lint.lint_pem(pem, "public") == ["cabf.serverauth.certificate_validity_period_exceeds_200_days"]
