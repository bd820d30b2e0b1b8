"""Reads of the outbox."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from .models import About, Attempt, Message, State

MOST_REFERENCES = 20


def of_account(account_id: str) -> QuerySet[Message]:
    """Newest first; attempts come with `prefetch_related("attempts")`."""
    return Message.objects.filter(account_id=account_id).order_by("-id")


def of_certificate(certificate_id: str) -> QuerySet[Message]:
    return Message.objects.filter(certificate_id=certificate_id).order_by("-id")


def about(messages: QuerySet[Message], certificate_id: str) -> QuerySet[Message]:
    """Those that are about the certificate, alone or among others."""
    others = About.objects.filter(certificate_id=certificate_id).values("message_id")
    return messages.filter(Q(certificate_id=certificate_id) | Q(id__in=others))


def queued(message_id: int) -> Message | None:
    """The message, if it still waits to be delivered."""
    return Message.objects.filter(id=message_id, state=State.QUEUED).first()


def earlier_of_thread(message: Message) -> list[str]:
    """Message-IDs of the earlier mails of its thread to the same recipient, oldest first."""
    if not message.thread:
        return []
    found = Message.objects.filter(
        thread=message.thread, recipient=message.recipient, channel=message.channel, id__lt=message.id
    )
    ids = list(found.order_by("id").values_list("message_id", flat=True)[:MOST_REFERENCES])
    return [one for one in ids if one]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a message: its state and the other side's last answer."""

    state: str
    answer: str
    sent_at: datetime | None


def fates(ids: Collection[int]) -> dict[int, Fate]:
    answers = dict(
        Attempt.objects.filter(message_id__in=ids).order_by("id").values_list("message_id", "answer")
    )
    found = Message.objects.filter(id__in=ids).values_list("id", "state", "sent_at")
    return {one: Fate(state, answers.get(one, ""), sent_at) for one, state, sent_at in found}


@dataclass(frozen=True, slots=True)
class Tried:
    """A message and how often the other side was asked to take it, last when."""

    id: int
    tries: int
    last_try: datetime | None


def latest_of(certificate_id: str, begins: str) -> Tried | None:
    """The newest message about a certificate whose name begins so."""
    found = of_certificate(certificate_id).filter(dedupe_key__startswith=begins).first()
    if found is None:
        return None
    tries = sorted(found.attempts.values_list("at", flat=True))
    return Tried(found.id, len(tries), tries[-1] if tries else None)


def message_ids(ids: Collection[int]) -> dict[int, str]:
    """The RFC 5322 Message-ID of each."""
    return dict(Message.objects.filter(id__in=ids).values_list("id", "message_id"))
