"""NTF-5 and what stands around it: acknowledging, escalation, quiet hours, digest, channels, who is told."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.test import Client

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter, Conflict, Forbidden, NotFound, WrongState
from certdesk.foundation.iam.models import Group, User
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.outbox.models import Message, State
from certdesk.lab.smtp_server import LabSmtp
from certdesk.lifecycle.notifications import packing
from certdesk.lifecycle.notifications.jobs import LOOK
from certdesk.lifecycle.notifications.models import Channel, Notice, Notices, Rule
from tests.support.desk import Desk
from tests.support.inventory import issued
from tests.support.rulebook import DAY, SECOND, Caller, LabClock
from tests.support.sink import Sink, sink

LINK = re.compile(r"/confirm/(notice-[\w-]+)")
MINUTE = timedelta(minutes=1)


def look(desk: Desk, lab: LabClock, moment: datetime) -> None:
    """What the hourly job does at that moment, and the one of every minute."""
    lab.at(moment)
    jobs.enqueue(LOOK)
    jobs.enqueue("notifications.due")
    desk.run(timedelta(minutes=2), strict=False)


def end_of(desk: Desk, certificate_id: str) -> datetime:
    found = desk.certificate(certificate_id).not_after
    assert found is not None
    return found


def to(certificate_id: str) -> list[str]:
    found = Message.objects.filter(certificate_id=certificate_id, template__in=("expiring", "expired"))
    return list(found.order_by("id").values_list("recipient", flat=True))


@pytest.fixture
def mail() -> Iterator[LabSmtp]:
    before = settings.get()
    with LabSmtp() as server:
        settings.install(before.model_copy(update={"smtp_url": server.url}))
        yield server
    settings.install(before)


@pytest.fixture
def server() -> Iterator[Sink]:
    with sink() as made:
        before = settings.get()
        import ipaddress

        networks = (ipaddress.ip_network("127.0.0.0/8"),)
        settings.install(before.model_copy(update={"allow_networks": networks}))
        yield made
        settings.install(before)


def rule(alice: Caller, **wish: object) -> str:
    return str(alice("notification_rules.create", body=wish)["id"])


def channel(alice: Caller, kind: str, url: str) -> str:
    body = {"kind": kind, "label": f"my {kind}", "options": {"url": url}}
    return str(alice("notification_channels.create", body=body)["id"])


def test_acknowledging_silences_the_escalation_until_the_next_stage(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: NTF-5
    calm, loud = desk.issued("calm.example.com"), desk.issued("loud.example.com")
    rule(alice, whom="EMAIL", recipient="boss@example.com", after_days=1)
    assert isinstance(alice.refused("certificates.acknowledge_notices", calm), WrongState)
    end = end_of(desk, calm)
    week = end - 7 * DAY
    look(desk, lab, week)
    assert to(calm) == ["ada@example.com", "alice@example.net"]
    thread = alice("certificates.acknowledge_notices", calm)
    assert (thread["stage"], thread["next_stage"]) == ("one-week", "three-days")
    assert thread["acknowledged_by"] == alice.principal.name
    assert alice("certificates.acknowledge_notices", calm)["acknowledged_at"] == thread["acknowledged_at"]
    assert Event.objects.filter(action="notices.acknowledged", resource=f"cert:{calm}").count() == 1
    look(desk, lab, week + DAY - SECOND)
    assert "boss@example.com" not in to(calm) + to(loud)
    for _ in range(2):
        look(desk, lab, max(end_of(desk, loud), end) - 5 * DAY)
    assert to(loud)[2:] == ["boss@example.com"]
    assert "boss@example.com" not in to(calm)
    look(desk, lab, max(end_of(desk, loud), end) - 3 * DAY)
    assert to(calm)[2:] == ["ada@example.com", "alice@example.net"]  # the next stage is told again
    assert alice("certificates.notices", calm)["acknowledged_at"] == ""
    look(desk, lab, max(end_of(desk, loud), end) - 2 * DAY)
    assert to(calm)[4:] == ["boss@example.com"]


def test_the_link_asks_for_a_press_and_is_over_with_the_next_stage(
    lab: LabClock, desk: Desk, alice: Caller, mail: LabSmtp, client: Client
) -> None:
    # rule: NTF-5
    certificate_id = desk.issued("www.example.com")
    end = end_of(desk, certificate_id)
    look(desk, lab, end - 7 * DAY)
    first = [one for one in mail.messages if "ada@example.com" in one.recipients][-1]
    stored = Message.objects.filter(template="expiring").first()
    assert stored is not None
    assert "[[acknowledge_link]]" in stored.text  # who reads the outbox cannot press it
    path = f"/confirm/{LINK.search(first.text)[1]}"  # type: ignore[index]
    assert 'data-standing="GOOD"' in client.get(path).content.decode()
    assert alice("certificates.notices", certificate_id)["acknowledged_at"] == ""
    assert 'data-standing="DONE"' in client.post(path).content.decode()
    assert alice("certificates.notices", certificate_id)["acknowledged_by"] == "link"
    assert 'data-standing="USED"' in client.post(path).content.decode()
    look(desk, lab, end - 3 * DAY)
    over = client.get(path)
    assert (over.status_code, 'data-standing="OLD"' in over.content.decode()) == (410, True)
    unknown = client.post("/confirm/notice-xxxx")
    assert (unknown.status_code, 'data-standing="UNKNOWN"' in unknown.content.decode()) == (404, True)
    mails = [one.message for one in mail.messages if "ada@example.com" in one.recipients]
    told = [one for one in mails if "www.example.com expires" in str(one["Subject"])]
    assert told[1]["In-Reply-To"] == told[0]["Message-ID"]
    assert told[0]["Message-ID"] in told[1]["References"]
    assert told[0]["References"] is None


def test_quiet_hours_hold_a_notice_and_an_acknowledgement_drops_it(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: NTF-5
    one, two = desk.issued("one.example.com"), desk.issued("two.example.com")
    moment = max(end_of(desk, one), end_of(desk, two)) - 7 * DAY
    begins = (moment - 5 * MINUTE).strftime("%H:%M")
    ends = (moment + 60 * MINUTE).strftime("%H:%M")
    hours = {"zone": "UTC", "quiet_from": begins, "quiet_to": ends}
    assert alice("notification_hours.update", body=hours) == {**hours, "digest_at": ""}
    assert alice("notification_hours.show")["quiet_from"] == begins
    look(desk, lab, moment)
    assert to(one) + to(two) == []
    assert {one.state for one in Notice.objects.all()} == {"WAITING"}
    alice("certificates.acknowledge_notices", two)
    look(desk, lab, moment + 61 * MINUTE)
    assert to(one) == ["ada@example.com", "alice@example.net"]
    assert to(two) == []
    assert [told["state"] for told in alice("certificates.notices", two)["told"]] == ["SILENCED"] * 2


def test_a_digest_is_one_message_a_person_and_one_link_for_all(
    lab: LabClock, desk: Desk, alice: Caller, mail: LabSmtp, client: Client
) -> None:
    # rule: NTF-1
    start = clock.now().replace(microsecond=0) - 350 * DAY
    ids = [issued(desk.alice, (f"n{number}.example.com",), now=start) for number in range(3)]
    certificate_id = desk.issued("far.example.com")
    moment = start + 365 * DAY - 7 * DAY
    digest = (moment + 30 * MINUTE).strftime("%H:%M")
    alice("notification_hours.update", body={"zone": "UTC", "digest_at": digest})
    look(desk, lab, moment)
    assert Message.objects.filter(template="expiring-digest").count() == 0
    for _ in range(2):
        look(desk, lab, moment + 31 * MINUTE)
    (sent,) = Message.objects.filter(template="expiring-digest")
    assert (sent.recipient, sent.state) == ("alice@example.net", State.SENT)
    assert all(f"n{number}.example.com" in sent.text for number in range(3))
    assert "far.example.com" not in sent.text
    found = alice("messages.list", query={"certificate_id": ids[0]})["items"]
    assert [one["to"] for one in found] == ["a***@example.net"]
    path = f"/confirm/{LINK.search(mail.messages[-1].text)[1]}"  # type: ignore[index]
    assert "n2.example.com" in client.get(path).content.decode()
    client.post(path)
    assert all(alice("certificates.notices", one)["acknowledged_at"] for one in ids)
    assert alice("certificates.notices", certificate_id)["stage"] == ""
    # what the message holds of a person goes with any of its certificates' authorization
    from certdesk.foundation.outbox import actions as outbox

    outbox.forget_people(ids[1], ["alice@example.net"])
    sent.refresh_from_db()
    assert (sent.text, sent.recipient) == ("", "")


def test_channels_get_their_notices_once_and_failures_are_tried_again(
    lab: LabClock, desk: Desk, alice: Caller, server: Sink
) -> None:
    # rule: NTF-1
    # rule: NTF-3
    hook = channel(alice, "webhook", server.url())
    gateway = channel(alice, "sms", server.url("json", "/sms/{phone}"))
    rule(alice, whom="CHANNEL", recipient=hook)
    rule(alice, whom="PHONE", recipient="+1 555 010 0000", locale="zh-hans")
    certificate_id = desk.issued("www.example.com")
    end = end_of(desk, certificate_id)
    server.status = 503
    look(desk, lab, end - 7 * DAY)
    failed = Message.objects.filter(channel="webhook").get()
    assert (failed.state, failed.attempts.count() >= 1) == (State.QUEUED, True)
    assert "HTTP 503" in str(failed.attempts.first())
    assert "HTTP 503" in alice("notification_channels.show", id=hook)["problem"]
    server.status = 200
    desk.run(timedelta(hours=2), strict=False)
    hooks = [one for one in server.arrived if one.path == "/hook"]
    assert len({one.headers["x-certdesk-delivery"] for one in hooks}) == 1
    told = hooks[-1].json
    assert told["certificates"][0]["certificate_id"] == certificate_id
    assert (told["certificates"][0]["stage"], told["event"]) == ("one-week", "certificate.expiring")
    assert LINK.search(told["text"])
    numbers = {re.sub(r"\D", "", one.path) for one in server.arrived if one.path.startswith("/sms/")}
    assert numbers == {"442079460000", "15550100000"}  # the applicant's and the rule's
    assert alice("notification_channels.show", id=hook)["problem"] == ""
    before = len(server.arrived)
    look(desk, lab, end - 7 * DAY + 2 * 60 * MINUTE)
    assert len(server.arrived) == before
    assert {one.recipient for one in Message.objects.filter(channel="sms")} == {
        "+442079460000",
        "+15550100000",
    }
    server.status = 404
    look(desk, lab, end - 3 * DAY)
    last = Message.objects.filter(channel="webhook").order_by("-id")[0]
    assert last.state == State.FAILED
    server.status = 200
    alice("messages.resend", id=str(last.id))
    assert isinstance(alice.refused("messages.resend", id=str(last.id)), WrongState)
    desk.run(strict=False)
    last.refresh_from_db()
    assert last.state == State.SENT
    alice("notification_channels.delete", id=gateway)
    look(desk, lab, end - DAY)
    assert Message.objects.filter(channel="sms").count() == 4


def test_what_waits_for_a_channel_that_is_gone_fails_with_its_reason(
    lab: LabClock, desk: Desk, alice: Caller, server: Sink
) -> None:
    # rule: NTF-3
    hook = channel(alice, "webhook", server.url())
    rule(alice, whom="CHANNEL", recipient=hook)
    certificate_id = desk.issued("www.example.com")
    server.status = 503
    look(desk, lab, end_of(desk, certificate_id) - 7 * DAY)
    alice("notification_channels.delete", id=hook)
    assert not Rule.objects.exists()
    desk.run(timedelta(hours=2), strict=False)
    (sent,) = Message.objects.filter(channel="webhook")
    assert sent.state == State.FAILED
    assert "removed" in str(sent.attempts.order_by("-id")[0])


def test_a_test_message_says_what_the_other_side_said(desk: Desk, alice: Caller, server: Sink) -> None:
    hook = channel(alice, "webhook", server.url())
    assert alice("notification_channels.test", id=hook, body={})["ok"] is True
    assert server.arrived[-1].json["event"] == "channel.test"
    server.status = 401
    refused = alice("notification_channels.test", id=hook, body={})
    assert (refused["ok"], "HTTP 401" in refused["problem"]) == (False, True)
    gateway = channel(alice, "sms", server.url("json", "/sms/{phone}"))
    assert alice.refused("notification_channels.test", id=gateway, body={"phone": "123"}).field == "phone"
    server.status = 200
    assert alice("notification_channels.test", id=gateway, body={"phone": "+1 555 010 0000"})["ok"] is True
    shown = alice("notification_channels.list", query={"limit": 10})["items"]
    assert [one["options"] for one in shown] == [{"url": "***", "key": ""}, {"url": "***"}]
    changed = alice(
        "notification_channels.update", id=hook, body={"label": "hook", "options": {"url": "***"}}
    )
    assert (changed["label"], changed["asked_at"]) == ("hook", "")
    assert alice("notification_channels.test", id=hook, body={})["ok"] is True
    assert alice("notification_channels.update", id=hook, body={"label": "again"})["label"] == "again"
    for body in (
        {"kind": "pigeon", "options": {}},
        {"kind": "webhook", "options": {"url": "ftp://x"}},
        {"kind": "webhook", "label": "x" * 65, "options": {"url": "https://a.example/"}},
    ):
        assert isinstance(alice.refused("notification_channels.create", body=body), Exception)
    Channel.objects.filter(id=hook).update(kind="chat")  # options of another kind: said, not raised
    assert alice("notification_channels.test", id=hook, body={})["ok"] is False


def test_roles_projects_and_single_certificates(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: NTF-6
    boss = User.objects.create(
        account=desk.account, name="boss", login="boss", email="boss@example.net", created_at=clock.now()
    )
    Group.objects.create(account=desk.account, name="admins").users.add(boss)
    one, two = desk.issued("one.example.com"), desk.issued("two.example.com")
    mine = rule(alice, scope="CERTIFICATE", scope_id=one, whom="EMAIL", recipient="ops@example.com")
    rule(alice, scope="PROJECT", scope_id="0", whom="ADMINISTRATORS")
    rule(alice, whom="EMAIL", recipient="ADA@example.com")  # told already, in another case
    look(desk, lab, max(end_of(desk, one), end_of(desk, two)) - 7 * DAY)
    assert sorted(to(one)) == ["ada@example.com", "alice@example.net", "boss@example.net", "ops@example.com"]
    assert sorted(to(two)) == ["ada@example.com", "alice@example.net", "boss@example.net"]
    assert alice("notification_rules.show", id=mine)["scope_id"] == one
    body = {"whom": "CONTACT", "after_days": 3}
    assert alice("notification_rules.update", id=mine, body=body)["scope"] == "ACCOUNT"
    page = alice("notification_rules.list", query={"limit": 10})
    assert len(page["items"]) == 3
    assert (
        alice("notification_rules.list", query={"marker": page["items"][0]["id"]})["items"][0]
        != page["items"][0]
    )
    alice.refused("notification_rules.list", query={"marker": "none"})
    alice("notification_rules.delete", id=mine)
    assert alice.refused("notification_rules.show", id=mine).kind.value == "not_found"


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        ({"whom": "EMAIL", "recipient": "nobody"}, BadParameter),
        ({"whom": "PHONE", "recipient": "123"}, BadParameter),
        ({"whom": "PHONE", "recipient": "+1 555 010 0000"}, Exception),
        ({"whom": "CHANNEL", "recipient": "f" * 32}, BadParameter),
        ({"whom": "CONTACT"}, BadParameter),
        ({"whom": "ADMINISTRATORS", "after_days": 61}, BadParameter),
        ({"whom": "ADMINISTRATORS", "scope_id": "x"}, BadParameter),
        ({"whom": "ADMINISTRATORS", "scope": "PROJECT", "scope_id": "x"}, BadParameter),
        ({"whom": "ADMINISTRATORS", "scope": "CERTIFICATE", "scope_id": "scs0000000000000"}, NotFound),
    ],
)
def test_rules_that_name_nobody(desk: Desk, alice: Caller, wish: dict[str, object], kind: type) -> None:
    assert isinstance(alice.refused("notification_rules.create", body=wish), kind)


def test_the_same_rule_twice_and_too_many(
    desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch, server: Sink
) -> None:
    from certdesk.lifecycle.notifications import audience, channels

    rule(alice, whom="ADMINISTRATORS")
    assert isinstance(alice.refused("notification_rules.create", body={"whom": "ADMINISTRATORS"}), Conflict)
    monkeypatch.setattr(audience, "MOST", 1)
    monkeypatch.setattr(channels, "MOST", 1)
    more = {"whom": "EMAIL", "recipient": "a@example.com"}
    assert alice.refused("notification_rules.create", body=more).kind.value == "quota"
    channel(alice, "webhook", server.url())
    full = {"kind": "webhook", "options": {"url": server.url()}}
    assert alice.refused("notification_channels.create", body=full).kind.value == "quota"


def test_bob_may_and_charlie_may_not(desk: Desk, alice: Caller, server: Sink) -> None:
    hook = channel(alice, "webhook", server.url())
    made = rule(alice, whom="CHANNEL", recipient=hook)
    bob = Caller(desk.someone("bob"))
    reader = Caller(desk.someone("rita", "scm:cert:get"))
    charlie = Caller(replace(desk.alice, account_id="f" * 32))
    assert bob("notification_channels.show", id=hook)["id"] == hook
    for name, one in (("notification_channels.show", hook), ("notification_rules.show", made)):
        assert isinstance(reader.refused(name, id=one), Forbidden)
        assert charlie.refused(name, id=one).kind.value == "not_found"
    theirs = {"whom": "CHANNEL", "recipient": hook}
    assert isinstance(charlie.refused("notification_rules.create", body=theirs), BadParameter)
    assert charlie("messages.list", query={"limit": 10})["items"] == []
    assert isinstance(charlie.refused("messages.resend", id="1"), NotFound)
    assert isinstance(charlie.refused("messages.resend", id="x"), NotFound)
    assert isinstance(reader.refused("notification_hours.show"), Forbidden)


def test_what_is_not_due_is_passed_over_and_a_new_version_is_not(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: NTF-1
    certificate_id = desk.issued("www.example.com")
    end = end_of(desk, certificate_id)
    look(desk, lab, end - 20 * DAY)
    thread = Notices.objects.get(certificate_id=certificate_id)
    assert clock.from_micros(thread.next_at) == end - 7 * DAY
    from certdesk.lifecycle.notifications import queries

    now = end - 8 * DAY
    assert queries.near_their_end(desk.account.id, now, (0, ""), 10) == []
    Notices.objects.filter(certificate_id=certificate_id).update(seen_version=99)
    assert len(queries.near_their_end(desk.account.id, now, (0, ""), 10)) == 1
    assert packing.waiting_accounts(now) == []
    look(desk, lab, end + SECOND)
    assert Notices.objects.get(certificate_id=certificate_id).next_at == queries.NEVER
