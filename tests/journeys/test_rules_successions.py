"""NTF-1 for what has been renewed: people hear of its end only while something is left for them to do."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.common.months import add_months
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.discovery.models import Endpoint
from certdesk.lifecycle.issuance import followup, issuers
from certdesk.lifecycle.issuance.issuers import BuiltIn
from certdesk.lifecycle.notifications.jobs import LOOK
from certdesk.lifecycle.notifications.models import Notice
from certdesk.lifecycle.renewal import jobs
from certdesk.lifecycle.renewal.models import Renewal
from certdesk.pki.authority.issue import Prepared
from certdesk.pki.authority.types import CertificateRequest
from tests.support.desk import Desk
from tests.support.office import Office
from tests.support.rulebook import DAY, SECOND, Caller, LabClock

NAME = "www.example.com"
ON = {"enabled": True}
BOSS = "boss@example.com"


@pytest.fixture
def desk(lab: LabClock, office: Office) -> Desk:
    User.objects.filter(name="alice").update(email="alice@example.net")
    return office.desk


@pytest.fixture
def alice(desk: Desk) -> Caller:
    return Caller(desk.alice)


def told(desk: Desk, certificate_id: str) -> list[Message]:
    """The mails to the account's contact about the end of a certificate."""
    enqueue(LOOK)
    desk.run()
    found = Message.objects.filter(certificate_id=certificate_id, template__in=("expiring", "expired"))
    return list(found.filter(recipient="alice@example.net").order_by("id"))


def end_of(desk: Desk, certificate_id: str) -> datetime:
    found = desk.certificate(certificate_id).not_after
    assert found is not None
    return found


def renewed(alice: Caller, certificate_id: str) -> str:
    body = {"effective_time": 1, "is_auto_pay": True, "agree_privacy_protection": True}
    (made,) = alice("certificates.renew", certificate_id, body)["cert"]
    return str(made["cert_id"])


def issue(desk: Desk, alice: Caller, certificate_id: str) -> None:
    alice.apply(certificate_id, NAME)
    desk.publish(certificate_id)
    alice.verify(certificate_id)
    desk.run()
    assert alice.status(certificate_id) == "ISSUED"


def seen(desk: Desk, certificate_id: str, host: str = NAME) -> Endpoint:
    """What a scan writes where it meets the certificate's current version."""
    found = desk.certificate(certificate_id)
    assert found.not_before is not None
    assert found.not_after is not None
    about = dict.fromkeys(("scan_id", "fingerprint", "subject", "issuer", "version"), "")
    about["serial"] = Version.objects.get(certificate_id=certificate_id, number=found.current_version).serial
    dates = {"not_before": found.not_before, "not_after": found.not_after}
    times = {"first_seen": clock.now(), "last_seen": clock.now()}
    return Endpoint.objects.create(
        account_id=found.account_id,
        certificate_id=certificate_id,
        host=host,
        address="192.0.2.1",
        port=443,
        protocol="TLS",
        der=b"",
        chain=b"",
        **about,
        **dates,
        **times,
    )


def test_what_is_renewed_by_hand_is_told_until_it_is_served(
    lab: LabClock, desk: Desk, alice: Caller, office: Office
) -> None:
    # rule: NTF-1
    # rule: REN-3
    old = desk.issued(NAME)
    end = end_of(desk, old)
    lab.at(add_months(end, -2))
    (first,) = told(desk, old)
    assert f"/certificates/{old}\n" in first.text
    lab.at(end - 29 * DAY)
    new = renewed(alice, old)
    second = told(desk, old)[-1]  # one month
    assert f"/certificates/{new}/apply\n" in second.text
    issue(desk, alice, new)
    lab.at(end - 7 * DAY)
    third = told(desk, old)[-1]  # nobody has installed it yet
    assert f"/certificates/{new}/deploy\n" in third.text
    page, sentence = f"/certificates/{old}", "Its renewal is served in its place"
    assert sentence not in office.client().get(page).content.decode()
    place = seen(desk, old)
    seen(desk, new, "new.example.com")
    lab.at(end - 3 * DAY)
    assert len(told(desk, old)) == 4  # it still serves somewhere
    place.delete()
    for moment in (end - DAY, end + SECOND, end + 3 * DAY):
        lab.at(moment)
        assert len(told(desk, old)) == 4
        assert sentence in office.client().get(page).content.decode()
    assert office.client("charlie").get(page).status_code == 404


def test_a_place_that_serves_an_earlier_version_counts(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: NTF-1
    old = desk.issued(NAME)
    place = seen(desk, old)
    certificate = desk.certificate(old)
    paid = followup.paid_until(certificate)
    followup.roll_over(desk.alice, old, clock.now(), latest=paid - DAY)
    desk.run()
    assert desk.certificate(old).current_version == 2
    end = end_of(desk, old)
    lab.at(end - 29 * DAY)
    new = renewed(alice, old)
    issue(desk, alice, new)
    seen(desk, new, "new.example.com")
    lab.at(end - 3 * DAY)
    assert len(told(desk, old)) == 1  # a host still has the first version
    place.delete()
    lab.at(end - DAY)
    assert len(told(desk, old)) == 1


def test_a_renewal_that_is_lost_again_is_news_within_a_day(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: NTF-1
    old = desk.issued(NAME)
    end = end_of(desk, old)
    lab.at(end - 29 * DAY)
    new = renewed(alice, old)
    issue(desk, alice, new)
    place = seen(desk, new)
    lab.at(end - 7 * DAY)
    assert told(desk, old) == []
    place.gone = True
    place.save()
    lab.at(end - 6 * DAY - SECOND)
    assert told(desk, old) == []
    lab.at(end - 6 * DAY + SECOND)
    (said,) = told(desk, old)
    assert "expires in 6 days" in said.subject


def test_what_waits_for_its_hour_is_dropped_once_the_renewal_is_served(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: NTF-1
    # rule: NTF-5
    old = desk.issued(NAME)
    end = end_of(desk, old)
    lab.at(end - 29 * DAY)
    new = renewed(alice, old)
    issue(desk, alice, new)
    at = end - 20 * DAY
    begins, ends = (f"{at + hours * DAY / 24:%H:%M}" for hours in (-1, 2))
    alice("notification_hours.update", body={"zone": "UTC", "quiet_from": begins, "quiet_to": ends})
    lab.at(at)
    assert told(desk, old) == []  # the month's notice waits
    assert Notice.objects.filter(certificate_id=old, state="WAITING").exists()
    seen(desk, new)
    lab.at(at + DAY / 8)
    enqueue("notifications.due")
    assert told(desk, old) == []
    assert not Notice.objects.filter(certificate_id=old, state="WAITING").exists()


def test_what_waits_while_the_machine_renews_is_told_once_the_renewal_sticks(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: NTF-1
    old = desk.issued(NAME)
    alice("notification_rules.create", body={"whom": "EMAIL", "recipient": BOSS, "after_days": 1})
    end = end_of(desk, old)
    at = end - 20 * DAY
    begins, ends = (f"{at + hours * DAY / 24:%H:%M}" for hours in (-1, 2))
    alice("notification_hours.update", body={"zone": "UTC", "quiet_from": begins, "quiet_to": ends})
    lab.at(at)
    assert told(desk, old) == []  # the month's notice waits
    renewed(alice, old)
    renewal = Renewal.objects.create(
        certificate_id=old, account_id=desk.account.id, kind="BUY", version=1, begun_at=at, next_at=end
    )
    lab.at(at + DAY / 8)
    enqueue("notifications.due")
    assert told(desk, old) == []  # the machine brings it on
    lab.at(at + DAY + SECOND)
    assert told(desk, old) == []
    assert not Message.objects.filter(recipient=BOSS).exists()
    Renewal.objects.filter(id=renewal.id).update(cause="BALANCE")
    lab.at(at + DAY * 7 / 6)
    enqueue("notifications.due")
    assert len(told(desk, old)) == 1
    assert Message.objects.filter(recipient=BOSS, certificate_id=old).count() == 1
    lab.at(at + 2 * DAY)
    enqueue("notifications.due")
    assert len(told(desk, old)) == 1


class Down(BuiltIn):
    """The built-in CA while it does not answer."""

    def prepare(self, request: CertificateRequest, now: object) -> Prepared:
        raise CertdeskError("The CA does not answer.", kind=Kind.UNAVAILABLE)


@pytest.fixture
def outage() -> Iterator[None]:
    there = issuers.find("builtin")
    issuers.register(Down())
    yield
    issuers.register(there)


@pytest.mark.usefixtures("outage")
def test_what_the_machine_renews_is_told_in_its_last_days_only(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: NTF-1
    # rule: REN-7
    issuers.register(BuiltIn())
    old = desk.issued(NAME)
    alice("certificates.set_auto_renewal", old, ON)
    issuers.register(Down())
    end = end_of(desk, old)
    lab.at(add_months(end, -1))
    assert len(told(desk, old)) == 1  # nothing has begun yet
    for day, count in ((29, 1), (7, 1), (3, 2), (1, 3)):
        lab.at(end - day * DAY)
        enqueue(jobs.LOOK)
        desk.run(strict=False)
        assert len(told(desk, old)) == count, day
    assert Renewal.objects.get(certificate_id=old).state == "OPEN"
