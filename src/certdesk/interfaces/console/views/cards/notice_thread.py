"""The card of expiry notices on a certificate's page: its thread, who else is told, what was sent (NTF-5)."""

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox.models import State
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.rules import resource_of
from certdesk.lifecycle.certificates.states import EXPIRING
from certdesk.lifecycle.notifications import audience, channels, threads
from certdesk.lifecycle.notifications.actions import UPDATE
from certdesk.lifecycle.notifications.threads import Told

from ..notifications import rule_line, whom_words
from ..outbox import TONES, label

MESSAGES = "scm:message:list"


def context(principal: Principal, certificate: Certificate, now: datetime) -> dict[str, Any]:
    """Nothing for who may not switch its notices, or where there is nothing to be told."""
    if certificate.state not in EXPIRING or not principal.may(UPDATE, resource_of(certificate)):
        return {}
    thread = threads.of(certificate, now)
    own = channels.resource_of(certificate.account_id)
    rooms = channels.listed(principal)
    return {
        "thread": thread,
        "acknowledged_by": _("the link in the message")
        if thread.acknowledged_by == "link"
        else thread.acknowledged_by,
        "told_lines": [_line(one, may_read=principal.may(MESSAGES)) for one in thread.told],
        "notice_rules": [rule_line(one, rooms) for one in audience.of_certificate(certificate.id)]
        if principal.may(channels.LIST, own)
        else [],
        "may_rules": principal.may(channels.CREATE, own),
        "may_rules_remove": principal.may(channels.DELETE, own),
    }


def stage_words(stage: str) -> str:
    return {
        "two-months": _("two months before"),
        "one-month": _("one month before"),
        "one-week": _("one week before"),
        "third": _("a third left"),
        "sixth": _("a sixth left"),
        "twelfth": _("a twelfth left"),
        "three-days": _("three days before"),
        "one-day": _("one day before"),
        "expired": _("expired"),
    }.get(stage, stage)


def _line(one: Told, *, may_read: bool) -> dict[str, Any]:
    state = State(one.fate.state) if one.fate else None
    other = _("Silenced") if one.notice.state == "SILENCED" else _("Waiting for its hour")
    who = whom_words().get(one.notice.whom, one.notice.whom)
    return {
        "at": one.notice.send_at,
        "text": f"{stage_words(one.notice.stage)}: {who}",
        "label": label(state) if state else other,
        "tone": TONES[state] if state else "end",
        "url": reverse("message", args=[one.notice.message_id]) if state and may_read else "",
    }
