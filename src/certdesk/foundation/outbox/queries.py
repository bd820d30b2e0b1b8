"""Reads of the outbox."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from .models import Attempt, Message


def of_account(account_id: str) -> QuerySet[Message]:
    """Newest first; attempts come with `prefetch_related("attempts")`."""
    return Message.objects.filter(account_id=account_id).order_by("-id")


def of_certificate(certificate_id: str) -> QuerySet[Message]:
    return Message.objects.filter(certificate_id=certificate_id).order_by("-id")


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
