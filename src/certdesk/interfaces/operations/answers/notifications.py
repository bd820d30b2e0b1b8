"""Answers about channels, rules and hours of notices, threads and messages (API §10)."""

from typing import Any

from typing_extensions import TypedDict

from .common import Made, Marker, Moment


class NotificationChannel(TypedDict):
    """Secrets among the options are `***`."""

    id: str
    kind: str
    label: str
    options: dict[str, Any]
    problem: str
    next_step: str
    asked_at: Moment
    created_at: Moment
    updated_at: Moment


class NotificationChannelPage(TypedDict):
    items: list[NotificationChannel]
    next_marker: Marker


class NotificationChannelTest(TypedDict):
    ok: bool
    answer: str
    problem: str
    next_step: str


class NotificationRule(TypedDict):
    id: str
    scope: str
    scope_id: str
    whom: str
    recipient: str
    locale: str
    after_days: int
    created_at: Moment


class NotificationRulePage(TypedDict):
    items: list[NotificationRule]
    next_marker: Marker


class NotificationHours(TypedDict):
    zone: str
    quiet_from: str
    quiet_to: str
    digest_at: str


class ToldNotice(TypedDict):
    stage: str
    whom: str
    channel_id: str
    state: str
    due_at: Moment
    sent_at: Moment
    message_id: str


class NoticeThread(TypedDict):
    """One thread a certificate; `stage` is the last one told of the current version."""

    stage: str
    told_at: Moment
    acknowledged_at: Moment
    acknowledged_by: str
    next_stage: str
    next_at: Moment
    told: list[ToldNotice]


class DeliveryAttempt(TypedDict):
    at: Moment
    delivered: bool
    answer: str


class SentMessage(TypedDict):
    id: str
    to: str
    channel: str
    channel_id: str
    template: str
    locale: str
    subject: str
    state: str
    certificate_id: str
    created_at: Moment
    sent_at: Moment
    attempts: list[DeliveryAttempt]


class MessagePage(TypedDict):
    items: list[SentMessage]
    next_marker: Marker


ANSWERS: dict[str, object] = {
    "notification_channels.list": NotificationChannelPage,
    "notification_channels.create": Made,
    "notification_channels.show": NotificationChannel,
    "notification_channels.update": NotificationChannel,
    "notification_channels.test": NotificationChannelTest,
    "notification_rules.list": NotificationRulePage,
    "notification_rules.create": Made,
    "notification_rules.show": NotificationRule,
    "notification_rules.update": NotificationRule,
    "notification_hours.show": NotificationHours,
    "notification_hours.update": NotificationHours,
    "certificates.notices": NoticeThread,
    "certificates.acknowledge_notices": NoticeThread,
    "messages.list": MessagePage,
}
