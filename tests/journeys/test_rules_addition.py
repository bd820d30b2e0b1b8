"""ADD: names are added to an issued certificate; the one of before stays good whatever comes of it."""

from datetime import timedelta

import pytest
from cryptography.x509 import ocsp as forms

from certdesk.foundation.common import clock
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.principal import Via, system_principal
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance import followup, followup_jobs, issuers, withdrawal
from certdesk.lifecycle.issuance.models import Placement
from certdesk.lifecycle.validation.models import Challenge, OrganizationVerification
from certdesk.pki.authority import ocsp
from certdesk.pki.authority.errors import RequestRefused
from tests.support.desk import Desk
from tests.support.office import Office
from tests.support.rulebook import SECOND, Caller, LabClock, san

from .test_rules_issuance import issue
from .test_rules_revocation import status_of

DAY = timedelta(days=1)
ADD, CANCEL = "certificates.add_domains", "certificates.cancel"
MORE = {"add_sans": "b.example.org", "email": "grace@example.org"}


def several(desk: Desk, alice: Caller, room: int = 4, cert_type: str = "DV_SSL_CERT") -> str:
    """www.example.com and a.example.com, with room for `room` - 2 more names."""
    return issue(
        desk,
        alice,
        "www.example.com",
        sans="a.example.com",
        domain_type="MULTI_DOMAIN",
        domain_numbers=room,
        cert_type=cert_type,
    )


def watch() -> None:
    enqueue(followup_jobs.WATCH)
    testing.run_due(strict=True)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocsp, "FRESH", 0)


def test_the_new_names_alone_are_proved_and_the_old_certificate_stays(desk: Desk, alice: Caller) -> None:
    # rule: ADD-1
    # rule: ADD-2
    # rule: ADD-3
    # rule: ADD-4
    # rule: ADD-6
    certificate_id = several(desk, alice)
    old = alice.leaf(certificate_id)
    assert "add-domains" in alice.show(certificate_id)["operations"]
    assert alice(ADD, certificate_id, MORE) == {"message": "success"}
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["progress"]) == ("SUPPLEMENTCHECKING", None)
    assert shown["operations"] == ["verify", "withdraw", "download"]
    assert [one["status"] for one in alice.proof(certificate_id)] == ["VERIFIED", "VERIFIED", "PENDING"]
    assert Challenge.objects.filter(certificate_id=certificate_id, verified_at=None).count() == 1
    desk.run()
    assert alice.leaf(certificate_id) == old  # it can be downloaded, without the new name
    assert "b.example.org" not in san(old)
    assert alice.verify(certificate_id)["status"] == "SUPPLEMENTCHECKING"
    desk.publish(certificate_id)
    assert alice.verify(certificate_id)["domains"][2]["status"] == "VERIFIED"
    desk.run()
    new = alice.leaf(certificate_id)
    assert (alice.status(certificate_id), san(new)) == ("ISSUED", [*san(old), "b.example.org"])
    assert new.not_valid_after_utc == old.not_valid_after_utc
    assert status_of(old).certificate_status is forms.OCSPCertStatus.GOOD
    statuses = [one["status"] for one in alice("certificates.versions", certificate_id)["items"]]
    assert statuses == ["CURRENT", "PREVIOUS"]
    assert Message.objects.filter(template="issued", recipient="grace@example.org").count() == 1
    asked = Message.objects.filter(template="dns-record", recipient="grace@example.org")
    assert "b.example.org" in asked.get().text


def test_plain_and_wildcard_names_are_counted_apart(desk: Desk, alice: Caller) -> None:
    # rule: ADD-1
    # rule: ADD-7
    certificate_id = alice.buy(
        cert_brand="SYMANTEC",
        cert_type="OV_SSL_CERT",
        domain_type="MULTI_DOMAIN",
        domain_numbers=4,
        single_domain_number=2,
        wildcard_domain_number=1,
    )
    from tests.support.rulebook import COMPANY

    alice.apply(certificate_id, "www.example.com", sans="a.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    Caller(desk.someone("olga")).approve(certificate_id)
    desk.run()
    assert alice.status(certificate_id) == "ISSUED"
    for names, field in (
        ("b.example.org;c.example.org", "sans"),
        ("*.x.example.org;*.y.example.org", "sans"),
        ("A.example.com", "add_sans"),
        ("", "add_sans"),
        ("not_a_name", "sans"),
    ):
        fault = alice.refused(ADD, certificate_id, {**MORE, "add_sans": names})
        assert (fault.field, alice.status(certificate_id)) == (field, "ISSUED")
    assert alice.refused(ADD, certificate_id, {**MORE, "email": "nobody"}).field == "email"
    alice(ADD, certificate_id, {**MORE, "add_sans": "b.example.org\n*.x.example.org"})
    desk.publish(certificate_id)
    desk.run()
    assert alice.status(certificate_id) == "ISSUED"  # the organization was not checked again
    assert OrganizationVerification.objects.count() == 1
    assert "add-domains" not in alice.show(certificate_id)["operations"]
    assert "bought" in alice.refused(ADD, certificate_id, {**MORE, "add_sans": "d.example.org"}).message


def test_only_several_names_and_only_issued(desk: Desk, alice: Caller) -> None:
    # rule: ADD-1
    single = issue(desk, alice, "www.example.com")
    pending = alice.buy(domain_type="MULTI_DOMAIN", domain_numbers=3)
    for certificate_id in (single, pending):
        assert "add-domains" not in alice.show(certificate_id)["operations"]
        assert alice.refused(ADD, certificate_id, MORE).kind.value == "wrong_state"


def test_withdrawing_leaves_the_old_certificate_intact(desk: Desk, alice: Caller) -> None:
    # rule: ADD-5
    # rule: WDR-1
    certificate_id = several(desk, alice)
    old = alice.leaf(certificate_id)
    alice(ADD, certificate_id, MORE)
    alice(CANCEL, certificate_id)
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["operations"]) == ("CANCELSUPPLEMENTING", ["download"])
    assert alice.leaf(certificate_id) == old
    desk.run()
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["sans"]) == ("ISSUED", "a.example.com")
    assert alice.leaf(certificate_id) == old
    told = Message.objects.get(template="withdrawn", recipient="grace@example.org")
    assert "stays valid" in told.text
    alice(ADD, certificate_id, MORE)  # and once more
    assert alice.proof(certificate_id)[2]["status"] == "PENDING"


def test_a_withdrawal_that_meets_the_approval_fails_and_says_so(desk: Desk, alice: Caller) -> None:
    # rule: WDR-3
    certificate_id = several(desk, alice)
    alice(ADD, certificate_id, MORE)
    desk.publish(certificate_id)
    alice.verify(certificate_id)
    Placement.objects.create(  # the CA has it, and the certificate is on its way
        reference=f"{certificate_id}.2.9",
        certificate_id=certificate_id,
        application=Application.objects.get(state="OPEN"),
        issuer="builtin",
        created_at=clock.real_now(),
    )
    alice(CANCEL, certificate_id)
    house = system_principal(desk.account.id, "test")
    with short_transaction():
        assert not withdrawal.settle(house, Certificate.objects.get(id=certificate_id), clock.now())
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["last_failure"]) == ("SUPPLEMENTCHECKING", withdrawal.REFUSED)
    desk.run()
    assert alice.status(certificate_id) == "ISSUED"
    assert "b.example.org" in san(alice.leaf(certificate_id))
    happened = [one["action"] for one in alice("certificates.events", certificate_id)["items"]]
    assert "certificate.withdrawal_refused" in happened


def test_a_refusal_of_the_issuer_is_told_and_changes_nothing(
    desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    # rule: ADD-6
    certificate_id = several(desk, alice)
    old = alice.leaf(certificate_id)
    alice(ADD, certificate_id, MORE)

    def no(self: object, request: object, now: object) -> None:
        raise RequestRefused("This CA does not know that name.")

    monkeypatch.setattr(issuers.BuiltIn, "prepare", no)
    desk.publish(certificate_id)
    desk.run(strict=False)
    shown = alice.show(certificate_id)
    assert shown["status"] == "ISSUED"
    assert shown["last_failure"].startswith("This CA does not know that name.")
    assert alice.leaf(certificate_id) == old
    assert "stays valid" in Message.objects.get(template="refused").text
    monkeypatch.undo()
    alice(ADD, certificate_id, MORE)
    assert alice.show(certificate_id)["last_failure"] == ""


def test_an_addition_ends_with_the_certificate(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: LST-7
    pending, signing = several(desk, alice), several(desk, alice)
    for one in (pending, signing):
        alice(ADD, one, {**MORE, "add_sans": f"x{one[-6:]}.example.org"})
    end = clock.now().replace(microsecond=0) + DAY
    Certificate.objects.update(not_after=end)
    Application.objects.filter(state="OPEN").update(latest_not_after=end)
    lab.at(end)
    watch()
    assert alice.status(pending) == "SUPPLEMENTCHECKING"
    lab.at(end + SECOND)
    assert alice.status(pending) == "EXPIRED"
    assert alice.refused(CANCEL, pending).kind.value == "wrong_state"
    desk.publish(signing)
    desk.run(strict=False)  # whoever is first, the watch or the issuer's refusal: it lapses
    watch()
    for one in (pending, signing):
        assert Certificate.objects.get(id=one).state == "ISSUED"
        assert alice.status(one) == "EXPIRED"
    assert not Application.objects.filter(state="OPEN").exists()


def test_a_withdrawal_that_meets_the_expiry_ends_too(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: LST-7
    certificate_id = several(desk, alice)
    alice(ADD, certificate_id, MORE)
    alice(CANCEL, certificate_id)
    Certificate.objects.update(not_after=clock.now() - SECOND)
    desk.run()
    assert Certificate.objects.get(id=certificate_id).state == "ISSUED"
    assert Application.objects.exclude(state="FULFILLED").get().state == "WITHDRAWN"


def test_no_revocation_while_names_are_added_and_it_goes_before_a_rollover(desk: Desk, alice: Caller) -> None:
    certificate_id = several(desk, alice)
    end = followup.paid_until(Certificate.objects.get(id=certificate_id))
    followup.roll_over(desk.alice, certificate_id, clock.now(), latest=end)
    alice(ADD, certificate_id, MORE)
    fault = alice.refused("certificates.revoke", certificate_id, {})
    assert (fault.kind.value, "stays valid" in fault.next_step) == ("wrong_state", True)
    assert alice.refused(ADD, certificate_id, MORE).kind.value == "wrong_state"
    desk.publish(certificate_id)
    desk.run(timedelta(hours=1))
    causes = Certificate.objects.get(id=certificate_id).versions.order_by("number")
    assert list(causes.values_list("cause", flat=True)) == ["ISSUE", "ADDITION"]
    alice("certificates.revoke", certificate_id, {})
    desk.run()
    assert alice.status(certificate_id) == "REVOKED"


def test_the_older_api(desk: Desk, alice: Caller) -> None:
    # rule: ADD-2
    certificate_id = several(desk, alice)
    more = {"project_id": desk.account.name, "cert_id": certificate_id}
    body = {**MORE, "domain": "www.example.com", "sans": "a.example.com"}
    assert alice("v2.add_domains", body=body, **more) == {"message": "success"}
    assert alice.status(certificate_id) == "SUPPLEMENTCHECKING"


def test_whose_right_it_is(desk: Desk, alice: Caller) -> None:
    certificate_id = several(desk, alice)
    bob = Caller(desk.someone("bob", "scm:cert:get", "scm:cert:list"))
    assert bob.refused(ADD, certificate_id, MORE).kind.value == "forbidden"
    assert Caller(desk.someone("rob", "scm:cert:supplement"))(ADD, certificate_id, MORE)


def test_charlie_learns_nothing(office: Office) -> None:
    certificate_id = several(office.desk, Caller(office.desk.alice))
    charlie = Caller(queries.principal_of(office.people["charlie"], Via.API))
    for wanted in (certificate_id, "scs0000000000000"):
        assert charlie.refused(ADD, wanted, MORE).kind.value == "not_found"
