"""REI: a certificate is reissued for another name, and nothing is lost before somebody confirms it."""

import re
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509 import ocsp as forms
from django.test import Client

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications.models import Application, Contact
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance import followup, followup_jobs
from certdesk.lifecycle.issuance.models import ReissueRequest
from certdesk.lifecycle.validation.models import NameProof
from certdesk.pki.authority import ocsp
from tests.support.desk import Desk
from tests.support.office import Office
from tests.support.rulebook import COMPANY, PEOPLE, SECOND, Caller, LabClock, san
from tests.support.uploads import World

from .test_rules_application import csr_for
from .test_rules_issuance import issue
from .test_rules_revocation import status_of
from .test_rules_upload import upload

DAY = timedelta(days=1)
REISSUE, CONFIRM, DECLINE = (
    "certificates.reissue",
    "certificates.confirm_reissue",
    "certificates.decline_reissue",
)
AGREED = {"agree_privacy_protection": True, "key_algorithm": "EC_P256"}
NEW = {**AGREED, "domain": "new.example.org"}


def bought(alice: Caller, desk: Desk, brand: str) -> str:
    certificate_id = alice.buy(cert_brand=brand)
    alice.apply(certificate_id)
    desk.publish(certificate_id)
    desk.run()
    assert alice.status(certificate_id) == "ISSUED"
    return certificate_id


def watch() -> None:
    enqueue(followup_jobs.WATCH)
    testing.run_due(strict=True)


def link() -> str:
    message = Message.objects.get(template="reissue-confirmation")
    assert "/confirm/" not in message.text  # who reads the outbox does not see the link
    found = re.search(r"/confirm/reissue-\S+", outbox.complete(message)[0])
    assert found is not None
    return found[0]


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocsp, "FRESH", 0)


@pytest.mark.parametrize(("brand", "days"), [("SYMANTEC", 25), ("GLOBALSIGN", 5)])
def test_only_within_the_window_of_its_ca(
    lab: LabClock, desk: Desk, alice: Caller, brand: str, days: int
) -> None:
    # rule: REI-1
    # rule: REI-2
    # rule: REI-6
    certificate_id = bought(alice, desk, brand)
    begin = Certificate.objects.get(id=certificate_id).first_issued_at
    assert begin is not None
    for moment in (begin + DAY, begin + days * DAY):  # as often as one likes
        lab.at(moment)
        assert "reissue" in alice.show(certificate_id)["operations"]
        alice(REISSUE, certificate_id, NEW)
        alice(DECLINE, certificate_id)
    lab.at(begin + days * DAY + SECOND)
    assert "reissue" not in alice.show(certificate_id)["operations"]
    fault = alice.refused(REISSUE, certificate_id, NEW)
    assert (fault.kind.value, f"within {days} days" in fault.message) == ("wrong_state", True)
    assert alice.status(certificate_id) == "ISSUED"


def test_not_free_not_multi_not_uploaded_not_pending(desk: Desk, alice: Caller) -> None:
    # rule: REI-1
    # rule: FRE-4
    several = issue(
        desk, alice, "www.example.com", sans="a.example.com", domain_type="MULTI_DOMAIN", domain_numbers=2
    )
    free = issue(desk, alice, "free.example.com")
    Certificate.objects.filter(id=free).update(free=True)
    hosted = upload(alice, World().body())
    for certificate_id, words in (
        (several, "added to it"),
        (free, "neither reissued"),
        (hosted, "uploaded"),
        (alice.buy(), "does not allow"),
    ):
        fault = alice.refused(REISSUE, certificate_id, NEW)
        assert (fault.kind.value, words in fault.message) == ("wrong_state", True)
        assert "reissue" not in alice.show(certificate_id)["operations"]


def test_once_confirmed_the_old_one_is_revoked_and_the_normal_path_follows(
    desk: Desk, alice: Caller, client: Client
) -> None:
    # rule: REI-3
    # rule: REI-4
    # rule: REI-8
    # rule: REI-9
    # rule: WDR-5
    certificate_id = issue(desk, alice, "www.example.com")
    leaf = alice.leaf(certificate_id)
    people = {**PEOPLE, "applicant_name": "Grace Hopper", "applicant_email": "grace@example.org"}
    assert alice(REISSUE, certificate_id, {**NEW, **people}) == {"request_info": "success"}
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["domain"]) == ("REISSUING", "www.example.com")
    assert {"confirm-reissue", "decline-reissue", "download", "deploy"} <= set(shown["operations"])
    assert alice.leaf(certificate_id) == leaf
    assert status_of(leaf).certificate_status is forms.OCSPCertStatus.GOOD
    listed = alice("certificates.list")["certificates"][0]
    assert (listed["status"], listed["deploy_support"]) == ("REISSUING", True)
    assert Message.objects.get(template="reissue-confirmation").recipient == "ada@example.com"
    address = link()
    assert "new.example.org" in client.get(address).content.decode()
    assert alice.status(certificate_id) == "REISSUING"  # opening it decides nothing
    assert 'data-standing="DONE"' in client.post(address, {"decision": "confirm"}).content.decode()
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["progress"], shown["domain"]) == ("CHECKING", 40, "new.example.org")
    seen = status_of(leaf)
    assert seen.certificate_status is forms.OCSPCertStatus.REVOKED
    assert seen.revocation_reason is x509.ReasonFlags.superseded
    assert alice.refused("certificates.export", certificate_id).kind.value == "not_exportable"
    assert 'data-standing="USED"' in client.post(address).content.decode()
    assert Event.objects.get(action="reissue.confirmed").details
    desk.publish(certificate_id)
    desk.run()
    new = alice.leaf(certificate_id)
    assert san(new) == ["new.example.org"]
    assert new.not_valid_after_utc == leaf.not_valid_after_utc
    assert new.public_key() != leaf.public_key()
    statuses = [one["status"] for one in alice("certificates.versions", certificate_id)["items"]]
    assert statuses == ["CURRENT", "REVOKED"]
    assert Message.objects.get(template="issued", recipient="grace@example.org")


def test_what_is_left_out_stays_and_names_are_proved_again(desk: Desk, alice: Caller) -> None:
    # rule: REI-3
    # rule: WDR-5
    certificate_id = issue(desk, alice, "www.example.com")
    assert alice.refused(REISSUE, certificate_id, {}).field == "agree_privacy_protection"
    csr = csr_for("www.example.com")
    alice(REISSUE, certificate_id, {"agree_privacy_protection": True, "csr": csr})
    assert alice(CONFIRM, certificate_id) == {"cert_id": certificate_id, "status": "CHECKING"}
    assert alice(CONFIRM, certificate_id)["status"] == "CHECKING"  # twice is no error
    application = Application.objects.get(certificate_id=certificate_id, state="OPEN")
    assert not NameProof.objects.get(application=application).reused
    assert Contact.objects.get(application=application).applicant_name == "Ada Lovelace"
    desk.publish(certificate_id)
    desk.run()
    assert alice("certificates.export", certificate_id)["private_key"] == ""
    assert issue(desk, alice, "www.example.com")  # and the new evidence serves others


def test_the_organization_is_checked_again(desk: Desk, alice: Caller) -> None:
    # rule: REI-8
    # rule: WDR-5
    certificate_id = issue(desk, alice, "www.example.com", cert_type="OV_SSL_CERT")
    alice(REISSUE, certificate_id, NEW)
    alice(CONFIRM, certificate_id)
    desk.publish(certificate_id)
    desk.run()
    assert alice.status(certificate_id) == "CHECKING_ORG"
    Caller(desk.someone("olga")).approve(certificate_id)
    desk.run()
    assert alice.status(certificate_id) == "ISSUED"
    alice(REISSUE, certificate_id, AGREED)
    Application.objects.filter(state="WAITING").update(company={})  # as the privacy page does
    assert "Decline" in alice.refused(CONFIRM, certificate_id).next_step
    alice(DECLINE, certificate_id)


def test_declined_or_never_confirmed_it_is_issued_as_before(
    lab: LabClock, desk: Desk, alice: Caller, client: Client
) -> None:
    # rule: REI-7
    # rule: LST-7
    certificate_id = issue(desk, alice, "www.example.com")
    leaf, before = alice.leaf(certificate_id), clock.now()
    for name in (CONFIRM, DECLINE):
        assert alice.refused(name, certificate_id).kind.value == "wrong_state"
    alice(REISSUE, certificate_id, NEW)
    address = link()
    assert 'data-standing="DECLINED"' in client.post(address, {"decision": "decline"}).content.decode()
    assert alice(DECLINE, certificate_id) == {"cert_id": certificate_id, "status": "ISSUED"}
    assert alice.refused(CONFIRM, certificate_id).kind.value == "wrong_state"
    alice(REISSUE, certificate_id, NEW)
    sent = Message.objects.filter(template="reissue-confirmation").order_by("-id")[0]
    made = ReissueRequest.objects.get(outcome="OPEN").made_at
    lab.at(made + 3 * DAY - SECOND)
    watch()
    assert ReissueRequest.objects.get(outcome="OPEN").reminded_at is None
    lab.at(made + 3 * DAY)
    watch()
    assert ReissueRequest.objects.get(outcome="OPEN").reminded_at == made + 3 * DAY
    assert sent.template == "reissue-confirmation"
    lab.at(made + 30 * DAY)
    watch()
    assert alice.status(certificate_id) == "REISSUING"
    lab.at(made + 30 * DAY + SECOND)
    assert alice.refused(CONFIRM, certificate_id).kind.value == "wrong_state"
    watch()
    shown = alice.show(certificate_id)
    assert (shown["status"], "within 30 days" in shown["last_failure"]) == ("ISSUED", True)
    assert alice.leaf(certificate_id) == leaf
    assert [one["status"] for one in alice("certificates.versions", certificate_id)["items"]] == ["CURRENT"]
    assert status_of(leaf).certificate_status is forms.OCSPCertStatus.GOOD
    assert clock.now() > before


def test_confirming_after_the_expiry_changes_nothing(
    lab: LabClock, desk: Desk, alice: Caller, client: Client
) -> None:
    # rule: LST-7
    certificate_id = issue(desk, alice, "www.example.com")
    alice(REISSUE, certificate_id, NEW)
    address, end = link(), Certificate.objects.get(id=certificate_id).not_after
    assert end is not None
    Certificate.objects.filter(id=certificate_id).update(not_after=clock.now() + DAY)
    lab.move(DAY + 5 * SECOND)
    for name in (CONFIRM, DECLINE):
        assert alice.refused(name, certificate_id).kind.value == "wrong_state"
    assert client.post(address).status_code == 410
    assert alice.status(certificate_id) == "EXPIRED"
    watch()
    row = Certificate.objects.get(id=certificate_id)
    assert (row.state, row.last_failure) == ("ISSUED", followup_jobs.EXPIRED)
    assert ReissueRequest.objects.get().outcome == "LAPSED"
    assert client.get("/confirm/reissue-none").status_code == 404


def test_withdrawn_or_refused_after_that_it_goes_on_within_the_old_period(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: REI-8
    # rule: WDR-2
    certificate_id = issue(desk, alice, "www.example.com")
    end = alice.leaf(certificate_id).not_valid_after_utc
    alice(REISSUE, certificate_id, NEW)
    alice(CONFIRM, certificate_id)
    alice("certificates.cancel", certificate_id)
    desk.run()
    assert alice.status(certificate_id) == "PAID"
    lab.move(40 * DAY)
    alice.apply(certificate_id, "third.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    leaf = alice.leaf(certificate_id)
    assert (san(leaf), leaf.not_valid_after_utc) == (["third.example.com"], end)
    again = issue(desk, alice, "www.example.com")
    alice(REISSUE, again, NEW)
    alice(CONFIRM, again)
    alice("certificates.cancel", again)
    desk.run()
    lab.move(420 * DAY)
    fault = alice.not_applied(again, "late.example.com", **COMPANY)
    assert "paid for ended" in fault.message


def test_it_is_rolled_over_as_before_while_nobody_has_confirmed(desk: Desk, alice: Caller) -> None:
    # rule: REI-9
    certificate_id = issue(desk, alice, "www.example.com")
    alice(REISSUE, certificate_id, NEW)
    end = followup.paid_until(Certificate.objects.get(id=certificate_id))
    followup.roll_over(desk.alice, certificate_id, clock.now(), latest=end)
    desk.run()
    row = Certificate.objects.get(id=certificate_id)
    assert (row.state, row.current_version) == ("REISSUING", 2)
    followup.roll_over(desk.alice, certificate_id, clock.now(), latest=end)
    alice(CONFIRM, certificate_id)  # goes before a rollover under way
    desk.publish(certificate_id)
    desk.run()
    statuses = [one["status"] for one in alice("certificates.versions", certificate_id)["items"]]
    assert statuses == ["CURRENT", "REVOKED", "REVOKED"]


def test_a_revocation_waits_for_the_decision_and_says_so(desk: Desk, alice: Caller) -> None:
    certificate_id = issue(desk, alice, "www.example.com")
    alice(REISSUE, certificate_id, NEW)
    fault = alice.refused("certificates.revoke", certificate_id, {})
    assert (fault.kind.value, "Confirm" in fault.next_step) == ("wrong_state", True)
    assert alice.refused(REISSUE, certificate_id, NEW).kind.value == "wrong_state"
    alice(DECLINE, certificate_id)
    alice("certificates.revoke", certificate_id, {})


def test_whose_right_it_is(desk: Desk, alice: Caller) -> None:
    certificate_id = issue(desk, alice, "www.example.com")
    bob = Caller(desk.someone("bob", "scm:cert:get", "scm:cert:list"))
    for name in (REISSUE, CONFIRM, DECLINE):
        body = NEW if name == REISSUE else None
        assert bob.refused(name, certificate_id, body).kind.value == "forbidden"
    assert Caller(desk.someone("rob", "scm:cert:reissue", "scm:cert:get"))(REISSUE, certificate_id, NEW)


def test_charlie_learns_nothing(office: Office) -> None:
    certificate_id = issue(office.desk, Caller(office.desk.alice), "www.example.com")
    charlie = Caller(queries.principal_of(office.people["charlie"], Via.API))
    for wanted in (certificate_id, "scs0000000000000"):
        for name in (REISSUE, CONFIRM, DECLINE):
            body = NEW if name == REISSUE else None
            assert charlie.refused(name, wanted, body).kind.value == "not_found"
