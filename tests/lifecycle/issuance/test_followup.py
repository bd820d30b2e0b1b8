"""Further versions of an issued certificate through the one pipeline: rollovers, and what may meet them."""

from datetime import timedelta

import pytest

from certdesk.foundation.audit.models import Event as Audited
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Conflict, WrongState
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications.models import Application, Contact
from certdesk.lifecycle.certificates.errors import NoCertificate
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuance import followup, issuers, reconcile, revoking
from certdesk.lifecycle.issuance.errors import PeriodOver
from certdesk.lifecycle.issuance.jobs import PLACE
from certdesk.lifecycle.issuance.models import Placement
from certdesk.lifecycle.issuance.revocation_rules import Code
from certdesk.lifecycle.validation.models import Challenge, Evidence, NameProof
from certdesk.pki.authority.errors import RequestRefused
from tests.journeys.test_rules_application import csr_for
from tests.support.desk import COMPANY, Desk

DAY = timedelta(days=1)


def roll(desk: Desk, certificate_id: str, latest: timedelta | None = None) -> Application:
    end = followup.paid_until(desk.certificate(certificate_id))
    house = system_principal(desk.account.id, "renewal")
    return followup.roll_over(
        house, certificate_id, clock.now(), latest=end if latest is None else clock.now() + latest
    )


def versions(certificate_id: str) -> list[Version]:
    return list(Version.objects.filter(certificate_id=certificate_id).order_by("number"))


def test_a_rollover_adds_a_version_with_a_new_key_inside_the_paid_period(desk: Desk) -> None:
    # rule: REN-8
    # rule: REN-9
    certificate_id = desk.issued("www.example.com", "example.org")
    told = Message.objects.count()
    application = roll(desk, certificate_id)
    assert NameProof.objects.filter(application=application, reused=True).count() == 2
    assert desk.state(certificate_id) == "ISSUED"
    desk.run()
    old, new = versions(certificate_id)
    row = desk.certificate(certificate_id)
    assert (row.state, row.current_version, new.cause) == ("ISSUED", 2, "ROLLOVER")
    assert new.names == old.names
    assert new.spki_sha256 != old.spki_sha256
    assert new.key_id
    assert (old.revoked_at, old.superseded_at is None) == (None, False)
    assert row.not_after == new.not_after == old.not_after == followup.paid_until(row)
    assert row.first_issued_at == old.not_before
    assert Message.objects.count() == told  # only a failure is told
    assert Contact.objects.get(application=application).applicant_email == "ada@example.com"


def test_an_uploaded_csr_keeps_its_key_and_a_shorter_end_is_kept_to(desk: Desk) -> None:
    certificate_id = desk.issued("www.example.com", csr=csr_for("www.example.com"))
    application = roll(desk, certificate_id, 40 * DAY)
    assert followup.keeps_key(application)
    desk.run()
    old, new = versions(certificate_id)
    assert (new.spki_sha256, new.key_id) == (old.spki_sha256, "")
    assert new.not_after == application.latest_not_after.replace(microsecond=0)


def test_names_without_a_good_proof_are_asked_for_again(desk: Desk) -> None:
    certificate_id = desk.issued("www.example.com")
    Evidence.objects.update(void_at=clock.now())
    application = roll(desk, certificate_id)
    desk.run()
    assert [one.number for one in versions(certificate_id)] == [1]
    enqueue(PLACE, subject=certificate_id)  # a stray job signs nothing that is not proved
    desk.run()
    assert not Placement.objects.filter(application=application).exists()
    assert Application.objects.get(id=application.id).state == "OPEN"
    desk.publish(certificate_id)
    desk.run(timedelta(hours=1))
    assert [one.number for one in versions(certificate_id)] == [1, 2]


def test_the_organization_of_the_version_before_stands_for_the_next(desk: Desk) -> None:
    from tests.lifecycle.issuance.test_main_path import approve

    certificate_id = desk.buy("OV_SSL_CERT")
    desk.apply(certificate_id, domain="www.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    approve(desk, certificate_id, "olga")
    desk.run()
    roll(desk, certificate_id)
    desk.run()
    assert [one.cause for one in versions(certificate_id)] == ["ISSUE", "ROLLOVER"]
    Application.objects.update(company={})
    with pytest.raises(WrongState, match="privacy"):
        roll(desk, certificate_id)


def test_it_is_refused_where_there_is_nothing_to_go_on_from(desk: Desk) -> None:
    pending = desk.buy()
    with pytest.raises(WrongState, match="in force"):
        followup.roll_over(desk.alice, pending, clock.now(), latest=clock.now() + DAY)
    with pytest.raises(WrongState, match="not begun"):
        followup.paid_until(desk.certificate(pending))
    with pytest.raises(NoCertificate):
        followup.roll_over(desk.alice, "scs0000000000000", clock.now(), latest=clock.now() + DAY)
    certificate_id = desk.issued("www.example.com")
    now = clock.now()
    with pytest.raises(PeriodOver, match="Buy a new"):
        followup.roll_over(desk.alice, certificate_id, now, latest=now)
    roll(desk, certificate_id)
    with pytest.raises(Conflict):
        roll(desk, certificate_id)
    Application.objects.filter(certificate_id=certificate_id).delete()
    with pytest.raises(WrongState, match="not issued here"):
        roll(desk, certificate_id)


def test_a_refused_rollover_leaves_the_certificate_as_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # rule: REN-9
    certificate_id = desk.issued("www.example.com")

    def no(self: object, request: object, now: object) -> None:
        raise RequestRefused("This CA issues nothing on a Sunday.")

    monkeypatch.setattr(issuers.BuiltIn, "prepare", no)
    application = roll(desk, certificate_id)
    desk.run(strict=False)
    row = desk.certificate(certificate_id)
    assert (row.state, row.current_version) == ("ISSUED", 1)
    assert row.last_failure.startswith("This CA issues nothing on a Sunday.")
    assert Application.objects.get(id=application.id).state == "REFUSED"
    assert Audited.objects.filter(action=followup.ROLLOVER_FAILED).count() == 1
    monkeypatch.undo()
    roll(desk, certificate_id)
    desk.run()
    row = desk.certificate(certificate_id)
    assert (row.current_version, row.last_failure) == (2, "")


def test_with_good_proofs_nothing_is_looked_at(desk: Desk) -> None:
    # rule: REN-8
    from certdesk.foundation.jobs.models import Job

    certificate_id = desk.issued("www.example.com")
    looks = Job.objects.filter(subject=certificate_id, kind="validation.check", state="READY")
    roll(desk, certificate_id)
    assert not looks.exists()
    desk.run()
    assert desk.certificate(certificate_id).current_version == 2
    Evidence.objects.update(void_at=clock.now())
    roll(desk, certificate_id)
    assert looks.exists()


def test_a_lost_job_is_given_back(desk: Desk) -> None:
    from certdesk.foundation.jobs.models import Job

    certificate_id = desk.issued("www.example.com")
    roll(desk, certificate_id)
    Job.objects.filter(subject=certificate_id).delete()
    assert reconcile.reconcile() >= 1
    desk.run()
    assert desk.certificate(certificate_id).current_version == 2
    Evidence.objects.update(void_at=clock.now())
    roll(desk, certificate_id)
    Job.objects.filter(subject=certificate_id).delete()
    assert reconcile.reconcile() >= 1
    assert Job.objects.filter(subject=certificate_id, kind="validation.check").exists()


def test_a_revocation_and_a_deletion_go_before_a_rollover(desk: Desk) -> None:
    # rule: REV-10
    revoked, deleted = desk.issued("www.example.com"), desk.issued("www.example.org")
    for one in (revoked, deleted):
        roll(desk, one)
    revoking.revoke_now(desk.certificate(revoked), Code.SUPERSEDED, "", clock.now(), who="test")
    from certdesk.lifecycle.certificates import deleting

    deleting.delete(desk.alice, deleted, clock.now())
    desk.run()
    assert [desk.state(one) for one in (revoked, deleted)] == ["REVOKED", "DELETED"]
    assert not Application.objects.filter(state="OPEN").exists()
    assert Version.objects.count() == 2
    assert not Placement.objects.filter(state="PLACED").exists()


def test_what_expired_meanwhile_is_revived_while_it_is_paid(desk: Desk) -> None:
    certificate_id = desk.issued("www.example.com")
    Certificate.objects.filter(id=certificate_id).update(not_after=clock.now() - DAY)
    roll(desk, certificate_id)
    desk.run()
    row = desk.certificate(certificate_id)
    assert row.current_version == 2
    assert row.not_after > clock.now()
    assert not Challenge.objects.filter(verified_at=None).exists()
