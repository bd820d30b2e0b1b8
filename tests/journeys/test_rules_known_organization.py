"""An organisation that was approved before is not checked again (ORG-4)."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common.months import add_months
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.validation.models import (
    OrganizationReuse,
    OrganizationVerification,
)
from tests.support.desk import Desk
from tests.support.organization import waiting
from tests.support.rulebook import COMPANY, SECOND, Caller, LabClock


def approved(desk: Desk, alice: Caller, lab: LabClock, **more: str) -> tuple[str, datetime]:
    """An issued certificate and the moment at which its organisation was approved."""
    certificate_id = waiting(desk, alice, **more)
    Caller(desk.someone("olga")).approve(certificate_id)
    desk.run(timedelta(hours=1))
    assert desk.state(certificate_id) == "ISSUED"
    ended = OrganizationVerification.objects.get(certificate_id=certificate_id).ended_at
    assert ended is not None
    return certificate_id, ended


def again(desk: Desk, alice: Caller, **more: str) -> tuple[str, str]:
    """Buys, applies and proves once more; answers id and status."""
    bought = {name: more.pop(name) for name in ("cert_type", "cert_brand") if name in more}
    certificate_id = alice.buy(**{"cert_type": "OV_SSL_CERT", **bought})
    alice.apply(certificate_id, **{**COMPANY, **more})
    desk.publish(certificate_id)
    return certificate_id, str(alice.verify(certificate_id)["status"])


@pytest.mark.parametrize("brand", ["SYMANTEC", "GEOTRUST"])
def test_ov_bought_again_within_13_months_skips_the_organization(
    lab: LabClock, desk: Desk, alice: Caller, brand: str
) -> None:
    # rule: ORG-4
    # rule: APP-15
    lab.at(lab.real)
    first, at = approved(desk, alice, lab, cert_brand=brand)
    assert at == lab.real
    lab.at(add_months(at, 13) + SECOND)
    assert again(desk, alice, cert_brand=brand)[1] == "CHECKING_ORG"
    lab.at(add_months(at, 13))
    wide = f"  {COMPANY['company_name']}\u0020"
    second, status = again(desk, alice, cert_brand=brand, company_name=wide)
    assert status == "ISSUING"
    leaned = OrganizationReuse.objects.get(application__certificate_id=second)
    assert leaned.verification.certificate_id == first
    event = Event.objects.get(action="organization.reused", resource=f"cert:{second}")
    assert first in event.details
    assert not Message.objects.filter(template="organization-request", certificate_id=second).exists()
    desk.run(timedelta(hours=1))
    assert desk.state(second) == "ISSUED"
    assert (
        Application.objects.get(certificate_id=second).company
        == Application.objects.get(certificate_id=first).company
    )


def test_a_reuse_is_no_new_approval(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: ORG-4
    lab.at(lab.real)
    _, at = approved(desk, alice, lab)
    lab.at(add_months(at, 12))
    assert again(desk, alice)[1] == "ISSUING"
    lab.at(add_months(at, 14))
    assert again(desk, alice)[1] == "CHECKING_ORG"


@pytest.mark.parametrize(
    "change",
    [
        {"company_name": "Example Trading Co., Ltd"},
        {"company_name": "example trading co.,ltd"},
        {"company_city": "Zunyi"},
        {"company_unit": "IT"},
        {"cert_brand": "GLOBALSIGN"},
        {"cert_brand": "SYMANTEC"},
        {"cert_type": "EV_SSL_CERT"},
    ],
    ids=str,
)
def test_what_differs_is_checked_again(
    lab: LabClock, desk: Desk, alice: Caller, change: dict[str, str]
) -> None:
    # rule: ORG-4
    # rule: APP-15
    lab.at(lab.real)
    approved(desk, alice, lab)
    assert again(desk, alice, **change)[1] == "CHECKING_ORG"


def test_other_brands_check_each_time_and_ev_too(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: ORG-4
    lab.at(lab.real)
    approved(desk, alice, lab, cert_brand="GLOBALSIGN")
    assert again(desk, alice, cert_brand="GLOBALSIGN")[1] == "CHECKING_ORG"


def test_names_in_nfd_are_the_same_company(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: APP-15
    lab.at(lab.real)
    approved(desk, alice, lab, company_name="Café Exämple GmbH")
    assert again(desk, alice, company_name="Cafe\u0301 Exa\u0308mple GmbH")[1] == "ISSUING"


@pytest.mark.parametrize("spoiled", ["revoked", "revoking", "rejected", "withdrawn", "own officer"])
def test_an_approval_that_does_not_stand_serves_nobody(
    lab: LabClock, desk: Desk, alice: Caller, spoiled: str
) -> None:
    # rule: ORG-4
    lab.at(lab.real)
    first, _ = approved(desk, alice, lab)
    buyer = alice
    if spoiled in ("revoked", "revoking"):
        state = {"revoked": "REVOKED", "revoking": "REVOKING"}[spoiled]
        Certificate.objects.filter(id=first).update(state=state)
    elif spoiled == "rejected":
        OrganizationVerification.objects.update(state="REJECTED")
    elif spoiled == "withdrawn":
        Application.objects.filter(certificate_id=first).update(state="WITHDRAWN")
    else:
        buyer = Caller(desk.someone("olga"))
    assert again(desk, buyer)[1] == "CHECKING_ORG"


def test_the_approval_of_another_account_is_not_ones_own(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: ORG-4
    lab.at(lab.real)
    approved(desk, alice, lab)
    OrganizationVerification.objects.update(account_id="f" * 32)
    assert again(desk, alice)[1] == "CHECKING_ORG"


def test_a_public_ca_measures_until_the_proof_too(
    lab: LabClock, desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bought in time and proved too late: the Baseline Requirements count until issuance."""
    # rule: ORG-4
    lab.at(lab.real)
    _, at = approved(desk, alice, lab)
    real = application_queries.product_of
    monkeypatch.setattr(
        application_queries, "product_of", lambda one: replace(real(one), profile="public", issuer="acme")
    )
    lab.at(add_months(at, 13))
    certificate_id = alice.buy(cert_type="OV_SSL_CERT")
    alice.apply(certificate_id, **COMPANY)
    desk.publish(certificate_id)
    lab.at(add_months(at, 13) + SECOND)
    assert alice.verify(certificate_id)["status"] == "CHECKING_ORG"
