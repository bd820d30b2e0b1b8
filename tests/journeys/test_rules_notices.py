"""NTF: who is told that a certificate ends, when, once; and the switch."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, Forbidden
from certdesk.foundation.common.months import add_months
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications.models import Contact
from certdesk.lifecycle.notifications.jobs import BATCH, LOOK
from tests.support.desk import Desk
from tests.support.inventory import issued
from tests.support.rulebook import DAY, SECOND, Caller, LabClock
from tests.support.uploads import World

ENABLE, DISABLE = "notices.enable", "notices.disable"
BOTH = ["CERT_EXPIRING", "CERT_EXPIRED"]
TELLING = ("expiring", "expired")


def look(desk: Desk) -> None:
    """What the periodic job does."""
    jobs.enqueue(LOOK)
    desk.run()


def told(certificate_id: str) -> list[tuple[str, str]]:
    """(template, recipient) of each message, in their order."""
    found = Message.objects.filter(certificate_id=certificate_id, template__in=TELLING).order_by("id")
    return [(one.template, one.recipient) for one in found]


def end_of(desk: Desk, certificate_id: str) -> datetime:
    found = desk.certificate(certificate_id).not_after
    assert found is not None
    return found


def test_applicant_and_contact_are_told_at_each_stage_once(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: NTF-1
    # rule: NTF-6
    certificate_id = desk.issued("www.example.com")
    end = end_of(desk, certificate_id)
    one = [("expiring", "ada@example.com"), ("expiring", "alice@example.net")]
    stages = [add_months(end, -2), add_months(end, -1), *(end - days * DAY for days in (7, 3, 1))]
    for number, stage in enumerate(stages):
        lab.at(stage - SECOND)
        look(desk)
        assert told(certificate_id) == one * number
        lab.at(stage)
        for _ in range(3):  # a restart, a second worker
            look(desk)
        assert told(certificate_id) == one * (number + 1)
    lab.at(end)
    look(desk)
    assert told(certificate_id) == one * 5
    lab.at(end + SECOND)
    for _ in range(2):
        look(desk)
    last = [("expired", "ada@example.com"), ("expired", "alice@example.net")]
    assert told(certificate_id) == [*one * 5, *last]
    message = Message.objects.filter(template="expired").first()
    assert message is not None
    assert f"{end:%Y-%m-%d %H:%M:%S} UTC" in message.text  # rule: NTF-2


def test_missed_days_are_told_once_with_the_stage_of_now(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: NTF-1
    certificate_id = desk.issued("www.example.com")
    end = end_of(desk, certificate_id)
    lab.at(end - 5 * DAY)  # two months, one month and one week were missed
    look(desk)
    look(desk)
    assert told(certificate_id) == [("expiring", "ada@example.com"), ("expiring", "alice@example.net")]
    first = Message.objects.filter(template="expiring").first()
    assert first is not None
    assert "in 5 days" in first.subject
    lab.at(end + 40 * DAY)  # away for longer than anybody wants to hear of
    look(desk)
    assert len(told(certificate_id)) == 2


def test_an_uploaded_one_goes_to_the_contact_from_its_upload_on(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: NTF-6
    # rule: NTF-4
    User.objects.update(language="zh-hans")
    world = World(clock.now(), lasts=20 * DAY)
    leaf = world.leaf(since=300 * DAY)
    certificate_id = str(alice("certificates.import", body=world.body(leaf))["certificate_id"])
    look(desk)
    assert told(certificate_id) == []  # one month before its end lies before the upload
    lab.at(world.now + 13 * DAY)
    look(desk)
    assert told(certificate_id) == [("expiring", "alice@example.net")]
    message = Message.objects.get(template="expiring")
    assert (message.locale, "7 天" in message.subject) == ("zh-hans", True)  # rule: NTF-2
    alice("certificates.delete", certificate_id)
    lab.at(world.now + 21 * DAY)
    look(desk)
    assert len(told(certificate_id)) == 1


def test_a_short_lifetime_has_fractions(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: NTF-4
    world = World(clock.now(), lasts=60 * DAY)
    leaf = world.leaf(since=timedelta(0))
    certificate_id = str(alice("certificates.import", body=world.body(leaf))["certificate_id"])
    end = end_of(desk, certificate_id)
    third = (60 * DAY + SECOND) / 3
    lab.at(end - third - SECOND)
    look(desk)
    assert told(certificate_id) == []
    lab.at(end - third + SECOND)
    look(desk)
    assert len(told(certificate_id)) == 1


def test_the_switch_is_real_and_each_kind_is_apart(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: NTF-1
    quiet, half, loud = (desk.issued(f"{name}.example.com") for name in ("quiet", "half", "loud"))
    assert alice.show(quiet)["notices"] == ["CERT_EXPIRED", "CERT_EXPIRING"]
    body = [
        {"resource_id": quiet, "notice_type": BOTH},
        {"resource_id": half, "notice_type": ["CERT_EXPIRED"]},
    ]
    assert alice(DISABLE, body=body) is None
    assert alice.show(quiet)["notices"] == []
    assert alice.show(half)["notices"] == ["CERT_EXPIRING"]
    end = end_of(desk, quiet)
    lab.at(end - DAY)
    look(desk)
    assert (told(quiet), len(told(half)), len(told(loud))) == ([], 2, 2)
    alice(ENABLE, body=[{"resource_id": quiet, "notice_type": ["CERT_EXPIRED"]}])
    lab.at(end_of(desk, loud) + SECOND)
    look(desk)
    assert [one[0] for one in told(quiet)] == ["expired", "expired"]
    assert [one[0] for one in told(half)] == ["expiring", "expiring"]
    assert [one[0] for one in told(loud)] == ["expiring", "expiring", "expired", "expired"]
    noted = Event.objects.filter(action="scm:notification:update", resource=f"cert:{quiet}")
    assert noted.count() == 2
    assert noted.first().actor == alice.principal.actor


def test_all_of_a_request_or_nothing(desk: Desk, alice: Caller) -> None:
    certificate_id = desk.issued("www.example.com")
    good = {"resource_id": certificate_id, "notice_type": BOTH}
    missing = {"resource_id": "scs0000000000000", "notice_type": BOTH}
    assert alice.refused(DISABLE, body=[good, missing]).kind.value == "not_found"
    bob = Caller(desk.someone("bob"))
    reader = Caller(desk.someone("rita", "scm:cert:get"))
    charlie = Caller(replace(desk.alice, account_id="f" * 32))
    assert isinstance(reader.refused(DISABLE, body=[good]), Forbidden)
    assert charlie.refused(DISABLE, body=[good]).kind.value == "not_found"
    assert len(alice.show(certificate_id)["notices"]) == 2
    bob(DISABLE, body=[good])
    assert alice.show(certificate_id)["notices"] == []
    for wrong in (
        {},
        [],
        [{}],
        [{"resource_id": certificate_id}],
        [{**good, "notice_type": ["ALL"]}],
        [good] * 101,
    ):
        assert isinstance(alice.refused(ENABLE, body=wrong), BadParameter)
    alice(ENABLE, body=[good] * 100)
    assert len(alice.show(certificate_id)["notices"]) == 2


def test_nobody_to_tell_and_an_address_that_takes_no_mail(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: NTF-6
    certificate_id = desk.issued("www.example.com")
    lab.at(end_of(desk, certificate_id) - DAY)
    Contact.objects.all().delete()  # privacy cancelled: the account's contact alone
    User.objects.update(email="no address")
    look(desk)
    assert told(certificate_id) == []
    User.objects.update(email="")
    lab.at(end_of(desk, certificate_id) + SECOND)
    look(desk)
    assert told(certificate_id) == []


def test_the_contact_is_the_owner_else_the_first_user(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: NTF-6
    first = User.objects.get()
    bob = User.objects.create(
        account=first.account, name="bob", login="bob", email="bob@example.net", created_at=clock.now()
    )
    principal = replace(desk.alice, user_id=bob.id)
    start = clock.now().replace(microsecond=0) - 360 * DAY
    certificate_id = issued(principal, now=start)
    look(desk)
    assert told(certificate_id) == [("expiring", "bob@example.net")]
    User.objects.filter(id=bob.id).update(is_active=False)
    lab.at(end_of(desk, certificate_id) + SECOND)
    look(desk)
    assert told(certificate_id)[1:] == [("expired", "alice@example.net")]


@pytest.mark.parametrize("more", [0, 1])
def test_many_are_told_page_by_page(desk: Desk, alice: Caller, more: int) -> None:
    # rule: NTF-1
    start = clock.now().replace(microsecond=0) - 360 * DAY
    for number in range(BATCH + more):
        issued(desk.alice, (f"n{number}.example.com",), now=start)
    look(desk)
    look(desk)
    assert Message.objects.filter(template="expiring").count() == BATCH + more
