"""Reports of mail servers that a message was not delivered after all (RFC 3464), taken at the reply listener.

A report names the message by its Message-ID, which only its readers know, and the mailbox. Whoever makes one
up can make a delivered message look failed, nothing more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr

from certdesk.foundation.outbox import actions as outbox


@dataclass(frozen=True, slots=True)
class Bounce:
    """One mailbox that was not reached; `reason` as the other side put it."""

    message_id: str
    recipient: str
    reason: str


def take(content: bytes, envelope_sender: str) -> int | None:
    """How many messages were marked; None when the mail is no report of a mail server."""
    mail = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
    if envelope_sender or mail.get_content_type() != "multipart/report":
        return None
    return sum(outbox.bounced(one.message_id, one.recipient, one.reason) for one in read(mail))


def read(mail: EmailMessage) -> Iterator[Bounce]:
    """Each mailbox that the report gives up; delays and deliveries are passed over."""
    message_id = _message_id(mail)
    for part in mail.walk():
        if part.get_content_type() != "message/delivery-status" or not message_id:
            continue
        for fields in part.get_payload():
            if (
                not isinstance(fields, EmailMessage)
                or str(fields.get("Action", "")).strip().lower() != "failed"
            ):
                continue
            recipient = _after_type(fields.get("Final-Recipient", "")) or ""
            status = str(fields.get("Status", "")).strip()
            told = _after_type(fields.get("Diagnostic-Code", ""))
            yield Bounce(message_id, parseaddr(recipient)[1].lower(), f"{status} {told}".strip())


def _message_id(mail: EmailMessage) -> str:
    """Of the message that came back, whole or its head alone."""
    for part in mail.walk():
        if part.get_content_type() == "text/rfc822-headers":
            head = message_from_bytes(part.get_content().encode(), _class=EmailMessage, policy=policy.default)
            return str(head.get("Message-ID", "")).strip()
        if part.get_content_type() == "message/rfc822":
            return str(part.get_payload(0).get("Message-ID", "")).strip()  # type: ignore[union-attr]
    return ""


def _after_type(value: object) -> str:
    """`rfc822; somebody@example.com` → the address."""
    return str(value).partition(";")[2].strip()
