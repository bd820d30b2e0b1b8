"""Channels and rules of expiry notices, their hours, the thread of a certificate, and messages (API §10)."""

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.common.errors import NotFound, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox import queries as messages
from certdesk.foundation.outbox.models import Message, State
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.notifications import actions, audience, channels, habits, threads
from certdesk.lifecycle.notifications.audience import Wish
from certdesk.lifecycle.notifications.models import Channel, Rule, Scope, Whom
from certdesk.lifecycle.notifications.timing_rules import Hours, minute_of, text_of

from . import paging
from .notification_schemas import (
    ChannelChange,
    ChannelTest,
    MessageQuery,
    NewChannel,
    NewNoticeRule,
    NoticeHours,
)
from .registry import operation
from .schemas import PageQuery
from .shapes import Shape

CHANNELS = "/v3/scm/notification-channels"
RULES = "/v3/scm/notification-rules"
HOURS = "/v3/scm/notification-hours"
MESSAGES = "/v3/scm/messages"
C = "/v3/scm/certificates/{certificate_id}"
N = "scm:notification"


def _channel(one: Channel) -> Shape:
    """Secrets are `***` for good: they go in and never come out."""
    return {
        "id": one.id,
        "kind": one.kind,
        "label": one.label,
        "options": one.shown,
        "problem": say(one.problem),
        "next_step": say(one.next_step),
        "asked_at": wire(one.asked_at),
        "created_at": wire(one.created_at),
        "updated_at": wire(one.updated_at),
    }


@operation("notification_channels.list", "GET", CHANNELS, f"{N}:list", query=PageQuery)
def channel_list(principal: Principal, query: PageQuery) -> Shape:
    """The account's chat rooms, SMS gateways and webhooks, oldest first."""
    rows, marker = paging.after(channels.listed(principal), query.limit, query.marker)
    return {"items": [_channel(one) for one in rows], "next_marker": marker}


@operation("notification_channels.create", "POST", CHANNELS, f"{N}:create", request=NewChannel, success=201)
def create_channel(principal: Principal, body: NewChannel) -> Shape:
    """Connects a channel: chat (apprise URL), sms (apprise URL with {phone}) or webhook. Nothing is sent."""
    return {"id": channels.add(principal, body.kind, body.label, body.options).id}


@operation("notification_channels.show", "GET", f"{CHANNELS}/{{id}}", f"{N}:get")
def show_channel(principal: Principal, id: str) -> Shape:  # noqa: A002 the path parameter of the contract
    """One channel, its secrets as `***`."""
    return _channel(channels.fetch(principal, channels.GET, id))


@operation("notification_channels.update", "PUT", f"{CHANNELS}/{{id}}", f"{N}:update", request=ChannelChange)
def update_channel(principal: Principal, id: str, body: ChannelChange) -> Shape:  # noqa: A002
    """New name or options; `***` keeps a stored secret."""
    return _channel(channels.edit(principal, id, body.label, body.options))


@operation("notification_channels.delete", "DELETE", f"{CHANNELS}/{{id}}", f"{N}:delete", success=204)
def delete_channel(principal: Principal, id: str) -> None:  # noqa: A002
    """Removes a channel, its secrets, and the rules that name it."""
    channels.remove(principal, id)


@operation("notification_channels.test", "POST", f"{CHANNELS}/{{id}}/test", f"{N}:test", request=ChannelTest)
def test_channel(principal: Principal, id: str, body: ChannelTest) -> Shape:  # noqa: A002
    """Sends a real test message; `phone` is the number, for an SMS gateway."""
    found = channels.test(principal, id, body.phone)
    return {
        "ok": found.ok,
        "answer": found.answer,
        "problem": say(found.problem),
        "next_step": say(found.next_step),
    }


def _rule(one: Rule) -> Shape:
    return {
        "id": one.id,
        "scope": one.scope,
        "scope_id": one.scope_id,
        "whom": one.whom,
        "recipient": one.recipient,
        "locale": one.locale,
        "after_days": one.after_days,
        "created_at": wire(one.created_at),
    }


def _wish(body: NewNoticeRule) -> Wish:
    return Wish(
        Scope(body.scope),
        body.scope_id,
        Whom(body.whom),
        body.recipient,
        body.locale,
        body.after_days,
    )


@operation("notification_rules.list", "GET", RULES, f"{N}:list", query=PageQuery)
def rule_list(principal: Principal, query: PageQuery) -> Shape:
    """Who is told beside applicant and contact, oldest first."""
    rows, marker = paging.after(audience.listed(principal), query.limit, query.marker)
    return {"items": [_rule(one) for one in rows], "next_marker": marker}


@operation("notification_rules.create", "POST", RULES, f"{N}:create", request=NewNoticeRule, success=201)
def create_rule(principal: Principal, body: NewNoticeRule) -> Shape:
    """Adds a role, address, phone number or channel, for all certificates, a project's or one.

    With `after_days` it is an escalation: told when nobody has acknowledged a stage for so long.
    """
    return {"id": audience.add(principal, _wish(body)).id}


@operation("notification_rules.show", "GET", f"{RULES}/{{id}}", f"{N}:get")
def show_rule(principal: Principal, id: str) -> Shape:  # noqa: A002
    """One rule."""
    return _rule(audience.fetch(principal, channels.GET, id))


@operation("notification_rules.update", "PUT", f"{RULES}/{{id}}", f"{N}:update", request=NewNoticeRule)
def update_rule(principal: Principal, id: str, body: NewNoticeRule) -> Shape:  # noqa: A002
    """Another rule in its place, whole."""
    return _rule(audience.change(principal, id, _wish(body)))


@operation("notification_rules.delete", "DELETE", f"{RULES}/{{id}}", f"{N}:delete", success=204)
def delete_rule(principal: Principal, id: str) -> None:  # noqa: A002
    """Takes a rule away."""
    audience.remove(principal, id)


def _hours(one: Hours) -> Shape:
    return {
        "zone": one.zone,
        "quiet_from": text_of(one.quiet_from),
        "quiet_to": text_of(one.quiet_to),
        "digest_at": text_of(one.digest_at),
    }


@operation("notification_hours.show", "GET", HOURS, habits.GET)
def show_hours(principal: Principal) -> Shape:
    """Zone, quiet hours and the hour of the digest; empty texts = not wished."""
    return _hours(habits.read(principal))


@operation("notification_hours.update", "PUT", HOURS, habits.SET, request=NoticeHours)
def update_hours(principal: Principal, body: NoticeHours) -> Shape:
    """Sets them for the whole account; times of day as 22:30.

    A notice is held for half of the time that is left at most, and what has expired is told at once.
    """
    wanted = Hours(
        body.zone,
        minute_of(body.quiet_from, "quiet_from"),
        minute_of(body.quiet_to, "quiet_to"),
        minute_of(body.digest_at, "digest_at"),
    )
    return _hours(habits.change(principal, wanted))


@operation("certificates.notices", "GET", f"{C}/notices", "scm:cert:get")
def thread(principal: Principal, certificate_id: str) -> Shape:
    """What was told about the end of a certificate, and when the next stage comes."""
    return _thread(threads.of(certificates.fetch(principal, "scm:cert:get", certificate_id), clock.now()))


@operation("certificates.acknowledge_notices", "POST", f"{C}/notices/acknowledge", actions.UPDATE)
def acknowledge(principal: Principal, certificate_id: str) -> Shape:
    """Somebody takes care of it: the certificate is silent until its next stage (NTF-5)."""
    actions.acknowledge(principal, certificate_id, clock.now())
    return _thread(threads.of(certificates.fetch(principal, actions.UPDATE, certificate_id), clock.now()))


def _thread(one: threads.Thread) -> Shape:
    return {
        "stage": one.stage,
        "told_at": wire(one.told_at),
        "acknowledged_at": wire(one.acknowledged_at),
        "acknowledged_by": one.acknowledged_by,
        "next_stage": one.following.name if one.following else "",
        "next_at": wire(one.following.at if one.following else None),
        "told": [
            {
                "stage": told.notice.stage,
                "whom": told.notice.whom,
                "channel_id": told.notice.channel_id,
                "state": told.fate.state if told.fate else told.notice.state,
                "due_at": wire(told.notice.send_at),
                "sent_at": wire(told.fate.sent_at if told.fate else None),
                "message_id": str(told.notice.message_id or ""),
            }
            for told in one.told
        ],
    }


@operation("messages.list", "GET", MESSAGES, "scm:message:list", query=MessageQuery)
def message_list(principal: Principal, query: MessageQuery) -> Shape:
    """Messages of the account, newest first, with every try to deliver them; recipients are masked."""
    principal.require("scm:message:list", Resource("message", "", principal.account_id))
    found = messages.of_account(principal.account_id)
    if query.state:
        found = found.filter(state=query.state)
    if query.certificate_id:
        found = messages.about(found, query.certificate_id)
    if query.marker:
        found = found.filter(id__lt=paging.number(query.marker))
    rows, more = paging.cut(found.prefetch_related("attempts"), query.limit)
    return {"items": [_message(one) for one in rows], "next_marker": str(rows[-1].id) if more else None}


def _message(one: Message) -> Shape:
    return {
        "id": str(one.id),
        "to": _masked(one.recipient),
        "channel": one.channel,
        "channel_id": one.channel_id,
        "template": one.template,
        "locale": one.locale,
        "subject": one.subject,
        "state": one.state,
        "certificate_id": one.certificate_id,
        "created_at": wire(one.created_at),
        "sent_at": wire(one.sent_at),
        "attempts": [
            {"at": wire(tried.at), "delivered": tried.delivered, "answer": say(tried.answer)}
            for tried in sorted(one.attempts.all(), key=lambda tried: tried.id)
        ],
    }


def _masked(recipient: str) -> str:
    """`a***@example.com`, `+44***00`: enough to tell people apart who know each other."""
    name, at, place = recipient.rpartition("@")
    if at:
        return f"{name[:1]}***@{place}"
    return f"{recipient[:3]}***{recipient[-2:]}" if recipient.startswith("+") else recipient


@operation("messages.resend", "POST", f"{MESSAGES}/{{id}}/resend", "scm:message:resend", success=204)
def resend(principal: Principal, id: str) -> None:  # noqa: A002
    """Queues a failed or kept message again, as it is."""
    principal.require("scm:message:resend", Resource("message", "", principal.account_id))
    known = id.isdecimal() and len(id) < 19
    found = messages.of_account(principal.account_id).filter(id=int(id)).first() if known else None
    if found is None:
        raise NotFound("There is no such message.", next_step="Look for it in the list of messages.")
    if found.state not in (State.KEPT, State.FAILED) or not found.recipient:
        raise WrongState(
            "Only a message that failed or was kept here can be sent again, and none that was forgotten.",
            next_step="Wait until its delivery has ended.",
        )
    with short_transaction():
        outbox.resend(found)
        audit.record(
            principal,
            "scm:message:resend",
            resource=f"message:{found.id}",
            account_id=found.account_id,
        )
