"""The weekly mail of the overview: by its reader's clock, once, with what he may see."""

from datetime import UTC, datetime

import pytest

from certdesk.foundation.common.errors import Kind
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.outbox.models import Message
from certdesk.interfaces.operations import overview_mails
from certdesk.lifecycle.overview import mailing
from certdesk.lifecycle.overview.jobs import LOOK
from certdesk.lifecycle.overview.models import WeeklyMail
from tests.support.desk import Desk
from tests.support.inventory import issued
from tests.support.office import Office
from tests.support.rulebook import DAY, SECOND, Caller, LabClock

SUNDAY_EVENING = datetime(2027, 1, 3, 20, 0, tzinfo=UTC)
MONDAY_EIGHT = datetime(2027, 1, 4, 0, 0, tzinfo=UTC)  # 08:00 in Shanghai


def look(desk: Desk) -> int:
    """What the periodic job does; answers how many weekly mails there are."""
    jobs.enqueue(LOOK)
    desk.run()
    return Message.objects.filter(template="weekly").count()


@pytest.fixture
def desk(office: Office) -> Desk:
    """The office's: its users have their rights by groups, as a job asks for them."""
    return office.desk


@pytest.fixture
def reader(office: Office) -> User:
    user = office.people["alice"]
    user.time_zone, user.email = "Asia/Shanghai", "alice@example.net"
    user.save()
    return user


@pytest.fixture
def alice(desk: Desk) -> Caller:
    return Caller(desk.alice)


def test_once_a_week_from_eight_on_by_the_readers_clock(
    lab: LabClock, desk: Desk, alice: Caller, reader: User
) -> None:
    lab.at(SUNDAY_EVENING)
    answer = alice("overview.set_mail", body={"enabled": True, "weekday": "MONDAY"})
    assert answer["next_at"] == "2027-01-04 00:00:00.0"
    lab.at(MONDAY_EIGHT - SECOND)
    assert look(desk) == 0
    lab.at(MONDAY_EIGHT)
    assert [look(desk) for _ in range(3)] == [1, 1, 1]  # a restart, a second worker
    lab.at(MONDAY_EIGHT + 7 * DAY + 3 * DAY)  # away for three days: that one is left out
    assert look(desk) == 1
    lab.at(MONDAY_EIGHT + 14 * DAY + 3 * DAY - SECOND)
    assert look(desk) == 2
    alice("overview.set_mail", body={"enabled": False})
    lab.at(MONDAY_EIGHT + 21 * DAY)
    assert look(desk) == 2
    assert alice("overview.show_mail")["next_at"] == ""


def test_what_the_mail_says_and_to_whom(lab: LabClock, desk: Desk, alice: Caller, reader: User) -> None:
    lab.at(MONDAY_EIGHT - DAY)
    alice("overview.set_mail", body={"enabled": True})
    lab.at(MONDAY_EIGHT)
    look(desk)
    short = Message.objects.get(template="weekly")
    assert (short.recipient, short.subject) == (reader.email, "This week: nothing needs you")
    assert "No certificate needs anybody now." in short.text
    soon = issued(desk.alice, ("<b>.example.com",), now=MONDAY_EIGHT - 350 * DAY)
    User.objects.filter(id=reader.id).update(language="zh-hans")
    lab.at(MONDAY_EIGHT + 7 * DAY)
    look(desk)
    long = Message.objects.latest("id")
    assert f"/certificates/{soon}" in long.text
    assert "1 张将在 30 天内到期且不自动续期" in long.text
    assert "已签发" in long.text
    assert "&lt;b&gt;.example.com" in long.html
    assert "/overview/mail" in long.html


def test_nobody_who_is_gone_or_has_no_address(lab: LabClock, desk: Desk, alice: Caller, reader: User) -> None:
    lab.at(MONDAY_EIGHT - DAY)
    alice("overview.set_mail", body={"enabled": True})
    due = overview_mails.find(reader.id)
    lab.at(MONDAY_EIGHT)
    assert due is None
    owed = overview_mails.find(reader.id)
    assert owed is not None
    assert overview_mails.send(owed, MONDAY_EIGHT)
    assert not overview_mails.send(owed, MONDAY_EIGHT)  # another worker was quicker
    User.objects.filter(id=reader.id).update(email="")
    assert look(desk) == 1
    for body in ({"enabled": True}, {"enabled": True, "weekday": "SOMEDAY"}):
        assert alice.refused("overview.set_mail", body=body).kind is Kind.BAD_PARAMETER


def test_many_readers_are_looked_at_in_pages(
    lab: LabClock, desk: Desk, reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "PAGE", 2)
    lab.at(MONDAY_EIGHT)
    for number in range(4):
        user = User.objects.create(
            account=reader.account, name=f"u{number}", login=f"u{number}", email=f"u{number}@example.com",
            created_at=MONDAY_EIGHT, time_zone="Asia/Shanghai",
        )  # fmt: skip
        WeeklyMail.objects.create(user_id=user.id, enabled=True, told_on=(MONDAY_EIGHT - 7 * DAY).date())
    assert look(desk) == 4


def test_the_page_switches_it_and_shows_it(office: Office) -> None:
    alice = office.client()
    User.objects.filter(id=office.people["alice"].id).update(email="alice@example.net")
    shown = alice.get("/overview/mail").content.decode()
    assert "nothing needs you" in shown
    saved = alice.post("/overview/mail", {"enabled": "on", "weekday": "2"}, follow=True).content.decode()
    assert "overview.mail" in saved
    assert "The next one:" in saved
    assert WeeklyMail.objects.get().weekday == 2
    assert alice.post("/overview/mail", {"weekday": "9"}).status_code == 422
    User.objects.filter(id=office.people["bob"].id).update(email="")
    refused = office.client("bob").post("/overview/mail", {"enabled": "on", "weekday": "0"})
    assert refused.status_code == 422
    assert "You have no mail address." in refused.content.decode()
