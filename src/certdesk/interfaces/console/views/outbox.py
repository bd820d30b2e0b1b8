"""Every message that left, with its delivery result (NTF-3)."""

import re

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.foundation.outbox import queries
from certdesk.foundation.outbox.models import Message, State
from certdesk.interfaces.words.say import say

from .page import page

LIST = "scm:message:list"
PAGE = 30
HIDDEN = re.compile(r"\[\[[a-z_]+\]\]")
TONES = {State.QUEUED: "wait", State.SENT: "good", State.FAILED: "bad", State.KEPT: "end"}


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Newest first."""
    _require(principal)
    wanted, before = request.GET.get("state", ""), request.GET.get("before", "")
    messages = queries.of_account(principal.account_id)
    if wanted in State.values:
        messages = messages.filter(state=wanted)
    if before.isdecimal() and len(before) < 19:
        messages = messages.filter(id__lt=int(before))
    found = list(messages.defer("text", "html")[: PAGE + 1])
    more = f"?before={found[PAGE - 1].id}&state={wanted}" if len(found) > PAGE else ""
    context = {
        "title": _("Messages"),
        "lines": [_line(one) for one in found[:PAGE]],
        "tabs": [
            {"label": _("All"), "url": reverse("outbox"), "active": wanted not in State.values},
            *({"label": label(one), "url": f"?state={one}", "active": wanted == one} for one in State),
        ],
        "filtered": wanted in State.values,
        "unsent": not settings.get().smtp_url,
        "next_url": more,
        "previous_url": reverse("outbox") if before else "",
    }
    return render(request, "console/outbox.html", context)


def _require(principal: Principal) -> None:
    """The messages are the account's: a right that is limited to a project does not show them."""
    principal.require(LIST, Resource("message", "", principal.account_id))


def label(state: str) -> str:
    return {
        State.QUEUED: _("Waiting to be sent"),
        State.SENT: _("Delivered"),
        State.FAILED: _("Failed"),
        State.KEPT: _("Kept here only"),
    }[State(state)]


def _line(message: Message) -> dict[str, object]:
    return {
        "url": reverse("message", args=[message.id]),
        "subject": message.subject,
        "recipient": message.recipient or _("deleted"),
        "state": message.state,
        "label": label(message.state),
        "tone": TONES[State(message.state)],
        "created_at": message.created_at,
        "sent_at": message.sent_at,
        "certificate": message.certificate_id,
        "certificate_url": reverse("certificate", args=[message.certificate_id])
        if message.certificate_id
        else "",
    }


def _readable(found: Message) -> str:
    """What stands in the mail alone is named, not shown."""
    return (
        HIDDEN.sub(_("(this link stands in the mail alone)"), found.text) if found.secret_id else found.text
    )


@page(LIST)
def message(request: HttpRequest, principal: Principal, message_id: int) -> HttpResponse:
    """What it said, and every attempt to deliver it with the other side's answer."""
    _require(principal)
    found = (
        queries.of_account(principal.account_id).filter(id=message_id).prefetch_related("attempts").first()
    )
    if found is None:
        raise NotFound(_("There is no such message."), next_step=_("Look for it in the list of messages."))
    context = {
        "title": found.subject,
        "crumbs": [{"label": _("Messages"), "url": reverse("outbox")}],
        "line": _line(found),
        "text": _readable(found),
        "locale": found.locale,
        "attempts": [
            {"at": one.at, "answer": say(one.answer), "tone": "good" if one.delivered else "bad", "cause": ""}
            for one in sorted(found.attempts.all(), key=lambda one: one.id, reverse=True)
        ],
        "kept": found.state == State.KEPT,
    }
    return render(request, "console/message.html", context)
