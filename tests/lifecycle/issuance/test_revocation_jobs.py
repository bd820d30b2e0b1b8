"""Revocations by workers: nobody waits behind those who wait for something else, whatever their number."""

from datetime import timedelta

import pytest

from certdesk.connectors.issuers.protocol import ControlWanted
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.issuance import followup, revocation_jobs, revoking
from certdesk.lifecycle.issuance.models import Outcome, RevocationRequest
from certdesk.pki.keystore import queries as keystore
from tests.support.desk import Desk
from tests.support.inventory import issued, new_account, person, placed
from tests.support.outside_ca import OutsideCa, front

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def alice():
    return person(new_account())


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(revocation_jobs, "AT_ONCE", 2)


def asked(principal, days: int, *, confirmed: bool = False, ends_in: timedelta = 90 * DAY) -> str:
    """A revocation asked for so many days ago."""
    now = clock.now()
    certificate_id = issued(principal, now=now - 100 * DAY, lasts=100 * DAY + ends_in)
    placed(certificate_id, State.REVOKING, now + ends_in)
    RevocationRequest.objects.create(
        certificate_id=certificate_id,
        account_id=principal.account_id,
        requested_by=principal.user_id,
        reason=4,
        made_at=now - days * DAY,
        confirmed_at=now if confirmed else None,
    )
    return certificate_id


def outcome(certificate_id: str) -> str:
    return RevocationRequest.objects.get(certificate_id=certificate_id).outcome


def watch() -> None:
    enqueue(revocation_jobs.WATCH, dedupe_key=revocation_jobs.WATCH)
    testing.run_due()


def test_however_many_wait_the_due_ones_get_their_turn(alice):
    # rule: REV-9
    waiting = [asked(alice, 1) for _ in range(5)]
    old = [asked(alice, 31) for _ in range(3)]
    ended = [asked(alice, 1, ends_in=-DAY) for _ in range(3)]
    reminded = asked(alice, 4)
    watch()
    assert [outcome(one) for one in waiting] == [Outcome.OPEN] * 5
    assert [outcome(one) for one in old + ended] == [Outcome.LAPSED] * 6
    row = RevocationRequest.objects.get(certificate_id=reminded)
    assert (row.outcome, row.reminded_at is not None) == (Outcome.OPEN, True)
    assert "30 days" in Certificate.objects.get(id=old[2]).last_failure
    assert "expired before" in Certificate.objects.get(id=ended[2]).last_failure


def test_a_confirmed_one_whose_job_was_lost_gets_another(alice):
    # rule: REV-2
    lost = [asked(alice, 1, confirmed=True) for _ in range(3)]
    held = asked(alice, 1, confirmed=True)
    enqueue(revoking.SETTLE, subject=held, run_at=clock.real_now() + DAY)
    enqueue(revocation_jobs.WATCH, dedupe_key=revocation_jobs.WATCH)
    testing.run_due(limit=1)
    assert Job.objects.filter(kind=revoking.SETTLE, subject__in=lost).count() == 2
    testing.run_due(limit=20)
    assert Job.objects.filter(kind=revoking.SETTLE).exclude(subject=held).count() >= 3
    assert Job.objects.filter(kind=revoking.SETTLE, subject=held).count() == 1


def test_a_known_key_is_withdrawn_page_by_page_and_later_where_the_state_allows_nothing_yet(desk: Desk):
    # rule: REV-6
    mine = [desk.issued(f"{name}.example.com") for name in "abcde"]
    hosted = issued(desk.alice, now=clock.now())
    placed(hosted, State.UPLOAD, clock.now() + DAY)
    Version.objects.update(spki_sha256="c" * 64)
    placed(mine[3], State.REISSUING, clock.now() + DAY)
    Certificate.objects.filter(id=mine[4]).update(level="OV")
    revoking.request(desk.alice, mine[4], revoking.Wish("SUPERSEDED"), clock.now())
    assert RevocationRequest.objects.get().confirmed_at is None
    enqueue(revocation_jobs.SPREAD, {"spki_sha256": "c" * 64}, subject=mine[0])
    desk.run()
    assert [desk.state(one) for one in mine] == ["REVOKED"] * 3 + ["REISSUING", "REVOKED"]
    waiting = RevocationRequest.objects.get(certificate_id=mine[4])
    assert (waiting.reason, waiting.proved) == (1, False)
    assert "known to others" in desk.certificate(hosted).last_failure
    assert Event.objects.filter(action="certificate.key_compromised", resource=f"cert:{hosted}").exists()
    placed(mine[3], State.ISSUED, clock.now() + DAY)
    desk.run(revocation_jobs.LOOK_AGAIN)
    assert desk.state(mine[3]) == "REVOKED"
    assert not Job.objects.filter(kind=revocation_jobs.SPREAD, state="READY").exists()


def test_a_known_key_says_nothing_of_the_other_keys_of_its_certificates(desk: Desk):
    # rule: REV-6
    both, other = desk.issued("www.example.com"), desk.issued("www.example.com")
    followup.roll_over(desk.alice, both, clock.now(), latest=desk.certificate(both).not_after)
    desk.run(DAY)
    for number, letter in ((1, "c"), (2, "d")):
        Version.objects.filter(certificate_id=both, number=number).update(spki_sha256=letter * 64)
    Version.objects.filter(certificate_id=other).update(spki_sha256="d" * 64)
    Certificate.objects.filter(id=both).update(level="OV")  # its owner's request waits for a mail
    revoking.request(desk.alice, both, revoking.Wish("SUPERSEDED"), clock.now())
    enqueue(revocation_jobs.SPREAD, {"spki_sha256": "c" * 64}, subject=both)
    desk.run(DAY)
    assert [desk.state(one) for one in (both, other)] == ["REVOKED", "ISSUED"]
    assert not keystore.is_blocked("d" * 64)


@pytest.mark.parametrize("how", ["revoked by another job", "expired"])
def test_when_what_wanted_control_again_is_over_the_rest_ends_revoked(desk: Desk, how: str):
    # rule: REV-7
    ca = OutsideCa()
    with front(away=ca):
        certificate_id = desk.issued("www.example.com")
        end = desk.certificate(certificate_id).not_after
        followup.roll_over(desk.alice, certificate_id, clock.now(), latest=end)
        desk.run(DAY)
        first = Version.objects.get(certificate_id=certificate_id, number=1)
        ca.faults = [("revoke", "before", ControlWanted("It wants control again.", "Set the record."))]
        revoking.request(desk.alice, certificate_id, revoking.Wish("SUPERSEDED"), clock.now())
        desk.run()
        assert desk.state(certificate_id) == "REVOKING_DOMAIN"
        left = Version.objects.get(certificate_id=certificate_id, revoked_at=None)
        assert left == first
        if how == "expired":
            Version.objects.filter(id=first.id).update(not_after=clock.now() - DAY)
        else:
            with short_transaction():
                revoking.end_version(first, 4, clock.now())
            testing.run_due()
        desk.run(DAY)
        assert desk.state(certificate_id) == "REVOKED"
        assert RevocationRequest.objects.get().outcome == Outcome.DONE
