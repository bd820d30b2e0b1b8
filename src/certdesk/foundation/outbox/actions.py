"""Queues messages in the caller's transaction and records what became of them (NTF-3)."""

from collections.abc import Mapping
from datetime import timedelta
from email.utils import parseaddr
from urllib.parse import urlsplit

from certdesk.foundation.common import clock, ids, settings
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.rules import backoff

from . import render, rules
from .models import Attempt, Message, State
from .rules import Answer


def send(
    account_id: str,
    template: str,
    recipient: str,
    context: Mapping[str, object],
    *,
    certificate_id: str = "",
    locale: str = "en",
    dedupe_key: str,
) -> Message:
    """Renders a message and queues it; without a mail server in the settings it is only kept.

    Args:
        context: what `rules.TEMPLATES` names; texts, moments, lists and mappings of them.
        locale: "en", "zh-hans" or a relative of them.
        dedupe_key: names this message for all times (at most 120 characters): a second call with it
            queues nothing and answers the first message.

    Raises:
        BadParameter: the recipient is no mail address.
    """
    rules.check_recipient(recipient)
    rendered = render.render(template, locale, context)
    kept = not settings.get().smtp_url
    message, new = Message.objects.get_or_create(
        dedupe_key=dedupe_key,
        defaults={
            "account_id": account_id,
            "certificate_id": certificate_id,
            "template": template,
            "locale": rules.choose_locale(locale),
            "recipient": recipient,
            "subject": rendered.subject,
            "text": rendered.text,
            "html": rendered.html,
            "state": State.KEPT if kept else State.QUEUED,
            "message_id": f"<{ids.hex32()}@{_domain()}>",
            "created_at": clock.real_now(),
        },
    )
    if new and not kept:
        _queue(message)
    return message


def _domain() -> str:
    host = urlsplit(settings.get().base_url).hostname or ""
    return host if any(letter.isalpha() for letter in host) and ":" not in host else "localhost"


def default_sender() -> str:
    return f"certdesk@{_domain()}"


def check_sender(sender: str) -> str:
    """The bare address of `from=` in the mail server's URL."""
    return rules.check_recipient(parseaddr(sender)[1])


def resend(message: Message) -> None:
    """Queues a kept or failed message again, as it is."""
    changed = Message.objects.filter(id=message.id, state__in=[State.KEPT, State.FAILED]).update(
        state=State.QUEUED
    )
    if changed:
        _queue(message)


def _queue(message: Message, wait: float = 0.0) -> None:
    jobs.enqueue(
        "outbox.deliver",
        {"message_id": message.id},
        subject=message.certificate_id,
        run_at=clock.real_now() + timedelta(seconds=wait),
        dedupe_key=f"outbox:{message.id}",
    )


def record_answer(message: Message, answer: Answer) -> None:
    """Writes one attempt and moves the message on: sent, given up, or queued for a later try."""
    now = clock.real_now()
    Attempt.objects.create(message=message, at=now, delivered=answer.delivered, answer=answer.text)
    queued = Message.objects.filter(id=message.id, state=State.QUEUED)
    if answer.delivered:
        queued.update(state=State.SENT, sent_at=now)
        return
    tries = message.attempts.count()
    if answer.permanent or tries >= rules.MAX_ATTEMPTS:
        queued.update(state=State.FAILED)
    else:
        _queue(message, backoff(tries, 0.5))
