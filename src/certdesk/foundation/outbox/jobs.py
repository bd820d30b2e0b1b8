"""Delivers queued messages."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime

from certdesk.foundation.common import clock, settings
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler
from certdesk.foundation.jobs.rules import describe

from . import actions, queries, smtp
from .models import Message, State
from .rules import Answer

_threads = ThreadPoolExecutor(4, thread_name_prefix="outbox-smtp")


@dataclass(frozen=True)
class Delivery:
    message_id: int
    server: smtp.Server
    envelope: smtp.Envelope


@handler("outbox.deliver")
class Deliver(Handler[Delivery, Answer]):
    """One try. A try that fails is recorded with the server's answer and queues the next one."""

    def load(self, job: Job) -> Delivery | None:
        message = Message.objects.filter(id=job.payload["message_id"], state=State.QUEUED).first()
        if message is None:
            return None
        if not settings.get().smtp_url:
            Message.objects.filter(id=message.id).update(state=State.KEPT)
            return None
        server = smtp.parse(settings.get().smtp_url)
        return Delivery(message.id, server, _envelope(message, server.sender or actions.default_sender()))

    async def perform(self, work: Delivery) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_threads, smtp.deliver, work.server, work.envelope)

    def store(self, job: Job, work: Delivery, result: Answer) -> None:
        actions.record_answer(Message.objects.get(id=work.message_id), result)

    def failed(self, job: Job, error: BaseException) -> None:
        message = Message.objects.filter(id=job.payload["message_id"]).first()
        if message is not None:
            actions.record_answer(message, Answer(False, True, describe(error)))


def _envelope(message: Message, sender: str) -> smtp.Envelope:
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = message.recipient
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(clock.real_now())
    mail["Message-ID"] = message.message_id
    earlier = queries.earlier_of_thread(message)
    if earlier:
        mail["In-Reply-To"] = earlier[-1]
        mail["References"] = " ".join(earlier)
    mail["Content-Language"] = "zh-Hans" if message.locale == "zh-hans" else "en"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers, please
    text, html = actions.complete(message)
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    content, international = smtp.compose(mail)
    return smtp.Envelope(actions.check_sender(sender), message.recipient, content, international)
