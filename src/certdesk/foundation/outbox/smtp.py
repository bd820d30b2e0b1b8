"""Hands one message to the mail server. Blocking: runs in a thread, outside of any transaction."""

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from urllib.parse import parse_qs, unquote, urlsplit

from .rules import Answer, one_line, understand

TIMEOUT = 20.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Server:
    """Where mail goes; from `CERTDESK_SMTP_URL`."""

    host: str
    port: int
    tls: bool
    starttls: bool
    user: str
    password: str = field(repr=False)
    sender: str = ""


@dataclass(frozen=True)
class Envelope:
    sender: str
    recipient: str
    content: bytes
    international: bool


class _Refused(Exception):
    def __init__(self, code: int, text: bytes) -> None:
        super().__init__()
        self.answer = understand(code, text.decode("utf-8", "replace"))


def parse(url: str) -> Server:
    """smtp[s]://[user:password@]host:port[?starttls=1&from=address]"""
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    tls = parts.scheme == "smtps"
    return Server(
        host=parts.hostname or "localhost",
        port=parts.port or (465 if tls else 25),
        tls=tls,
        starttls=options.get("starttls", ["0"])[-1] in ("1", "true", "yes"),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        sender=options.get("from", [""])[-1],
    )


def compose(message: EmailMessage) -> tuple[bytes, bool]:
    """The message's bytes, and whether its addresses need SMTPUTF8 (RFC 6531)."""
    international = not (str(message["To"]) + str(message["From"])).isascii()
    return message.as_bytes(policy=SMTPUTF8 if international else SMTP), international


def deliver(server: Server, envelope: Envelope, *, timeout: float = TIMEOUT) -> Answer:
    """One try. Never raises for what the network or the server does; the answer says it."""
    try:
        with _connect(server, timeout) as session:
            return _hand_over(session, envelope)
    except _Refused as refusal:
        return refusal.answer
    except smtplib.SMTPResponseException as error:
        # At greeting, TLS or login: the operator can mend it, so even a 5yz is tried again.
        text = _bytes(error.smtp_error).decode("utf-8", "replace")
        return Answer(False, False, one_line(f"{error.smtp_code} {text}", 500))
    except (OSError, smtplib.SMTPException) as error:
        return Answer(False, False, one_line(f"{type(error).__name__}: {error}", 500))


def _connect(server: Server, timeout: float) -> smtplib.SMTP:
    if server.tls:
        context = ssl.create_default_context()
        session: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=timeout, context=context)
    else:
        session = smtplib.SMTP(server.host, server.port, timeout=timeout)
    try:
        _prepare(session, server)
    except BaseException:
        session.close()
        raise
    return session


def _prepare(session: smtplib.SMTP, server: Server) -> None:
    session.ehlo_or_helo_if_needed()
    if server.starttls:
        session.starttls(context=ssl.create_default_context())
        session.ehlo()
    if server.user:
        if not (server.tls or server.starttls or server.host in _LOOPBACK):
            raise smtplib.SMTPException(
                "The password was not sent because the connection is not encrypted: "
                "use smtps:// or starttls=1 in CERTDESK_SMTP_URL."
            )
        session.login(server.user, server.password)


def _hand_over(session: smtplib.SMTP, envelope: Envelope) -> Answer:
    options = ["SMTPUTF8", "BODY=8BITMIME"] if envelope.international else []
    _expect(session.mail(envelope.sender, options))
    _expect(session.rcpt(envelope.recipient))
    try:
        code, text = session.data(envelope.content)
    except smtplib.SMTPDataError as error:
        raise _Refused(error.smtp_code, _bytes(error.smtp_error)) from None
    _expect((code, text))
    return understand(code, text.decode("utf-8", "replace"))


def _expect(reply: tuple[int, bytes]) -> None:
    if not 200 <= reply[0] < 300:
        raise _Refused(*reply)


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
