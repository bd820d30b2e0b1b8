"""The pages of notices: settings, channels, rules, preview, the card of a certificate, the late scheduler."""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network

import pytest

from certdesk.foundation.common import clock, settings
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs.models import Schedule
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.notifications.models import Channel, Habits, Notices, Rule
from tests.support.inventory import issued
from tests.support.office import Office
from tests.support.sink import Sink, sink

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[Sink]:
    with sink() as made:
        before = settings.get()
        settings.install(before.model_copy(update={"allow_networks": (ip_network("127.0.0.0/8"),)}))
        yield made
        settings.install(before)


def page(office: Office, path: str, who: str = "alice", language: str = "en") -> str:
    return office.client(who, language).get(path, follow=True).content.decode()


def post(office: Office, path: str, who: str = "alice", **form: str) -> tuple[int, str]:
    answer = office.client(who).post(path, form, follow=True)
    return answer.status_code, answer.content.decode()


def test_a_channel_is_connected_tested_edited_and_removed(office: Office, server: Sink) -> None:
    # rule: NTF-1
    assert "Account contact" in page(office, "/notifications")
    assert "kind=webhook" in page(office, "/notifications/channels/add")
    path = "/notifications/channels/add?kind=webhook"
    assert "Key of the signature" in page(office, path)
    status, again = post(office, path, label="hook", o_url="ftp://x")
    assert (status, "begins with https://" in again) == (422, True)
    _, told = post(office, path, label="hook", o_url=server.url(), o_key="shared")
    assert "Send a test now" in told
    one = Channel.objects.get()
    own = f"/notifications/channels/{one.id}"
    assert "Not tested yet" in page(office, "/notifications")
    assert "stored, never shown" in page(office, own)
    assert "shared" not in page(office, f"{own}/edit")
    _, told = post(office, own)
    assert 'data-code="channel.tested"' in told
    server.status = 403
    _, told = post(office, own)
    assert "The test was not taken" in told
    assert "Check the credentials" in told
    assert "Does not work" in page(office, "/notifications")
    _, told = post(office, f"{own}/edit", label="renamed")
    assert "renamed" in told
    status, _ = post(office, f"{own}/edit", label="renamed", o_url="http://")
    assert status == 422
    status, told = post(office, f"{own}/edit", label="renamed", o_url="https://elsewhere.example.com/")
    assert (status, "its key must be given again" in told) == (422, True)
    _, told = post(office, f"{own}/edit", label="renamed", o_url=f"{server.url()}?a=1")
    assert "its key must be given again" not in told
    _, told = post(
        office,
        "/notifications/rules/add",
        whom=f"CHANNEL:{one.id}",
        scope="ACCOUNT:",
        after_days="0",
        locale="en",
    )
    assert "The rule holds" in told
    assert "1 rule that names it" in page(office, f"{own}/remove")
    _, told = post(office, f"{own}/remove")
    assert "removed" in told
    assert not Rule.objects.exists()


def test_an_sms_gateway_asks_for_a_number(office: Office, server: Sink) -> None:
    path = "/notifications/channels/add?kind=sms"
    post(office, path, label="", o_url=server.url("json", "/{phone}"))
    own = f"/notifications/channels/{Channel.objects.get().id}"
    status, told = post(office, own, phone="12")
    assert (status, "with its country" in told) == (422, True)
    _, told = post(office, own, phone="+1 555 010 0000")
    assert 'data-code="channel.tested"' in told
    assert "by mail and SMS" in page(office, "/notifications")


def test_hours_and_rules(office: Office) -> None:
    _, told = post(
        office, "/notifications", zone="Asia/Shanghai", quiet_from="22:00", quiet_to="07:00", digest_at=""
    )
    assert "The hours are saved." in told
    assert 'value="22:00"' in told
    assert Habits.objects.get().quiet_from == 22 * 60
    status, again = post(office, "/notifications", zone="Mars", quiet_from="", quiet_to="", digest_at="")
    assert (status, "not known here" in again) == (422, True)
    form = {"whom": "EMAIL", "scope": "PROJECT:0", "after_days": "3", "locale": "zh-hans"}
    status, again = post(office, "/notifications/rules/add", recipient="nobody", **form)
    assert status == 422
    _, told = post(office, "/notifications/rules/add", recipient="ops@example.com", **form)
    assert "ops@example.com" in told
    assert "after 3 days without acknowledgement" in told
    _, told = post(office, f"/notifications/rules/{Rule.objects.get().id}/remove")
    assert "ops@example.com" not in told


def test_the_preview_shows_each_stage_in_both_languages(office: Office) -> None:
    # rule: NTF-2
    shown = page(office, "/notifications/preview")
    for words in (
        "expires in 61 days",
        "expires in 1 day",
        "has expired",
        "61 天后到期",
        "UTC",
        "2 certificates",
    ):
        assert words in shown, words
    client = office.client()
    mail = client.get("/notifications/preview/mail?template=expiring-digest&locale=zh-hans&days=3")
    assert "sandbox" in mail.headers["Content-Security-Policy"]
    assert "shop.example.com" in mail.content.decode()
    assert client.get("/notifications/preview/mail?template=issued").status_code == 400


def test_the_card_tells_the_thread_and_acknowledges(office: Office) -> None:
    # rule: NTF-5
    certificate_id = issued(office.desk.alice, ("www.example.com",), now=clock.now() - timedelta(days=350))
    path = f"/certificates/{certificate_id}"
    assert 'data-operation="acknowledge"' not in page(office, path)
    told = {"account_id": office.desk.account.id, "version": 1, "stage": "one-month", "told_at": clock.now()}
    Notices.objects.create(certificate_id=certificate_id, **told)
    assert "nobody has acknowledged it yet." in page(office, path)
    _, shown = post(office, f"{path}/notices/acknowledge")
    assert "silent until the next stage" in shown
    assert 'data-operation="acknowledge"' not in shown
    form = {"whom": "EMAIL", "recipient": "ops@example.com", "scope": f"CERTIFICATE:{certificate_id}"}
    own = f"/notifications/rules/add?certificate={certificate_id}"
    assert "Only the certificate for" in page(office, own)
    _, shown = post(office, own, after_days="0", locale="en", **form)
    assert "ops@example.com" in shown
    _, shown = post(office, f"/notifications/rules/{Rule.objects.get().id}/remove", back="certificate")
    assert "ops@example.com" not in shown
    Certificate.objects.filter(id=certificate_id).update(state="REVOKED")
    assert 'id="notices"' not in page(office, path)


def test_what_was_sent_stands_on_the_card(office: Office) -> None:
    from certdesk.foundation.jobs import actions as jobs
    from certdesk.lifecycle.notifications.jobs import LOOK

    certificate_id = issued(office.desk.alice, ("www.example.com",), now=clock.now() - timedelta(days=360))
    User.objects.update(email="")
    assert "Nobody is told" in page(office, f"/certificates/{certificate_id}")
    User.objects.filter(name="alice").update(email="alice@example.net")
    jobs.enqueue(LOOK)
    office.desk.run(strict=False)
    shown = page(office, f"/certificates/{certificate_id}", language="zh-hans")
    assert "到期前一周" in shown
    assert "/outbox/" in shown


def test_a_scheduler_that_stands_still_is_told_on_every_page(office: Office) -> None:
    late = 'data-code="scheduler.late"'
    Schedule.objects.create(name="x", next_at=clock.real_now() - timedelta(seconds=80))
    assert late not in page(office, "/notifications")
    Schedule.objects.update(next_at=clock.real_now() - timedelta(minutes=10))
    for path in ("/notifications", "/certificates", "/outbox"):
        assert late in page(office, path)


def test_who_may_not_sees_nothing_of_it(office: Office, server: Sink) -> None:
    post(office, "/notifications/channels/add?kind=webhook", label="hook", o_url=server.url())
    own = f"/notifications/channels/{Channel.objects.get().id}"
    for who, status in (("rita", 403), ("charlie", 404)):
        assert office.client(who).get(own).status_code == status
        assert office.client(who).post(own).status_code == status
    assert "/notifications" not in page(office, "/certificates", "rita")
