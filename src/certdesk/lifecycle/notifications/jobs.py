"""Looks which certificates come to a stage of their end, tells people once (NTF-1), sends by channels."""

from dataclasses import dataclass, field

from certdesk.connectors.channels.protocol import Channel as Connector
from certdesk.connectors.channels.protocol import ChannelError
from certdesk.connectors.channels.protocol import Notice as Message
from certdesk.foundation.common import clock
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.foundation.jobs.rules import describe
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox import queries as messages
from certdesk.foundation.outbox.rules import Answer

from . import actions, channels, dialing, packing, queries
from .models import Channel, Rule
from .queries import Candidate

LOOK = "notifications.look"
TELL = "notifications.tell"
PACK = "notifications.pack"
SEND = "notifications.send"
BATCH = 100  # law 13: rows of one transaction
EVERY = 3_600  # seconds
OFTEN = 60


@handler(LOOK)
class Look(Handler[list[str], None]):
    """One job an account."""

    def load(self, job: Job) -> list[str] | None:
        return queries.accounts() or None

    def store(self, job: Job, work: list[str], result: None) -> None:
        for account_id in work:
            jobs.enqueue(TELL, {"account_id": account_id}, dedupe_key=f"{TELL}:{account_id}")


@handler(TELL, lock="notifications:{account_id}")
class Tell(Handler[list[Candidate], None]):
    """One page of certificates that have something to be told; the next one is a job of its own."""

    def load(self, job: Job) -> list[Candidate] | None:
        after = (int(job.payload.get("expiry", 0)), str(job.payload.get("id", "")))
        account_id = str(job.payload["account_id"])
        found = queries.near_their_end(account_id, clock.now(), after, BATCH)
        if not found and Rule.objects.filter(account_id=account_id, after_days__gt=0).exists():
            _enqueue_pack(account_id)
        return found or None

    def store(self, job: Job, work: list[Candidate], result: None) -> None:
        last = work[-1]
        actions.look_through(work, clock.now())
        if len(work) == BATCH:
            payload = {
                "account_id": last.account_id,
                "expiry": clock.to_micros(last.not_after),
                "id": last.id,
            }
            jobs.enqueue(TELL, payload, dedupe_key=f"{TELL}:{last.account_id}:{last.id}")
        _enqueue_pack(last.account_id)


def _enqueue_pack(account_id: str) -> None:
    jobs.enqueue(PACK, {"account_id": account_id}, dedupe_key=f"{PACK}:{account_id}")


@handler(PACK, lock="notifications:{account_id}")
class Pack(Handler[bool, None]):
    """Who comes next is told, and what is due becomes messages; at most 100 of each a transaction."""

    def load(self, job: Job) -> bool | None:
        now, account_id = clock.now(), str(job.payload["account_id"])
        escalated = actions.escalate(account_id, now, BATCH)
        more = packing.pack(account_id, now, BATCH)
        return more or escalated == BATCH or None

    def store(self, job: Job, work: bool, result: None) -> None:
        _enqueue_pack(str(job.payload["account_id"]))


@handler("notifications.due")
class Due(Handler[list[str], None]):
    """Every minute: what was held for quiet hours or a digest."""

    def load(self, job: Job) -> list[str] | None:
        return packing.waiting_accounts(clock.now()) or None

    def store(self, job: Job, work: list[str], result: None) -> None:
        for account_id in work:
            _enqueue_pack(account_id)


@dataclass(frozen=True)
class Delivery:
    message_id: int
    channel_id: str
    connector: Connector = field(repr=False)
    message: Message = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    answer: Answer
    problem: str = ""
    next_step: str = ""


@handler(SEND)
class Send(Handler[Delivery, Outcome]):
    """One try by a channel. A failed one is recorded with what the other side said, and queues the next."""

    def load(self, job: Job) -> Delivery | None:
        message = messages.queued(int(job.payload["message_id"]))
        if message is None:
            return None
        channel = Channel.objects.filter(id=message.channel_id, account_id=message.account_id).first()
        if channel is None:
            outbox.record_answer(message, Answer(False, True, "The channel was removed."))
            return None
        text, _html = outbox.complete(message)
        notice = Message(
            message.message_id.strip("<>"),
            message.subject,
            text,
            message.recipient if channel.kind == "sms" else "",
            packing.facts(message.id),
        )
        return Delivery(
            message.id, channel.id, dialing.connect(channel.kind, dialing.options_of(channel)), notice
        )

    async def perform(self, work: Delivery) -> Outcome:
        try:
            return Outcome(Answer(True, False, await work.connector.send(work.message)))
        except ChannelError as error:
            text = f"{error.message} {error.next_step}".strip()
            return Outcome(Answer(False, error.permanent, text[:500]), error.message, error.next_step)

    def store(self, job: Job, work: Delivery, result: Outcome) -> None:
        message = messages.queued(work.message_id)
        if message is not None:
            outbox.record_answer(message, result.answer)
        channels.keep(work.channel_id, result.problem, result.next_step)

    def failed(self, job: Job, error: BaseException) -> None:
        message = messages.queued(int(job.payload["message_id"]))
        if message is not None:
            outbox.record_answer(message, Answer(False, True, describe(error)))


periodic(LOOK, EVERY, at_start=True)
periodic("notifications.due", OFTEN)
