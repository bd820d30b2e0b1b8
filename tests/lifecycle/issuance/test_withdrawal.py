"""Withdrawing an application, and what its evidence is worth afterwards."""

from datetime import timedelta

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Forbidden, Kind
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.models import CertificateName
from certdesk.lifecycle.certificates.states import Event
from certdesk.lifecycle.issuance import actions
from certdesk.lifecycle.issuance.models import Placement
from certdesk.lifecycle.validation.models import Evidence, NameProof, OrganizationVerification
from tests.support.desk import COMPANY, Desk


def withdraw(desk: Desk, certificate_id: str) -> str:
    return actions.withdraw(desk.alice, certificate_id, clock.now()).value


def test_a_withdrawn_application_ends_in_pending_application(desk: Desk) -> None:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    assert withdraw(desk, certificate_id) == "CANCELCHECKING"
    desk.run()
    certificate = desk.certificate(certificate_id)
    assert (certificate.state, certificate.domain, certificate.sans) == ("PAID", "", "")
    assert not CertificateName.objects.exists()
    assert Application.objects.get().state == "WITHDRAWN"
    desk.issued("other.example.com")  # and the desk goes on


def test_a_record_that_appears_after_the_withdrawal_proves_nothing(desk: Desk) -> None:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    desk.publish(certificate_id)
    withdraw(desk, certificate_id)
    desk.run(timedelta(hours=1))
    assert desk.state(certificate_id) == "PAID"
    assert not Evidence.objects.filter(void_at=None).exists()


def test_an_organization_check_ends_with_the_application(desk: Desk) -> None:
    certificate_id = desk.buy("OV_SSL_CERT")
    desk.apply(certificate_id, domain="www.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    assert desk.state(certificate_id) == "CHECKING_ORG"
    withdraw(desk, certificate_id)
    desk.run()
    assert desk.state(certificate_id) == "PAID"
    assert OrganizationVerification.objects.get().state == "ENDED"


def test_applying_again_after_a_withdrawal_repeats_the_proof(desk: Desk) -> None:
    certificate_id = desk.buy("OV_SSL_CERT")
    desk.apply(certificate_id, domain="www.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    withdraw(desk, certificate_id)
    desk.run()
    application_id = desk.apply(certificate_id, domain="www.example.com", **COMPANY)
    proof = NameProof.objects.get(application_id=application_id)
    assert (proof.reused, proof.evidence_id) == (False, None)
    desk.run()
    assert desk.state(certificate_id) == "CHECKING"


def test_evidence_of_another_application_stays_reusable(desk: Desk) -> None:
    desk.issued("www.example.com")
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="example.com")
    withdraw(desk, certificate_id)
    desk.run()
    application_id = desk.apply(certificate_id, domain="example.com")
    assert NameProof.objects.get(application_id=application_id).reused
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"


@pytest.mark.parametrize("level", ["DV_SSL_CERT", "OV_SSL_CERT"])
def test_an_application_under_way_keeps_the_evidence_that_a_withdrawal_voids_for_later_ones(
    desk: Desk, level: str
) -> None:
    # rule: WDR-5
    first, second = desk.buy("OV_SSL_CERT"), desk.buy(level, "MULTI_DOMAIN", 2)
    desk.apply(first, domain="www.example.com", **COMPANY)
    desk.publish(first)
    desk.run()
    details = COMPANY if level == "OV_SSL_CERT" else {}
    desk.apply(second, domain="www.example.com", sans="www.example.org", **details)
    withdraw(desk, first)
    desk.run()
    assert desk.state(first) == "PAID"
    desk.publish(second)
    desk.run(timedelta(hours=1))
    if level == "OV_SSL_CERT":
        from tests.lifecycle.issuance.test_main_path import approve

        approve(desk, second, "olga")
        desk.run()
    assert desk.state(second) == "ISSUED"
    again = desk.apply(first, domain="www.example.com", **COMPANY)
    assert not NameProof.objects.get(application_id=again).reused


def test_once_the_ca_has_approved_the_withdrawal_fails(desk: Desk) -> None:
    certificate_id = desk.buy("OV_SSL_CERT")
    with pytest.raises(CertdeskError) as caught:
        withdraw(desk, certificate_id)
    assert caught.value.kind is Kind.WRONG_STATE
    desk.apply(certificate_id, domain="www.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    from tests.lifecycle.issuance.test_main_path import approve

    approve(desk, certificate_id, "olga")
    with pytest.raises(CertdeskError, match="approved"):
        withdraw(desk, certificate_id)
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"


def test_a_withdrawal_that_crosses_a_placement_is_refused_and_says_so(desk: Desk) -> None:
    certificate_id = desk.buy()
    application_id = desk.apply(certificate_id, domain="www.example.com")
    withdraw(desk, certificate_id)
    Placement.objects.create(
        reference="crossed",
        certificate_id=certificate_id,
        application_id=application_id,
        issuer="builtin",
        created_at=clock.real_now(),
    )
    desk.run(strict=False)
    certificate = desk.certificate(certificate_id)
    assert certificate.state in ("ISSUING", "UNPASSED")  # the names were never proved here
    assert not Placement.objects.filter(state="FULFILLED").exists()


def test_withdrawing_takes_the_permission(desk: Desk) -> None:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    with pytest.raises(Forbidden):
        actions.withdraw(desk.someone("bob", "scm:cert:apply"), certificate_id, clock.now())


def test_a_lost_job_of_a_withdrawal_is_given_back(desk: Desk) -> None:
    from certdesk.lifecycle.issuance.reconcile import reconcile

    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    certificates.move(certificate_id, Event.WITHDRAW, clock.now(), principal=desk.alice)
    reconcile()
    desk.run()
    assert desk.state(certificate_id) == "PAID"
