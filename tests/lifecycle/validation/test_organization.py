"""Organisation verification: queue, decisions, who may decide, and two at once."""

from datetime import timedelta

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Conflict, Forbidden, NotFound
from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.validation import actions, organization_queries
from certdesk.lifecycle.validation.models import OrganizationDecision, OrganizationVerification
from certdesk.lifecycle.validation.organization_rules import checklist
from tests.support.desk import COMPANY, Desk


def waiting(desk: Desk, cert_type: str = "OV_SSL_CERT", domain: str = "www.example.com") -> str:
    certificate_id = desk.buy(cert_type)
    desk.apply(certificate_id, domain=domain, **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    assert desk.state(certificate_id) == "CHECKING_ORG"
    return certificate_id


def decide(desk: Desk, certificate_id: str, officer: object, level: str = "OV", **change: object):
    arguments = {
        "approve": True,
        "checked": [item.id for item in checklist(level)],
        "reason": "",
        "now": clock.now(),
    }
    return actions.decide(officer, certificate_id, **(arguments | change))


def test_the_queue_shows_company_checklist_and_decisions(desk: Desk) -> None:
    first, second = waiting(desk), waiting(desk, "EV_SSL_CERT", "ev.example.com")
    olga = desk.someone("olga")
    decide(desk, second, olga, "EV")
    page = organization_queries.queue(olga)
    assert [item.certificate_id for item in page.items] == [first, second]
    assert page.items[0].company["name"] == COMPANY["company_name"]
    assert [item.id for item in page.items[0].checklist] == [item.id for item in checklist("OV")]
    assert (page.items[0].may_decide, page.items[0].decisions_needed) == (True, 1)
    assert (page.items[1].may_decide, page.items[1].decisions_needed) == (False, 1)
    assert "already" in page.items[1].why_not
    assert page.items[1].decisions[0].officer == "olga"
    assert organization_queries.show(olga, first).waiting_since <= clock.now()
    assert not organization_queries.queue(olga, status="APPROVED").items


def test_the_queue_pages_by_marker(desk: Desk) -> None:
    ids = [waiting(desk, domain=f"n{number}.example.com") for number in range(11)]
    olga = desk.someone("olga")
    first = organization_queries.queue(olga, limit=10)
    rest = organization_queries.queue(olga, limit=10, marker=first.next_marker)
    assert [one.certificate_id for one in (*first.items, *rest.items)] == ids
    assert rest.next_marker is None


@pytest.mark.parametrize("arguments", [{"limit": 11}, {"status": "LATE"}, {"marker": "1; DROP"}])
def test_the_queue_refuses_what_it_did_not_offer(desk: Desk, arguments: dict[str, object]) -> None:
    with pytest.raises(BadParameter):
        organization_queries.queue(desk.alice, **arguments)


def test_the_queue_needs_its_permission_and_stays_in_the_account(desk: Desk) -> None:
    certificate_id = waiting(desk)
    assert not organization_queries.queue(desk.someone("bob", "scm:cert:list")).items
    with pytest.raises(Forbidden):
        organization_queries.show(desk.someone("bob", "scm:cert:list"), certificate_id)
    stranger = system_principal("f" * 32)
    assert not organization_queries.queue(stranger).items
    with pytest.raises(NotFound):
        organization_queries.show(stranger, certificate_id)


def test_a_certificate_without_verification_is_not_found(desk: Desk) -> None:
    certificate_id = desk.buy()
    with pytest.raises(NotFound):
        organization_queries.show(desk.alice, certificate_id)
    with pytest.raises(NotFound):
        decide(desk, certificate_id, desk.someone("olga"))


def test_the_applicant_never_decides_by_user_or_by_key(desk: Desk) -> None:
    certificate_id = waiting(desk)
    for officer in (desk.alice, desk.someone("olga", access_key="AKALICE")):
        with pytest.raises(Forbidden) as caught:
            decide(desk, certificate_id, officer)
        assert caught.value.details["action"] == "scm:organization:decide"
    assert not OrganizationDecision.objects.exists()


def test_deciding_takes_its_own_permission_and_a_person(desk: Desk) -> None:
    certificate_id = waiting(desk)
    with pytest.raises(Forbidden):
        decide(desk, certificate_id, desk.someone("bob", "scm:cert:*", "scm:organization:list"))
    with pytest.raises(Forbidden):
        decide(desk, certificate_id, system_principal(desk.account.id))


def test_an_approval_without_the_whole_checklist_changes_nothing(desk: Desk) -> None:
    certificate_id = waiting(desk)
    with pytest.raises(BadParameter):
        decide(desk, certificate_id, desk.someone("olga"), checked=["exists"])
    assert desk.state(certificate_id) == "CHECKING_ORG"
    assert not OrganizationDecision.objects.exists()


def test_a_settled_verification_takes_no_second_decision(desk: Desk) -> None:
    certificate_id = waiting(desk)
    decide(desk, certificate_id, desk.someone("olga"))
    with pytest.raises(CertdeskError):
        decide(desk, certificate_id, desk.someone("omar"), approve=False, reason="No.")
    assert desk.state(certificate_id) == "ISSUING"
    assert OrganizationDecision.objects.count() == 1


def test_one_rejection_ends_an_ev_verification(desk: Desk) -> None:
    certificate_id = waiting(desk, "EV_SSL_CERT")
    decide(desk, certificate_id, desk.someone("olga"), "EV")
    rejected = decide(desk, certificate_id, desk.someone("omar"), "EV", approve=False, reason="Not there.")
    assert rejected == actions.Decided("UNPASSED", 0)
    assert OrganizationVerification.objects.get().state == "REJECTED"
    with pytest.raises(CertdeskError):
        decide(desk, certificate_id, desk.someone("oleg"), "EV")


def test_the_same_key_in_other_hands_is_no_second_officer(desk: Desk) -> None:
    certificate_id = waiting(desk, "EV_SSL_CERT")
    decide(desk, certificate_id, desk.someone("olga", access_key="AKSHARED"), "EV")
    with pytest.raises(Conflict):
        decide(desk, certificate_id, desk.someone("omar", access_key="AKSHARED"), "EV")


def test_approved_but_older_than_the_reuse_period_is_not_issued(desk: Desk) -> None:
    from certdesk.lifecycle.validation.models import Evidence

    certificate_id = waiting(desk)
    Evidence.objects.update(at=clock.now() - timedelta(days=399))
    decide(desk, certificate_id, desk.someone("olga"))
    desk.run(strict=False)
    certificate = desk.certificate(certificate_id)
    assert certificate.state == "UNPASSED"
    assert "too old" in certificate.last_failure
