"""The simulated CA's own mails: domain control, the organization's contact, EV approvers."""

import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid

MAILBOXES = ("admin", "administrator", "webmaster", "hostmaster", "postmaster")
_FROM = "validation@ca.lab.invalid"
_SECONDS = 10.0


def mailboxes(name: str) -> tuple[str, ...]:
    """The addresses that may speak for a domain (CA/B Baseline Requirements §3.2.2.4.4)."""
    return tuple(f"{one}@{name.removeprefix('www.')}" for one in MAILBOXES)


@dataclass(frozen=True, slots=True)
class Post:
    """`server`: `host:port` of a mail server; empty sends nothing."""

    server: str = ""

    def send(self, to: tuple[str, ...], subject: str, text: str) -> bool:
        """False when it was not taken; a CA's mails get lost too, so nothing is raised."""
        if not self.server:
            return False
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = _FROM, ", ".join(to), subject
        message["Message-ID"] = make_msgid(domain="ca.lab.invalid")
        message.set_content(text)
        host, _, port = self.server.rpartition(":")
        try:
            with smtplib.SMTP(host.strip("[]"), int(port), timeout=_SECONDS) as server:
                server.send_message(message)
        except (OSError, smtplib.SMTPException):
            return False
        return True
