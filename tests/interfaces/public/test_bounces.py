"""Delivery reports that arrive at the reply listener."""

import pytest

from certdesk.foundation.outbox.models import Message
from certdesk.interfaces.public import bounces, replies
from certdesk.lab.smtp_server import LabSmtp
from certdesk.lifecycle.validation.confirming import Standing
from tests.interfaces.console.test_methods_pages import mail
from tests.support.desk import COMPANY
from tests.support.office import Office, open_office

REPORT = """From: MAILER-DAEMON@mx.example.com
To: certdesk@localhost
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <{recipient}> no such
 mailbox here

--b
Content-Type: {kind}

Message-ID: {message_id}
Subject: the message

--b--
"""


def report(message: Message, **changes: str) -> bytes:
    values = {
        "recipient": message.recipient,
        "action": "failed",
        "kind": "message/rfc822",
        "message_id": message.message_id,
    }
    return REPORT.format(**(values | changes)).replace("\n", "\r\n").encode()


def sent(office: Office, server: LabSmtp) -> Message:
    certificate_id = office.desk.buy("OV_SSL_CERT")
    office.desk.apply(certificate_id, domain="example.com", domain_method="EMAIL", **COMPANY)
    office.desk.run()
    return Message.objects.get(recipient="admin@example.com", state="SENT")


# rule: NTF-3
def test_a_mail_that_came_back_is_failed_with_the_reason(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "close_old_connections", lambda: None)  # the test keeps its own
    with open_office() as office, mail() as server:
        message = sent(office, server)
        assert replies.Inbox()._take(report(message), "") is Standing.UNKNOWN
        message.refresh_from_db()
        assert message.state == "FAILED"
        told = "Bounced: 5.1.1 550 5.1.1 <admin@example.com> no such mailbox here"
        assert message.attempts.order_by("-id")[0].answer == told
        client = office.client()
        assert "no such mailbox here" in client.get(f"/outbox/{message.id}").content.decode()
        page = client.get(f"/certificates/{message.certificate_id}/verify").content.decode()
        assert "no such mailbox here" in page
        assert bounces.take(report(message), "") == 0  # it has failed already


@pytest.mark.parametrize(
    ("changes", "sender", "marked"),
    [
        ({"kind": "text/rfc822-headers"}, "", 1),
        ({"recipient": "ADMIN@example.com"}, "", 1),
        ({"action": "delayed"}, "", 0),
        ({"recipient": "other@example.com"}, "", 0),
        ({"message_id": "<guessed@localhost>"}, "", 0),
        ({"message_id": ""}, "", 0),
        ({"kind": "text/plain"}, "", 0),
        ({}, "somebody@example.com", None),  # reports have no sender: nobody answers them
    ],
)
def test_only_a_report_that_knows_the_message_counts(
    db: None, changes: dict[str, str], sender: str, marked: int | None
) -> None:
    with open_office() as office, mail() as server:
        message = sent(office, server)
        assert bounces.take(report(message, **changes), sender) == marked
        message.refresh_from_db()
        assert message.state == ("FAILED" if marked else "SENT")


def test_what_is_no_report_is_left_to_the_replies() -> None:
    assert bounces.take(b"Subject: hello\r\n\r\nCONFIRM\r\n", "") is None
    assert bounces.take(b"\xff\xfe nothing", "") is None
