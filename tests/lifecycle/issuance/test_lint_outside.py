"""The whole lint of a new shape runs outside of transactions, and a kill during it loses nothing."""

from datetime import timedelta

import pytest
from django.db import connection

from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.issuance.models import Placement
from certdesk.lifecycle.issuance.reconcile import reconcile
from certdesk.pki.authority import lint
from certdesk.pki.authority.models import Intent, Shape
from tests.support.desk import COMPANY, Desk

from .test_main_path import approve

HOUR = timedelta(hours=1)
NEW = COMPANY | {"company_name": "Never Seen Before Ltd"}


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def approved(desk: Desk, cert_type: str = "OV_SSL_CERT", **company: str) -> str:
    """Up to To be issued, for an organisation that has no certificate yet."""
    certificate_id = desk.buy(cert_type)
    desk.apply(certificate_id, domain="www.example.com", **(NEW | company))
    desk.publish(certificate_id)
    desk.run()
    for officer in ("olga", "omar") if cert_type.startswith("EV") else ("olga",):
        approve(desk, certificate_id, officer, cert_type[:2])
    return certificate_id


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cert_type", ["OV_SSL_CERT", "EV_SSL_CERT"])
def test_a_new_organization_is_linted_outside_of_transactions(
    desk: Desk, cert_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[bool] = []
    real = lint.whole

    def whole(der: bytes, kind: str) -> tuple[lint.Finding, ...]:
        inside.append(connection.in_atomic_block)
        return real(der, kind)

    monkeypatch.setattr(lint, "whole", whole)
    certificate_id = approved(desk, cert_type)
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"
    assert inside
    assert not any(inside)
    again = approved(desk, cert_type)
    count = Shape.objects.count()
    desk.run()
    assert desk.state(again) == "ISSUED"
    assert Shape.objects.count() == count


def test_a_worker_killed_during_the_lint_leaves_nothing_open(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate_id = approved(desk)

    def killed(der: bytes, kind: str) -> tuple[lint.Finding, ...]:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(lint, "whole", killed)
        with pytest.raises(Killed):
            desk.run()
    assert not Intent.objects.filter(state="INTENDED").exists()
    assert not Placement.objects.exists()
    Job.objects.all().delete()  # the worst case: even the job is gone
    assert reconcile(stale_seconds=0) == 1
    desk.run(HOUR)
    assert desk.state(certificate_id) == "ISSUED"
    assert Version.objects.count() == 1


def test_what_the_linter_refuses_ends_the_application_with_its_codes(desk: Desk) -> None:
    certificate_id = approved(desk, country="QQ")
    desk.run(strict=False)
    certificate = desk.certificate(certificate_id)
    assert certificate.state == "UNPASSED"
    assert "cabf" in certificate.last_failure
    assert not Intent.objects.exists()
