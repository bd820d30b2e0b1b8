"""A small SMTP server that keeps what it is sent: in memory and, if asked, one .eml file a message."""

import asyncio
import ipaddress
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from certdesk.lab.background import LoopThread, wait_for_stop

_LARGEST = 32 * 1024 * 1024


class Fault(StrEnum):
    """What the server can do wrong on purpose."""

    REJECT_SENDER = "REJECT_SENDER"  # 550 at MAIL FROM
    REJECT_RECIPIENT = "REJECT_RECIPIENT"  # 550 at RCPT TO, for good
    GREYLIST = "GREYLIST"  # 451 at RCPT TO, try again
    REJECT_DATA = "REJECT_DATA"  # 554 after the message
    BUSY = "BUSY"  # 452 after the message, try again
    SLOW = "SLOW"  # the answer to the message takes some seconds


_REPLIES = {
    Fault.REJECT_SENDER: ("MAIL", "550 5.7.1 Sender refused"),
    Fault.REJECT_RECIPIENT: ("RCPT", "550 5.1.1 No such mailbox"),
    Fault.GREYLIST: ("RCPT", "451 4.7.1 Try again later"),
    Fault.REJECT_DATA: ("DATA", "554 5.6.0 Message refused"),
    Fault.BUSY: ("DATA", "452 4.3.1 Out of storage"),
}


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came: envelope and parsed content."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        """The plain-text body, empty when there is none."""
        body = self.message.get_body(("plain",))
        return str(body.get_content()).replace("\r\n", "\n") if body is not None else ""


class LabSmtp:
    """`with LabSmtp() as mail: …; mail.wait_for(lambda one: "anna@example.com" in one.recipients)`.

    Args:
        address: a loopback address.
        port: 0 = any free one; then read `port`.
        folder: also write each message there as `00001.eml`, made when missing.
    """

    def __init__(self, address: str = "127.0.0.1", port: int = 0, *, folder: Path | None = None) -> None:
        if not ipaddress.ip_address(address).is_loopback:
            raise ValueError(f"The lab SMTP server listens on loopback only, not on {address}.")
        self.address, self.port = address, port
        self._folder = folder
        self._messages: list[Received] = []
        self._arrived = threading.Condition()
        self._fault: Fault | None = None
        self._seconds = 0.0

    @property
    def url(self) -> str:
        """As `CERTDESK_SMTP_URL` wants it."""
        return f"smtp://{self.address}:{self.port}"

    @property
    def messages(self) -> list[Received]:
        """All messages so far, oldest first."""
        with self._arrived:
            return list(self._messages)

    def wait_for(self, predicate: Callable[[Received], bool], timeout: float = 10.0) -> Received:
        """The first message, past or coming, that fits.

        Raises:
            TimeoutError: none came in time.
        """
        with self._arrived:
            self._arrived.wait_for(lambda: any(map(predicate, self._messages)), timeout)
            for one in self._messages:
                if predicate(one):
                    return one
            raise TimeoutError(f"No fitting message within {timeout:g} s; {len(self._messages)} came.")

    def clear(self) -> None:
        """Forget the messages; files stay."""
        with self._arrived:
            self._messages.clear()

    def misbehave(self, fault: str | Fault, seconds: float = 1.0) -> None:
        """Every message meets this fault until `behave`; `seconds` is for SLOW."""
        self._fault, self._seconds = Fault(fault), seconds

    def behave(self) -> None:
        self._fault = None

    def __enter__(self) -> Self:
        self._background = LoopThread("lab-smtp").start()
        try:
            self._background.call(self._listen())
        except BaseException:
            self._background.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._background.loop.call_soon_threadsafe(self._server.close)
        self._background.stop()

    async def _listen(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._session, self.address, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def _session(self) -> SMTP:
        return SMTP(_Handler(self), hostname="lab.invalid", data_size_limit=_LARGEST, enable_SMTPUTF8=True)

    def reply(self, step: str) -> str | None:
        """The fault's answer at this step of the dialogue."""
        at, text = _REPLIES.get(self._fault, ("", "")) if self._fault else ("", "")
        return text if at == step else None

    async def delay(self) -> None:
        if self._fault is Fault.SLOW:
            await asyncio.sleep(self._seconds)

    def keep(self, envelope: Envelope) -> None:
        content = bytes(envelope.original_content or b"")
        message = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
        received = Received(envelope.mail_from or "", tuple(envelope.rcpt_tos), content, message)
        with self._arrived:
            self._messages.append(received)
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
                (self._folder / f"{self._next_number():05d}.eml").write_bytes(content)
            self._arrived.notify_all()

    def _next_number(self) -> int:
        """After the files of earlier runs."""
        taken = [int(path.stem) for path in (self._folder or Path()).glob("*.eml") if path.stem.isdecimal()]
        return max(taken, default=0) + 1


class _Handler:
    """aiosmtpd's hooks; the names are its own."""

    def __init__(self, server: LabSmtp) -> None:
        self._server = server

    async def handle_MAIL(  # noqa: N802
        self, _smtp: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refused = self._server.reply("MAIL")
        if refused:
            return refused
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _smtp: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refused = self._server.reply("RCPT")
        if refused:
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, _smtp: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        await self._server.delay()
        refused = self._server.reply("DATA")
        if refused:
            return refused
        self._server.keep(envelope)
        return "250 OK: kept"


def run_smtp(port: int, folder: Path | None = None) -> None:
    """Serve until SIGINT or SIGTERM; says on standard output where. For `certdesk lab smtp`."""
    with LabSmtp(port=port, folder=folder) as server:

        def announce() -> None:
            kept = (
                f"messages are kept in {folder}" if folder is not None else "messages are kept in memory only"
            )
            sys.stdout.write(f"Lab SMTP server on {server.url}; {kept}\n")
            sys.stdout.flush()

        wait_for_stop(announce)
