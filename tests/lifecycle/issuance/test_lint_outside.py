"""The whole lint of a new shape runs outside of transactions, and a kill during it loses nothing."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from certdesk.foundation.common import settings
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.issuance.models import Placement
from certdesk.lifecycle.issuance.reconcile import reconcile
from certdesk.pki.authority import lint
from certdesk.pki.authority.models import Intent, Shape
from certdesk.pki.authority.profiles import PROFILES
from tests.support.desk import COMPANY, Desk

from .test_main_path import approve, csr_for

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
    if desk.state(certificate_id) != "CHECKING_ORG":
        return certificate_id  # known from before: OV is not checked again (ORG-4)
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


def test_a_public_certificate_of_the_real_path_has_no_finding_at_all(desk: Desk, tmp_path: Path) -> None:
    # rule: REN-8
    text = SHIPPED.read_text(encoding="utf-8")
    private = 'title = "Built-in private CA"\nprofile = "private"'
    assert private in text
    (tmp_path / "c.toml").write_text(text.replace(private, private.replace('"private"', '"public"')))
    changes = {"catalogue": tmp_path / "c.toml", "pki_url": "http://pki.example.com"}
    settings.install(settings.get().model_copy(update=changes))
    certificate_id = desk.issued("www.example.com", csr=csr_for("www.example.com")[0], key_algorithm="")
    version = Version.objects.get(certificate_id=certificate_id)
    assert lint.whole(bytes(version.der), "DV") == ()
    lifetime = version.not_after - version.not_before + timedelta(seconds=1)
    assert lifetime == timedelta(days=PROFILES["public"].usable(version.not_before.date()))


def test_what_the_linter_refuses_ends_the_application_with_its_codes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate_id = approved(desk)
    monkeypatch.setattr(lint, "whole", lambda der, kind: (lint.Finding("ERROR", "cabf.something"),))
    desk.run(strict=False)
    certificate = desk.certificate(certificate_id)
    assert certificate.state == "UNPASSED"
    assert "cabf" in certificate.last_failure
    assert not Intent.objects.exists()
