"""The page behind a confirmation mail's link, and the listener for replies."""

import asyncio
import re
import smtplib
import threading
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from django.test import Client

from certdesk.foundation.common import settings
from certdesk.interfaces.public import replies
from certdesk.lab.smtp_server import LabSmtp, Received
from certdesk.lifecycle.validation.confirming import Standing
from tests.support.desk import COMPANY, Desk, open_desk

LINK = re.compile(r"/confirm/(\S+)")


@pytest.fixture
def desk(db: None) -> Iterator[Desk]:
    with open_desk() as made:
        yield made


@pytest.fixture
def asked(desk: Desk) -> Iterator[tuple[str, Received]]:
    """A certificate that waits for a mailbox, and the mail to admin@example.com."""
    before = settings.get()
    with LabSmtp() as server:
        settings.install(
            before.model_copy(update={"smtp_url": server.url, "mail_listener": "127.0.0.1:2525"})
        )
        try:
            certificate_id = desk.buy("OV_SSL_CERT")
            desk.apply(certificate_id, domain="www.example.com", domain_method="EMAIL", **COMPANY)
            desk.run()
            yield certificate_id, server.wait_for(lambda one: "admin@example.com" in one.recipients)
        finally:
            settings.install(before)


def path_of(got: Received) -> str:
    found = LINK.search(got.text)
    assert found
    return f"/confirm/{found[1]}"


# rule: DOM-9
def test_opening_confirms_nothing_and_the_button_once(
    desk: Desk, asked: tuple[str, Received], client: Client
) -> None:
    certificate_id, got = asked
    path = path_of(got)
    for _ in range(3):
        page = client.get(path)
        assert page.status_code == 200
        assert client.head(path).status_code == 200
    text = page.content.decode()
    assert 'data-standing="GOOD"' in text
    assert "www.example.com" in text
    assert COMPANY["company_name"] in text
    assert (page["Cache-Control"], page["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert desk.state(certificate_id) == "CHECKING"
    strict = Client(enforce_csrf_checks=True)  # whoever opens the mail has no session
    assert 'data-standing="DONE"' in strict.post(path).content.decode()
    assert desk.state(certificate_id) == "CHECKING_ORG"
    assert strict.post(path).status_code == 409
    assert 'data-standing="USED"' in strict.get(path).content.decode()
    assert client.put(path).status_code == 405


def test_unknown_links(client: Client, db: None) -> None:
    for path in ("/confirm/abc", "/confirm/d-abc", "/confirm/d-" + "x" * 200):
        for answer in (client.get(path), client.post(path)):
            assert answer.status_code == 404
            assert 'data-code="link.unknown"' in answer.content.decode()


def test_the_page_speaks_chinese(asked: tuple[str, Received], client: Client) -> None:
    text = client.get(path_of(asked[1]), headers={"accept-language": "zh-hans"}).content.decode()
    assert "是否可以为您的域名签发证书" in text


def answer_to(got: Received, text: str = "CONFIRM", **headers: str) -> EmailMessage:
    made = EmailMessage()
    values = {
        "From": "Admin <admin@example.com>",
        "To": "certdesk@localhost",
        "Subject": "Re",
        "In-Reply-To": str(got.message["Message-ID"]),
    }
    for name, value in (values | {key.replace("_", "-"): value for key, value in headers.items()}).items():
        made[name] = value
    quoted = "\n".join(f"> {line}" for line in got.text.splitlines())
    made.set_content(f"{text}\n\nOn some day somebody wrote:\n{quoted}\n")
    return made


def test_replies_that_do_not_count(desk: Desk, asked: tuple[str, Received]) -> None:
    certificate_id, got = asked
    sender = "admin@example.com"
    wrong = [
        (answer_to(got, "No, never!"), sender),
        (answer_to(got, "Please do not CONFIRM this"), sender),
        (answer_to(got, Auto_Submitted="auto-replied"), sender),
        (answer_to(got, Precedence="auto_reply"), sender),
        (answer_to(got, X_Autoreply="yes"), sender),
        (answer_to(got, In_Reply_To="<other@example.com>"), sender),
        (answer_to(got, From="mallory@example.org"), "mallory@example.org"),
        (answer_to(got), "mallory@example.org"),
        (answer_to(got), ""),
    ]
    for mail, envelope in wrong:
        assert replies.take(mail.as_bytes(), envelope) is Standing.UNKNOWN
    bare = answer_to(got)
    bare.set_content("CONFIRM\n")
    assert replies.take(bare.as_bytes(), sender) is Standing.UNKNOWN
    assert replies.take(b"\xff\xfe nothing", sender) is Standing.UNKNOWN
    assert desk.state(certificate_id) == "CHECKING"
    assert replies.take(answer_to(got, "确认").as_bytes(), sender) is Standing.GOOD
    assert desk.state(certificate_id) == "CHECKING_ORG"


def test_the_listener_answers_every_mail_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bytes, str]] = []

    def take(content: bytes, sender: str) -> Standing:
        seen.append((content, sender))
        return Standing.UNKNOWN

    monkeypatch.setattr(replies, "take", take)
    loop = asyncio.new_event_loop()
    started: asyncio.Future[int] = loop.create_future()
    task = loop.create_task(replies.serve("127.0.0.1", 0, started))

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))

    port = loop.run_until_complete(started)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as session:
            mail = EmailMessage()
            mail["From"], mail["To"] = "a@example.com", "b@example.com"
            mail.set_content("CONFIRM")
            assert session.send_message(mail) == {}
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        loop.close()
    assert [sender for _, sender in seen] == ["a@example.com"]


def test_no_product_of_the_default_catalogue_is_public() -> None:
    assert replies.public_products() == []
