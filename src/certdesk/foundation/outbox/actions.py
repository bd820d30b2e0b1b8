"""Queues messages in the caller's transaction and records what became of them (NTF-3)."""

import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from email.utils import parseaddr
from html import escape
from urllib.parse import urlsplit

from django.db.models import Q

from certdesk.foundation.common import clock, ids, settings
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.rules import backoff
from certdesk.foundation.sealing import actions as sealing

from . import render, rules
from .models import About, Attempt, Message, State
from .rules import Answer

PURPOSE = "outbox-secret"
EMAIL = "email"
CHANNELS = "notifications.send"  # the job of a higher room, by its name alone


def send(
    account_id: str,
    template: str,
    recipient: str,
    context: Mapping[str, object],
    *,
    certificate_id: str = "",
    also_about: Collection[str] = (),
    locale: str = "en",
    channel: str = EMAIL,
    channel_id: str = "",
    thread: str = "",
    dedupe_key: str,
    secrets: Mapping[str, str] | None = None,
) -> Message:
    """Renders a message and queues it; a mail without a mail server in the settings is only kept.

    Args:
        also_about: ids of certificates, for a message about many: what is forgotten with any of them.
        channel: `email`, or the kind of the account's channel `channel_id`; the recipient of those is a phone
            number, or whatever names the place to people.
        thread: mails of one thread to one recipient refer to each other.
        secrets: names of the context whose texts only the recipient may see. They stand sealed beside the
            message and are put in when it is delivered: who may read the outbox does not read them.
        context: what `rules.TEMPLATES` names; texts, moments, lists and mappings of them.
        locale: "en", "zh-hans" or a relative of them.
        dedupe_key: names this message for all times (at most 120 characters): a second call with it
            queues nothing and answers the first message.

    Raises:
        BadParameter: the recipient is no mail address.
    """
    if channel == EMAIL:
        rules.check_recipient(recipient)
    hidden = dict(secrets or {})
    rendered = render.render(template, locale, {**context, **{name: rules.mark(name) for name in hidden}})
    kept = _is_only_kept(channel)
    message, new = Message.objects.get_or_create(
        dedupe_key=dedupe_key,
        defaults={
            "account_id": account_id,
            "certificate_id": certificate_id,
            "template": template,
            "locale": rules.choose_locale(locale),
            "channel": channel,
            "channel_id": channel_id,
            "thread": thread,
            "recipient": recipient,
            "subject": rendered.subject,
            "text": rendered.text,
            "html": rendered.html,
            "state": State.KEPT if kept else State.QUEUED,
            "message_id": f"<{ids.hex32()}@{_domain()}>",
            "created_at": clock.real_now(),
        },
    )
    if new and hidden:
        message.secret_id = sealing.seal(account_id, PURPOSE, json.dumps(hidden).encode())
        message.save(update_fields=["secret_id"])
    if new and also_about:
        About.objects.bulk_create(About(message=message, certificate_id=one) for one in also_about)
    if new and not kept:
        _queue(message)
    return message


def _is_only_kept(channel: str) -> bool:
    return channel == EMAIL and not settings.get().smtp_url


def complete(message: Message) -> tuple[str, str]:
    """Text and HTML with the secrets in their places: for delivery alone."""
    text, html = message.text, message.html
    if message.secret_id:
        found = json.loads(sealing.unseal(message.secret_id, message.account_id, PURPOSE))
        for name, value in found.items():
            text = text.replace(rules.mark(name), value)
            html = html.replace(rules.mark(name), escape(value))
    return text, html


def send_again(message_id: int) -> None:
    """Queues the same message once more, byte for byte the same, whatever became of it before."""
    message = Message.objects.get(id=message_id)
    state = State.KEPT if _is_only_kept(message.channel) else State.QUEUED
    if not message.recipient:
        return
    Message.objects.filter(id=message.id).update(state=state)
    if state == State.QUEUED:
        _queue(message)


def forget_people(certificate_id: str, addresses: Collection[str]) -> None:
    """What messages about a certificate say, and which of them went to these addresses, is forgotten; that
    they were sent, when and with what result stays (NTF-3). What is not delivered yet is not sent any more.
    Subjects stay too: none of them says more than the domain.

    In the caller's transaction.
    """
    with_others = About.objects.filter(certificate_id=certificate_id).values_list("message_id", flat=True)
    about = Q(certificate_id=certificate_id) | Q(id__in=list(with_others))
    found = Message.objects.filter(about)
    for (message_id,) in found.values_list("id"):
        forget_secret(message_id)
    found.filter(state=State.QUEUED).update(state=State.KEPT)
    found.update(text="", html="")
    wanted = {address.lower() for address in addresses}
    theirs = [
        message_id
        for message_id, recipient in found.values_list("id", "recipient")
        if recipient.lower() in wanted
    ]
    Attempt.objects.filter(message__in=theirs).update(answer="")
    found.filter(id__in=theirs).update(recipient="")


def forget_when_sent(dedupe_key: str) -> bool:
    """The text and the recipient of one message, once nobody tries to deliver it any more; False until then.

    In the caller's transaction.
    """
    found = Message.objects.filter(dedupe_key=dedupe_key)
    if found.filter(state=State.QUEUED).exists():
        return False
    Attempt.objects.filter(message__in=found).update(answer="")
    found.update(text="", html="", recipient="")
    return True


def forget_secret(message_id: int) -> None:
    """What stood in the mail alone is gone; the message can be read on, not sent (again)."""
    Message.objects.filter(id=message_id, state=State.QUEUED).exclude(secret_id="").update(state=State.KEPT)
    for secret_id in Message.objects.filter(id=message_id).exclude(secret_id="").values_list("secret_id"):
        sealing.destroy(secret_id[0])


def forget_secret_of(dedupe_key: str) -> None:
    """The same for the message of that name; nothing when it was never sent."""
    for (message_id,) in Message.objects.filter(dedupe_key=dedupe_key).values_list("id"):
        forget_secret(message_id)


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
    stands = Message.objects.filter(id=message.id).exclude(recipient="")  # forgotten with its recipient
    changed = stands.filter(state__in=[State.KEPT, State.FAILED]).update(state=State.QUEUED)
    if changed:
        _queue(message)


def hold_all() -> int:
    """After a restore: what was queued in the backup has most likely left since, and is not sent twice.

    It is kept with a note, and can be sent by hand; in the caller's transaction. Answers how many.
    """
    now, note = clock.real_now(), "Held back after a restore: it may have been sent before."
    held = list(Message.objects.filter(state=State.QUEUED).values_list("id", flat=True))
    for start in range(0, len(held), 500):
        part = held[start : start + 500]
        Message.objects.filter(id__in=part).update(state=State.KEPT)
        Attempt.objects.bulk_create(
            Attempt(message_id=one, at=now, delivered=False, answer=note) for one in part
        )
    return len(held)


def _queue(message: Message, wait: float = 0.0) -> None:
    jobs.enqueue(
        "outbox.deliver" if message.channel == EMAIL else CHANNELS,
        {"message_id": message.id},
        subject=message.certificate_id,
        run_at=clock.real_now() + timedelta(seconds=wait),
        dedupe_key=f"outbox:{message.id}",
    )


def bounced(message_id: str, recipient: str, reason: str) -> bool:
    """A delivered message came back: it counts as failed, with the reason; False when there is none such."""
    with short_transaction():
        found = Message.objects.filter(
            message_id=message_id, recipient__iexact=recipient, state=State.SENT
        ).first()
        if found is None or not message_id:
            return False
        answer = rules.one_line(f"Bounced: {reason or 'the other side gave no reason.'}", 500)
        Attempt.objects.create(message=found, at=clock.real_now(), delivered=False, answer=answer)
        Message.objects.filter(id=found.id).update(state=State.FAILED)
    return True


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
