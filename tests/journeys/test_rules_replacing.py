"""Campaigns that replace: a new key first, then the places that serve the old one, and only then its end."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.x509 import ocsp as forms

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.models import Policy, User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.outbox.models import Message
from certdesk.lab.elb_small import Fault
from certdesk.lifecycle.applications.models import Application, ApplicationState, CsrMode
from certdesk.lifecycle.campaigns import actions, pace, queries, rules, standing
from certdesk.lifecycle.campaigns.models import Campaign, Item
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.deployment.models import Binding
from certdesk.lifecycle.issuance import followup
from certdesk.lifecycle.validation.models import Evidence
from certdesk.pki.authority import ocsp
from tests.support.balancer import Balancer, open_balancer
from tests.support.desk import Desk
from tests.support.inventory import placed
from tests.support.office import Office
from tests.support.rulebook import Caller

from .test_rules_application import csr_for
from .test_rules_campaigns import ready, report, somebody
from .test_rules_issuance import issue
from .test_rules_revocation import on_crl, status_of

WWW = "www.example.com"
SOON = timedelta(seconds=5)
BOTH = {"action": "REPLACE_AND_REVOKE", "reason_code": "SUPERSEDED"}
GOOD, REVOKED = forms.OCSPCertStatus.GOOD, forms.OCSPCertStatus.REVOKED


@pytest.fixture
def desk(office: Office) -> Desk:
    return office.desk


@pytest.fixture
def alice(office: Office) -> Caller:
    return Caller(iam.principal_of(office.people["alice"], Via.API))


@pytest.fixture
def elb(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Balancer]:
    with open_balancer(office, tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocsp, "FRESH", 0)
    monkeypatch.setattr(rules, "budget", lambda *_: 100)


def run(limit: int = 300, alone: int | None = 8) -> None:
    """Until only the campaign is left, which looks whether somebody has renewed."""
    testing.run_all(SOON, limit, strict=True, alone=alone)


def test_a_new_key_is_in_force_before_the_old_one_ends(desk: Desk, alice: Caller) -> None:
    # rule: REV-4
    # rule: REV-6
    certificate_id = issue(desk, alice, WWW)
    old = alice.leaf(certificate_id)
    campaign = ready(alice, **BOTH)
    alice("campaigns.start", id=campaign)
    testing.run_all(SOON, 1, strict=True)
    assert report(alice, campaign)[certificate_id]["state"] == "REPLACING"
    assert status_of(old).certificate_status is GOOD
    run()
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], alice("campaigns.show", id=campaign)["state"]) == ("DONE", "DONE")
    new = alice.leaf(certificate_id)
    assert new.public_key() != old.public_key()
    assert (alice.status(certificate_id), new.subject) == ("ISSUED", old.subject)
    assert [status_of(one).certificate_status for one in (old, new)] == [REVOKED, GOOD]
    assert on_crl(old) is not None
    assert row["crl"]
    newest, older = alice("certificates.versions", certificate_id)["items"]
    assert (older["status"], newest["status"] == "REVOKED") == ("REVOKED", False)
    assert Event.objects.filter(action="certificate.version_revoked").count() == 1


def test_replace_alone_leaves_the_old_one_valid(desk: Desk, alice: Caller) -> None:
    certificate_id = issue(desk, alice, WWW)
    old = alice.leaf(certificate_id)
    alice("campaigns.start", id=ready(alice, action="REPLACE"))
    run()
    assert alice.leaf(certificate_id) != old
    assert status_of(old).certificate_status is GOOD


def test_a_key_of_a_csr_cannot_be_replaced_and_nor_can_what_is_pending(desk: Desk, alice: Caller) -> None:
    own = issue(desk, alice, WWW, csr=csr_for(WWW))
    pending = issue(desk, alice, "a.example.com")
    placed(pending, State.REVOKING, clock.now() + timedelta(days=9))
    found = report(alice, ready(alice, **BOTH))
    assert found[own]["why"] == rules.KEY_OF_A_CSR
    assert "revocation" in str(found[pending]["why"])


LEAKED = {"action": "REPLACE_AND_REVOKE", "reason_code": "KEY_COMPROMISE"}


def reissued_with_the_same_key(desk: Desk, certificate_id: str) -> None:
    """As somebody may do between the preview of a campaign and its turn."""
    certificate = Certificate.objects.get(id=certificate_id)
    followup.roll_over(desk.alice, certificate_id, clock.now(), latest=followup.paid_until(certificate))
    run()
    old = Version.objects.get(certificate_id=certificate_id, number=1)
    Version.objects.filter(number=2).update(spki_sha256=old.spki_sha256)


def test_a_newer_version_with_the_key_that_is_known_does_not_count(desk: Desk, alice: Caller) -> None:
    # rule: REV-6
    certificate_id = issue(desk, alice, WWW)
    campaign = ready(alice, **LEAKED)
    reissued_with_the_same_key(desk, certificate_id)
    alice("campaigns.start", id=campaign)
    run()
    assert report(alice, campaign)[certificate_id]["state"] == "DONE"
    gone = Version.objects.filter(revoked_at__isnull=False).order_by("number")
    assert [one.number for one in gone] == [1, 2]
    assert Version.objects.count() == 3


def test_a_known_key_that_came_with_a_csr_again_is_told(desk: Desk, alice: Caller) -> None:
    certificate_id = issue(desk, alice, WWW)
    campaign = ready(alice, **LEAKED)
    reissued_with_the_same_key(desk, certificate_id)
    alice("campaigns.start", id=campaign)
    testing.run_all(SOON, 1, strict=True)
    Application.objects.update(csr_mode=CsrMode.UPLOAD)
    Job.objects.exclude(kind="campaigns.run").delete()  # its next step comes first
    run(FEW)
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], row["why"]) == ("FAILED", rules.KEY_OF_A_CSR)
    assert not Version.objects.filter(revoked_at__isnull=False).exists()


@pytest.mark.server
def test_it_is_deployed_before_the_old_one_is_revoked(elb: Balancer) -> None:
    # rule: DEP-6
    alice = elb.alice
    certificate_id = elb.office.desk.issued(WWW, key_algorithm="EC_P256")
    elb.deploy(certificate_id, WWW)
    elb.office.desk.run(SOON)
    old = alice.leaf(certificate_id)
    campaign = ready(alice, **BOTH)
    assert report(alice, campaign)[certificate_id]["places"] == 1
    alice("campaigns.start", id=campaign)
    run()
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], row["why"]) == ("DONE", "")
    new = Version.objects.get(certificate_id=certificate_id, number=2)
    assert Binding.objects.get(served_certificate_id=certificate_id).served == new.fingerprint_sha1
    assert status_of(old).certificate_status is REVOKED


@pytest.mark.server
def test_what_cannot_be_deployed_keeps_the_old_one_in_force(elb: Balancer) -> None:
    alice = elb.alice
    certificate_id = elb.office.desk.issued(WWW, key_algorithm="EC_P256")
    elb.deploy(certificate_id, WWW)
    elb.office.desk.run(SOON)
    old = alice.leaf(certificate_id)
    campaign = ready(alice, **BOTH)
    elb.elb.small.faults.add(Fault.DEAF)
    alice("campaigns.start", id=campaign)
    run()
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], row["why"]) == ("FAILED", rules.NOT_DEPLOYED)
    assert status_of(old).certificate_status is GOOD


def test_a_new_version_that_was_refused_or_withdrawn_fails(desk: Desk, alice: Caller) -> None:
    one, other, third = (issue(desk, alice, f"{name}.example.com") for name in "abc")
    campaign = ready(alice, **BOTH)
    alice("campaigns.start", id=campaign)
    testing.run_all(SOON, 1, strict=True)
    Application.objects.filter(certificate_id=one, state=ApplicationState.OPEN).update(
        state=ApplicationState.WITHDRAWN
    )
    placed(other, State.REVOKED)
    placed(third, State.DELETED)
    run()
    assert {item.certificate_id: item.why for item in Item.objects.all()} == {
        one: rules.NOT_REPLACED,
        other: rules.OTHERWISE,
        third: rules.GONE,
    }


@pytest.mark.parametrize(("verb", "left"), [("pause", "WAITING"), ("cancel", "LEFT")])
def test_what_is_under_way_comes_to_its_end_when_it_is_stopped(
    desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch, verb: str, left: str
) -> None:
    # rule: REV-6
    monkeypatch.setattr(pace, "BEGUN_AT_ONCE", 1)
    begun, other = sorted(issue(desk, alice, f"{name}.example.com") for name in "ab")
    old = alice.leaf(begun)
    campaign = ready(alice, **BOTH)
    alice("campaigns.start", id=campaign)
    testing.run_all(SOON, 1, strict=True)
    alice(f"campaigns.{verb}", id=campaign)
    run()
    found = report(alice, campaign)
    assert (found[begun]["state"], found[other]["state"]) == ("DONE", left)
    assert status_of(old).certificate_status is REVOKED
    assert not Job.objects.filter(kind="campaigns.run", state="READY").exists()


@pytest.mark.server
def test_who_may_not_deploy_is_told_so(office: Office, elb: Balancer) -> None:
    alice = elb.alice
    certificate_id = elb.office.desk.issued(WWW, key_algorithm="EC_P256")
    elb.deploy(certificate_id, WWW)
    elb.office.desk.run(SOON)
    rights = ("scm:campaign:*", "scm:cert:list", "scm:cert:get", "scm:cert:reissue", "scm:cert:revoke")
    mia = somebody(office, "mia", *rights)
    campaign = ready(mia, **BOTH)
    mia("campaigns.start", id=campaign)
    run()
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], "scm:cert:deploy" in str(row["why"])) == ("FAILED", True)
    assert Version.objects.get(certificate_id=certificate_id, number=1).revoked_at is None


def policy(*rights: str) -> dict[str, object]:
    return {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": list(rights)}]}


SEES = ("scm:campaign:*", "scm:cert:list", "scm:cert:get")


@pytest.mark.parametrize(("left", "revoked"), [("scm:cert:reissue", []), ("scm:cert:revoke", [1])])
def test_a_right_to_revoke_that_is_withdrawn_meanwhile_counts(
    office: Office, desk: Desk, alice: Caller, left: str, revoked: list[int]
) -> None:
    # rule: REV-6
    certificate_id = issue(desk, alice, WWW)
    mia = somebody(office, "mia", *SEES, "scm:cert:reissue", "scm:cert:revoke")
    campaign = ready(mia, **BOTH)
    mia("campaigns.start", id=campaign)
    testing.run_all(SOON, 1, strict=True)
    Policy.objects.filter(name="mia").update(document=policy(*SEES, left))
    run()
    row = report(alice, campaign)[certificate_id]
    gone = Version.objects.filter(revoked_at__isnull=False)
    assert [one.number for one in gone] == revoked
    new = Version.objects.get(number=2)
    assert (row["new_serial"], row["served"]) == (new.serial, 0)  # it came, and the report says so
    assert row["why"] == ("" if revoked else rules.NO_RIGHT)


def test_a_right_to_reissue_that_is_withdrawn_meanwhile_counts(
    office: Office, desk: Desk, alice: Caller
) -> None:
    certificate_id = issue(desk, alice, WWW)
    mia = somebody(office, "mia", *SEES, "scm:cert:reissue", "scm:cert:revoke")
    campaign = ready(mia, **LEAKED)
    reissued_with_the_same_key(desk, certificate_id)
    mia("campaigns.start", id=campaign)
    testing.run_all(SOON, 1, strict=True)
    Policy.objects.filter(name="mia").update(document=policy(*SEES, "scm:cert:revoke"))
    Job.objects.exclude(kind="campaigns.run").delete()  # its next step comes first
    run(FEW)
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], row["why"]) == ("FAILED", rules.NO_RIGHT)


FEW = 40  # jobs: a campaign with something to wait for has always one more


def without_proof(desk: Desk, alice: Caller) -> tuple[str, str]:
    """A certificate whose replacement waits for a proof, and the running campaign that asked for it."""
    certificate_id = issue(desk, alice, WWW)
    Evidence.objects.update(void_at=clock.now())
    campaign = ready(alice, **BOTH)
    alice("campaigns.start", id=campaign)
    run(FEW)
    return certificate_id, campaign


def later(campaign: str, waited: timedelta) -> None:
    """As if it had begun so long ago, after the next steps."""
    Item.objects.filter(state="REPLACING").update(begun_at=clock.real_now() - waited)
    actions.send_run(Campaign.objects.get(id=campaign))
    for _ in range(2):  # a step, then what became of it
        Job.objects.filter(kind="campaigns.run", state="READY").update(run_at=clock.real_now())
        run(FEW)


def test_a_proof_that_nobody_gives_is_asked_for_once_and_not_waited_for_without_end(
    office: Office, desk: Desk, alice: Caller
) -> None:
    # rule: REV-6
    User.objects.filter(name="alice").update(email="alice@example.net")
    certificate_id, campaign = without_proof(desk, alice)
    assert report(alice, campaign)[certificate_id]["why"] == ""
    mails = Message.objects.filter(template="renewal-attention", certificate_id=certificate_id)
    for waited, count in ((rules.PATIENCE / 2, 0), (rules.PATIENCE, 2), (rules.LONGEST - rules.PATIENCE, 2)):
        later(campaign, waited)
        assert mails.count() == count
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], row["why"]) == ("REPLACING", rules.WAITS_FOR_PROOF)
    assert {one.recipient for one in mails} == {"ada@example.com", "alice@example.net"}
    assert f"/certificates/{certificate_id}/verify" in mails[0].text
    page = f"/campaigns/{campaign}"
    assert "Control of its names is not proved yet" in office.client().get(page).content.decode()
    assert office.client("charlie").get(page).status_code == 404
    later(campaign, rules.LONGEST)
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], row["why"]) == ("FAILED", rules.NOT_PROVED)
    assert alice("campaigns.show", id=campaign)["state"] == "DONE"
    assert alice.status(certificate_id) == "ISSUED"


def test_who_owns_many_finds_the_rest_in_the_list(
    desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "MAILS_A_DAY", 0)
    certificate_id, campaign = without_proof(desk, alice)
    later(campaign, rules.PATIENCE)
    assert report(alice, campaign)[certificate_id]["why"] == rules.WAITS_FOR_PROOF
    assert not Message.objects.filter(template="renewal-attention").exists()


def test_a_proof_that_comes_late_ends_the_wait(desk: Desk, alice: Caller) -> None:
    # rule: REV-6
    certificate_id, campaign = without_proof(desk, alice)
    later(campaign, rules.PATIENCE)
    assert queries.at_work(Campaign.objects.get(id=campaign)) == (0, 0)  # it keeps no place from others
    desk.publish(certificate_id)
    alice.verify(certificate_id)
    later(campaign, rules.PATIENCE)
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], row["why"]) == ("DONE", "")


def test_what_was_proved_in_time_does_not_fail_for_its_slow_issuer(desk: Desk, alice: Caller) -> None:
    # rule: REV-6
    certificate_id, campaign = without_proof(desk, alice)
    later(campaign, rules.PATIENCE)
    assert report(alice, campaign)[certificate_id]["why"] == rules.WAITS_FOR_PROOF
    desk.publish(certificate_id)
    alice.verify(certificate_id)
    Item.objects.update(begun_at=clock.real_now() - rules.LONGEST)
    assert standing.look(Campaign.objects.get(id=campaign)) == []
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], row["why"]) == ("REPLACING", rules.WAITS_FOR_ISSUER)
    later(campaign, rules.LONGEST)
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], row["why"]) == ("DONE", "")


@pytest.mark.parametrize("waited", [timedelta(0), rules.PATIENCE])
def test_a_cancelled_campaign_leaves_what_waits_for_people(
    desk: Desk, alice: Caller, waited: timedelta
) -> None:
    certificate_id, campaign = without_proof(desk, alice)
    later(campaign, waited)
    if not waited:  # whoever started it may not go on
        User.objects.filter(name="alice").update(is_active=False)
    alice("campaigns.cancel", id=campaign)
    run(FEW)
    assert report(alice, campaign)[certificate_id]["state"] == "LEFT"
    assert not Job.objects.filter(kind="campaigns.run", state="READY").exists()


def test_what_waits_for_its_issuer_says_so_and_nobody_is_written_to(desk: Desk, alice: Caller) -> None:
    certificate_id = issue(desk, alice, WWW)
    campaign = ready(alice, **BOTH)
    alice("campaigns.start", id=campaign)
    testing.run_all(SOON, 1, strict=True)
    Item.objects.update(begun_at=clock.real_now() - rules.PATIENCE)
    found = Campaign.objects.get(id=campaign)
    assert standing.look(found) == []
    row = report(alice, campaign)[certificate_id]
    assert (row["state"], row["why"]) == ("REPLACING", rules.WAITS_FOR_ISSUER)
    assert (queries.is_at_work(found), queries.at_work(found)) == (False, (0, 0))
    assert not Message.objects.filter(template="renewal-attention").exists()
    run(FEW)
    later(campaign, rules.PATIENCE)
    assert report(alice, campaign)[certificate_id]["state"] == "DONE"
