"""REN-7 to REN-10: certificates that replace themselves, and what they say when they cannot."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.outbox.models import Message
from certdesk.lab.elb_small import Fault
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance import issuers
from certdesk.lifecycle.issuance.issuers import BuiltIn
from certdesk.lifecycle.notifications import successions
from certdesk.lifecycle.notifications.successions import Succession
from certdesk.lifecycle.orders.models import Balance, Order
from certdesk.lifecycle.renewal import jobs
from certdesk.lifecycle.renewal.models import Renewal
from certdesk.lifecycle.validation.models import Evidence
from certdesk.pki.authority.issue import Prepared
from certdesk.pki.authority.types import CertificateRequest
from tests.support.balancer import Balancer, open_balancer
from tests.support.desk import Desk
from tests.support.office import Office
from tests.support.rulebook import DAY, SECOND, Caller, LabClock

from .test_rules_issuance import issue
from .test_rules_renewal import EXPIRES, ISSUED, limited

SHOW, SET = "certificates.show_auto_renewal", "certificates.set_auto_renewal"
SOON = EXPIRES - 30 * DAY + timedelta(hours=13)
"""After the spread of the first hours of the last 30 days."""


@pytest.fixture
def desk(office: Office) -> Desk:
    """With people whose rights are still there when the machine acts for them."""
    User.objects.filter(name="alice").update(email="alice@example.net")
    return office.desk


def look() -> None:
    """What the machine does by itself every half minute, until nothing is left to do."""
    for _ in range(3):
        enqueue(jobs.LOOK)
        testing.run_all(timedelta(minutes=2), 200)
        Renewal.objects.filter(state="OPEN", cause="").update(next_at=ISSUED - 365 * DAY)  # later


def switch(alice: Caller, certificate_id: str, **more: object) -> dict[str, object]:
    answer: dict[str, object] = alice(SET, certificate_id, {"enabled": True} | more)
    return answer


def codes(answer: dict[str, object]) -> list[str]:
    return [one["code"] for one in answer["blockers"]]  # type: ignore[attr-defined]


def successor(certificate_id: str) -> Certificate | None:
    return Certificate.objects.filter(renews_id=certificate_id).first()


def test_it_buys_applies_and_issues_by_itself(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REN-7
    # rule: LST-8
    lab.at(ISSUED)
    old = issue(desk, alice)
    answer = switch(alice, old)
    assert (answer["enabled"], answer["next_action"], codes(answer)) == (True, "BUY", ["INSTALL"])
    lab.at(EXPIRES - 30 * DAY - SECOND)
    look()
    assert successor(old) is None
    lab.at(SOON)
    look()
    new = successor(old)
    assert new is not None
    assert (alice.status(new.id), new.domain) == ("ISSUED", "www.example.com")
    assert new.not_after == EXPIRES.replace(year=2028)
    assert (alice(SHOW, old)["enabled"], alice(SHOW, new.id)["enabled"]) == (False, True)
    (renewal,) = Renewal.objects.filter(kind="BUY")
    assert (renewal.state, renewal.cause) == ("DONE", "INSTALL")  # nobody deployed the old one from here
    told = Message.objects.filter(template="renewal-attention")
    assert sorted(told.values_list("recipient", flat=True)) == ["ada@example.com", "alice@example.net"]
    look()
    assert Order.objects.filter(type="RENEWAL").count() == 1
    assert told.count() == 2


def test_whoever_renewed_by_hand_has_done_it(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REN-7
    lab.at(ISSUED)
    old = issue(desk, alice)
    switch(alice, old)
    lab.at(EXPIRES - 30 * DAY)
    body = {"effective_time": 1, "is_auto_pay": True, "agree_privacy_protection": True}
    (made,) = alice("certificates.renew", old, body)["cert"]
    lab.at(SOON)
    look()
    assert alice.status(made["cert_id"]) == "ISSUED"
    assert Order.objects.filter(type="RENEWAL").count() == 1


def test_short_of_money_it_says_so_once_and_buys_when_there_is_some(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: REN-7
    lab.at(ISSUED)
    old = issue(desk, alice)
    switch(alice, old)
    before = Balance.objects.get(account_id=desk.account.id)
    Balance.objects.update(cash=0)
    lab.at(SOON)
    look()
    assert successor(old) is None
    assert Order.objects.filter(type="RENEWAL").count() == 0
    assert "BALANCE" in codes(alice(SHOW, old))
    told = Message.objects.filter(template="renewal-attention")
    assert told.count() == 2
    assert "balance of the account is too small" in str(told.first().text)  # type: ignore[union-attr]
    lab.at(SOON + timedelta(hours=7))
    look()
    assert told.count() == 2
    Balance.objects.update(cash=before.cash)
    lab.at(SOON + timedelta(hours=14))
    look()
    new = successor(old)
    assert new is not None
    assert alice.status(new.id) == "ISSUED"


def test_without_a_way_to_prove_people_are_asked(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REN-7
    lab.at(ISSUED)
    old = issue(desk, alice)
    switch(alice, old)
    Evidence.objects.update(void_at=ISSUED)
    assert codes(alice(SHOW, old))[0] == "CONNECTION"
    lab.at(SOON)
    look()
    new = successor(old)
    assert new is not None
    assert alice.status(new.id) == "CHECKING"
    assert not Message.objects.filter(template="renewal-attention")
    lab.at(SOON + timedelta(hours=1))
    look()
    (message, _) = Message.objects.filter(template="renewal-attention")
    assert "No DNS connection" in message.text
    assert f"/certificates/{new.id}/verify" in message.text
    assert codes(alice(SHOW, old))[0] == "CONNECTION"
    desk.publish(new.id)
    alice.verify(new.id)
    desk.run()
    look()
    assert alice.status(new.id) == "ISSUED"
    assert Renewal.objects.get(kind="BUY").state == "DONE"


def test_gone_contacts_end_it_and_say_why(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REN-10
    # rule: PRV-5
    lab.at(ISSUED)
    old = issue(desk, alice)
    switch(alice, old)
    alice("certificates.cancel_privacy", old)
    answer = alice(SHOW, old)
    assert answer["enabled"] is False
    assert "PRIVACY" in codes(answer)
    fault = alice.refused(SET, old, {"enabled": True})
    assert "details of its application are gone" in fault.message
    lab.at(SOON)
    look()
    assert successor(old) is None


def test_a_revocation_ends_it(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REV-10
    lab.at(ISSUED)
    old = issue(desk, alice)
    switch(alice, old)
    alice("certificates.revoke", old, {})
    desk.run()
    lab.at(SOON)
    look()
    assert successor(old) is None
    assert alice(SHOW, old) == {
        "enabled": False,
        "deploy": True,
        "next_action": "",
        "next_action_at": "",
        "blockers": [],
    }


def test_only_for_what_can_be_renewed_and_by_whom_may_buy(lab: LabClock, office: Office) -> None:
    # rule: REN-7
    # rule: IAM-5
    lab.at(ISSUED)
    issued = office.desk.issued("www.example.com")

    def caller(name: str) -> Caller:
        return Caller(iam.principal_of(office.people[name], Via.API))

    alice = caller("alice")
    assert "Issued" in alice.refused(SET, office.desk.buy(), {"enabled": True}).next_step
    free = alice.buy(cert_brand="SYMANTEC", cert_type="DV_SSL_CERT_BASIC", free=True)
    assert "Free" in alice.refused(SET, free, {"enabled": True}).message
    assert caller("bob")(SET, issued, {"enabled": True, "deploy": False})["deploy"] is False
    assert caller("charlie").refused(SHOW, issued).kind.value == "not_found"
    assert caller("rita").refused(SET, issued, {"enabled": True}).kind.value == "forbidden"
    User.objects.filter(name="bob").update(is_active=False)
    assert "RIGHTS" in codes(alice(SHOW, issued))
    lab.at(SOON)
    look()
    assert successor(issued) is None
    assert Renewal.objects.get(kind="BUY").cause == "RIGHTS"
    switch(alice, issued)
    lab.at(SOON + timedelta(hours=7))
    look()
    assert successor(issued) is not None


def test_off_is_off_and_on_again_goes_on(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REN-7
    lab.at(ISSUED)
    old = issue(desk, alice)
    switch(alice, old)
    Balance.objects.update(cash=0)
    lab.at(SOON)
    look()
    alice(SET, old, {"enabled": False})
    lab.at(SOON + timedelta(hours=7))
    look()
    assert Renewal.objects.get(kind="BUY").state == "ENDED"
    Balance.objects.update(cash=10_000_000)
    switch(alice, old)
    look()
    assert successor(old) is not None


class Down(BuiltIn):
    """The built-in CA while it does not answer."""

    def prepare(self, request: CertificateRequest, now: object) -> Prepared:
        raise CertdeskError("The CA does not answer.", kind=Kind.UNAVAILABLE)


@pytest.fixture
def outage() -> Iterator[list[bool]]:
    there = issuers.find("builtin")
    yield []
    issuers.register(there)


def test_a_rollover_needs_nobody_and_costs_nothing(
    lab: LabClock, desk: Desk, alice: Caller, tmp_path: Path
) -> None:
    # rule: REN-8
    # rule: REN-9
    limited(tmp_path, 100)
    lab.at(ISSUED)
    old = issue(desk, alice)
    orders, first = Order.objects.count(), alice.leaf(old)
    answer = alice(SHOW, old)
    assert (answer["enabled"], answer["next_action"]) == (False, "ROLLOVER")
    at = ISSUED + timedelta(days=100) - timedelta(days=100) / 3
    lab.at(at - timedelta(minutes=1))
    look()
    assert alice("certificates.versions", old)["items"][0]["version"] == 1
    lab.at(at + timedelta(hours=13))
    look()
    versions = alice("certificates.versions", old)["items"]
    assert [(one["version"], one["status"]) for one in versions] == [(2, "CURRENT"), (1, "PREVIOUS")]
    assert alice.status(old) == "ISSUED"
    assert alice.leaf(old).public_key() != first.public_key()
    assert Order.objects.count() == orders
    for day in range(60, 370, 3):  # to the end of what was paid for, never beyond it
        lab.at(at + timedelta(days=day - 60))
        look()
    found = Certificate.objects.get(id=old)
    assert (found.not_after, found.paid_until) == (EXPIRES, EXPIRES)


def test_a_rollover_that_needs_a_record_leads_to_it(
    lab: LabClock, office: Office, desk: Desk, alice: Caller, tmp_path: Path
) -> None:
    # rule: REN-9
    limited(tmp_path, 100)
    lab.at(ISSUED)
    old = issue(desk, alice)
    page, button = f"/certificates/{old}", f'href="/certificates/{old}/verify"'
    assert button not in office.client().get(page).content.decode()
    Evidence.objects.update(void_at=ISSUED)
    lab.at(ISSUED + timedelta(days=68))
    look()
    assert button in office.client().get(page).content.decode()
    assert office.client("charlie").get(page).status_code == 404
    lab.at(ISSUED + timedelta(days=68, hours=1))
    look()
    told = Message.objects.filter(template="renewal-attention")
    assert f"{page}/verify" in told[0].text
    assert alice.status(old) == "ISSUED"
    desk.publish(old)
    assert office.client().get(f"{page}/verify").status_code == 200
    alice.verify(old)
    look()
    assert alice("certificates.versions", old)["items"][0]["version"] == 2
    assert button not in office.client().get(page).content.decode()


def test_an_outage_of_the_issuer_is_sat_out(
    lab: LabClock, desk: Desk, alice: Caller, tmp_path: Path, outage: list[bool]
) -> None:
    # rule: REN-8
    # rule: ISS-4
    limited(tmp_path, 7)
    lab.at(ISSUED)
    old = issue(desk, alice)
    issuers.register(Down())
    at = ISSUED + timedelta(days=3.5, hours=4)
    for hours in range(0, 72, 6):
        lab.at(at + timedelta(hours=hours))
        look()
    assert alice.status(old) == "ISSUED"
    issuers.register(BuiltIn())
    lab.at(at + timedelta(hours=73))
    testing.run_all(timedelta(days=1), 200)
    look()
    assert alice("certificates.versions", old)["items"][0]["version"] == 2


# --- until it is served --------------------------------------------------------------------------


@pytest.fixture
def elb(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Balancer]:
    with open_balancer(office, tmp_path, monkeypatch) as made:
        yield made


@pytest.mark.django_db(transaction=True)
@pytest.mark.server
def test_the_renewal_is_done_when_it_is_served(desk: Desk, elb: Balancer) -> None:
    # rule: REN-7
    # rule: REN-9
    alice, name = elb.alice, "shop.example.com"
    old = elb.office.desk.issued(name)
    elb.deploy(old, name)
    switch(alice, old)
    Certificate.objects.filter(id=old).update(paid_until=Certificate.objects.get(id=old).not_after)
    elb.elb.small.faults.add(Fault.DEAF)
    soon(old)
    look()
    new = successor(old)
    assert new is not None
    renewal = Renewal.objects.get(kind="BUY")
    assert (renewal.state, renewal.cause) == ("OPEN", "DEPLOYMENT")
    assert elb.binding(name)["served"]["certificate_id"] == old
    assert (newer(old).settled, newer(old).by_itself) == (False, False)  # rule: NTF-1
    assert Message.objects.filter(template="renewal-attention").count() == 2
    elb.elb.small.faults.clear()
    Renewal.objects.update(next_at=renewal.begun_at)
    look()
    assert elb.binding(name)["served"]["certificate_id"] == new.id
    assert Renewal.objects.get(kind="BUY").state == "DONE"
    assert Renewal.objects.get(kind="BUY").cause == ""
    assert newer(old).settled  # rule: NTF-1


def newer(certificate_id: str) -> Succession:
    return successions.of([certificate_id])[certificate_id]


def soon(certificate_id: str) -> None:
    """Its paid period ends in a week."""
    end = clock.now() + 7 * DAY
    Certificate.objects.filter(id=certificate_id).update(not_after=end, paid_until=end)


@pytest.mark.django_db(transaction=True)
@pytest.mark.server
def test_a_rolled_version_goes_where_the_one_before_is_served(elb: Balancer) -> None:
    # rule: REN-8
    # rule: REN-9
    alice, name = elb.alice, "shop.example.com"
    certificate_id = elb.office.desk.issued(name)
    elb.deploy(certificate_id, name)
    before = elb.binding(name)["served"]["fingerprint"]
    now = clock.now()
    Certificate.objects.filter(id=certificate_id).update(not_before=now - 9 * DAY, not_after=now + DAY)
    look()
    served = elb.binding(name)["served"]
    assert served["certificate_id"] == certificate_id
    assert served["fingerprint"] != before
    (renewal,) = Renewal.objects.filter(kind="ROLLOVER", state="DONE")
    assert renewal.cause == ""
    assert not Message.objects.filter(template="renewal-attention")
    assert alice.status(certificate_id) == "ISSUED"
