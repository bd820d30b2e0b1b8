"""Two at once, on connections of their own: officers, *Verify* buttons, the worker, a withdrawal."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Forbidden
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.issuance import actions as issuance
from certdesk.lifecycle.issuance.models import Placement
from certdesk.lifecycle.issuance.reconcile import reconcile
from certdesk.lifecycle.validation import actions, document_rules, documents
from certdesk.lifecycle.validation.models import (
    Evidence,
    OrganizationDecision,
    OrganizationDocument,
    OrganizationVerification,
)
from certdesk.lifecycle.validation.organization_rules import checklist
from certdesk.pki.authority.models import Intent
from tests.support.desk import COMPANY, Desk
from tests.support.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = pytest.mark.parametrize("turn", range(3))


def refusals(results: list[object]) -> list[CertdeskError]:
    return [one for one in results if isinstance(one, CertdeskError)]


def waiting(desk: Desk, cert_type: str = "OV_SSL_CERT") -> str:
    certificate_id = desk.buy(cert_type)
    desk.apply(certificate_id, domain="www.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    assert desk.state(certificate_id) == "CHECKING_ORG"
    return certificate_id


def deciding(
    desk: Desk, certificate_id: str, officer: str, *, approve: bool = True, level: str = "OV", key: str = ""
) -> Callable[[], object]:
    def decide() -> object:
        return actions.decide(
            desk.someone(officer, access_key=key),
            certificate_id,
            approve=approve,
            checked=[item.id for item in checklist(level)],
            reason="" if approve else "Not in the register.",
            now=clock.now(),
        )

    return decide


@ROUNDS
@pytest.mark.parametrize("second", [True, False], ids=["both approve", "one rejects"])
def test_of_two_officers_at_once_exactly_one_decides_ov(desk: Desk, second: bool, turn: int) -> None:
    # rule: ORG-2
    certificate_id = waiting(desk)
    results = at_once(
        deciding(desk, certificate_id, "olga"), deciding(desk, certificate_id, "omar", approve=second)
    )
    assert len(refusals(results)) == 1
    decision = OrganizationDecision.objects.get()
    verification = OrganizationVerification.objects.get()
    assert verification.state == ("APPROVED" if decision.approved else "REJECTED")
    assert desk.state(certificate_id) == ("ISSUING" if decision.approved else "UNPASSED")
    desk.run()
    assert Version.objects.count() == int(decision.approved)
    assert Application.objects.get().state == ("FULFILLED" if decision.approved else "REFUSED")


@ROUNDS
def test_two_officers_at_once_are_two_for_ev(desk: Desk, turn: int) -> None:
    # rule: ORG-2
    certificate_id = waiting(desk, "EV_SSL_CERT")
    results = at_once(*(deciding(desk, certificate_id, name, level="EV") for name in ("olga", "omar")))
    assert not refusals(results)
    assert {one.decisions_needed for one in results} == {0, 1}  # type: ignore[attr-defined]
    assert desk.state(certificate_id) == "ISSUING"


@ROUNDS
@pytest.mark.parametrize("key", ["", "AKSHARED"], ids=["one user", "one key in two hands"])
def test_one_officer_in_two_windows_is_one_for_ev(desk: Desk, key: str, turn: int) -> None:
    # rule: ORG-2
    # rule: ORG-5
    certificate_id = waiting(desk, "EV_SSL_CERT")
    names = ("olga", "omar") if key else ("olga", "olga")
    results = at_once(*(deciding(desk, certificate_id, name, level="EV", key=key) for name in names))
    assert len(refusals(results)) == 1
    assert OrganizationDecision.objects.count() == 1
    assert desk.state(certificate_id) == "CHECKING_ORG"
    applicant = deciding(desk, certificate_id, "omar", level="EV", key=desk.alice.access_key)
    assert isinstance(at_once(applicant)[0], Forbidden)
    assert not refusals(at_once(deciding(desk, certificate_id, "otto", level="EV")))
    assert desk.state(certificate_id) == "ISSUING"


@ROUNDS
def test_two_verify_buttons_and_the_worker_at_once_make_one_certificate(desk: Desk, turn: int) -> None:
    # rule: DOM-11
    certificate_id = desk.buy(domain_type="MULTI_DOMAIN", names=2)
    desk.apply(certificate_id, domain="www.example.com", sans="www.example.org")
    desk.publish(certificate_id)

    def press() -> object:
        return actions.check_now(desk.alice, certificate_id)

    results = at_once(press, press, lambda: testing.run_all(timedelta(0), 100))
    assert all("under way" in one.message for one in refusals(results))
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"
    assert Evidence.objects.count() == 2
    assert Version.objects.count() == Intent.objects.filter(state="SIGNED").count() == 1


def settled(desk: Desk, certificate_id: str, *, withdrawn: bool) -> None:
    """Whoever won: one outcome, nothing left open, no job that goes on."""
    assert desk.state(certificate_id) == ("PAID" if withdrawn else "ISSUED")
    assert Version.objects.count() == int(not withdrawn)
    assert Application.objects.get().state == ("WITHDRAWN" if withdrawn else "FULFILLED")
    assert not Intent.objects.filter(state="INTENDED").exists()
    assert not Placement.objects.filter(state="PLACED").exists()
    assert not Evidence.objects.filter(void_at=None).exists() or not withdrawn
    assert reconcile(stale_seconds=0) == 0
    assert not Job.objects.filter(state__in=("READY", "RUNNING"), subject=certificate_id).exists()


@ROUNDS
def test_withdrawing_while_the_worker_proves_and_signs_has_one_outcome(desk: Desk, turn: int) -> None:
    # rule: WDR-2
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    desk.publish(certificate_id)

    def withdraw() -> object:
        return issuance.withdraw(desk.alice, certificate_id, clock.now())

    results = at_once(withdraw, lambda: testing.run_all(timedelta(0), 100))
    desk.run()
    settled(desk, certificate_id, withdrawn=not refusals(results))


@ROUNDS
@pytest.mark.parametrize("approve", [True, False])
def test_withdrawing_while_an_officer_decides_has_one_outcome(desk: Desk, approve: bool, turn: int) -> None:
    # rule: WDR-2
    certificate_id = waiting(desk)

    def withdraw() -> object:
        return issuance.withdraw(desk.alice, certificate_id, clock.now())

    withdrawal, decision, _ = at_once(
        withdraw,
        deciding(desk, certificate_id, "olga", approve=approve),
        lambda: testing.run_all(timedelta(0), 100),
    )
    assert isinstance(withdrawal, CertdeskError) != isinstance(decision, CertdeskError)
    desk.run()
    if approve or isinstance(decision, CertdeskError):
        settled(desk, certificate_id, withdrawn=isinstance(decision, CertdeskError))
    else:
        assert desk.state(certificate_id) == "UNPASSED"
        assert Application.objects.get().state == "REFUSED"


@ROUNDS
def test_documents_at_once_stay_within_their_number_and_their_owner_out_of_the_desk(
    desk: Desk, turn: int
) -> None:
    # rule: ORG-2
    # rule: ORG-5
    certificate_id = waiting(desk)

    def add(who: str, number: int) -> Callable[[], object]:
        content = b"%PDF-" + bytes([number])
        return lambda: documents.add(desk.someone(who), certificate_id, "a.pdf", content, clock.now())

    for number in range(document_rules.MAX_COUNT - 1):
        add("bob", number)()
    results = at_once(add("bob", 100), add("bob", 101), add("bob", 102))
    assert len(refusals(results)) == 2
    assert OrganizationDocument.objects.count() == document_rules.MAX_COUNT
    other = waiting(desk)

    def show() -> object:
        return documents.add(desk.someone("olga"), other, "a.pdf", b"%PDF-", clock.now())

    shown, decided = at_once(show, deciding(desk, other, "olga"))
    assert isinstance(shown, CertdeskError) != isinstance(decided, CertdeskError)
