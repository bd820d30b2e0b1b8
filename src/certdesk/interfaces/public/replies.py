"""Replies to confirmation mails arrive here by SMTP, where the operator has switched it on (guide 3.2.3).

A reply counts only from the address that was asked, to the very message (In-Reply-To), with the link of the
mail in its text and the word CONFIRM in a line of its own. What machines send by themselves counts never: a
holiday answer quotes the mail with the link in it.
"""

import asyncio
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.db import close_old_connections

from certdesk.foundation.common import clock
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.validation import confirming
from certdesk.lifecycle.validation.confirming import Standing

from . import bounces

log = structlog.get_logger(__name__)

LARGEST = 256 * 1024
_LINK = re.compile(r"/confirm/(d-[A-Za-z0-9_-]{20,80})")
_YES = re.compile(r"(?mi)^\s*(confirm|confirmed|i confirm|确认|我确认)\s*[.!。！]?\s*$")
_QUOTED = re.compile(r"(?m)^\s*>.*$")


def public_products() -> list[str]:
    """The products for which a reply may not count; with any of them the listener does not start."""
    return sorted(one.id for one in catalogue().products if one.available and one.profile == "public")


def take(content: bytes, envelope_sender: str) -> Standing:
    """One mail that came in; answers how its value stood. GOOD = it has confirmed."""
    mail = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
    text = _text(mail)
    link = _LINK.search(text)
    sender = parseaddr(str(mail.get("From", "")))[1]
    if not link or _is_automatic(mail) or envelope_sender.lower() != sender.lower():
        return Standing.UNKNOWN
    if not _YES.search(_QUOTED.sub("", text)):
        return Standing.UNKNOWN
    return confirming.reply(link[1], str(mail.get("In-Reply-To", "")), sender, clock.now()).standing


def _text(mail: EmailMessage) -> str:
    """The plain text; mail programs may break the quoted link, so that quote marks and breaks inside go."""
    body = mail.get_body(("plain",))
    try:
        found = str(body.get_content()) if body is not None else ""
    except (LookupError, UnicodeError):
        return ""
    return found.replace("\r\n", "\n")


def _is_automatic(mail: EmailMessage) -> bool:
    """RFC 3834 and the older habits."""
    submitted = str(mail.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    old = str(mail.get("Precedence", "")).strip().lower() in ("bulk", "junk", "list", "auto_reply")
    return submitted != "no" or old or any(name in mail for name in ("X-Autoreply", "X-Autorespond"))


class Inbox:
    """aiosmtpd's hook; every mail gets the same answer, so that nobody learns by trying."""

    async def handle_DATA(self, _smtp: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content, sender = bytes(envelope.original_content or b""), envelope.mail_from or ""
        standing = await asyncio.to_thread(self._take, content, sender)
        log.info("reply to a confirmation mail", standing=standing.value)
        return "250 OK"

    def _take(self, content: bytes, sender: str) -> Standing:
        close_old_connections()
        try:
            marked = bounces.take(content, sender)
            if marked is not None:
                log.info("report of a mail server", messages=marked)
                return Standing.UNKNOWN
            return take(content, sender)
        finally:
            close_old_connections()


async def serve(host: str, port: int, started: asyncio.Future[int] | None = None) -> None:
    """Listens until cancelled; tells its port through `started`."""
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Inbox(), hostname="certdesk", data_size_limit=LARGEST, enable_SMTPUTF8=True), host, port
    )
    async with server:
        if started is not None:
            started.set_result(int(server.sockets[0].getsockname()[1]))
        await server.serve_forever()
