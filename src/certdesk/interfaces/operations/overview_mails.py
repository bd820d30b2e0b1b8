"""The weekly mail: the overview of one user, in his language."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.utils.translation import gettext, override

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs.errors import UserGone
from certdesk.foundation.jobs.rights import principal_of_user
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox import render
from certdesk.foundation.outbox.render import Rendered
from certdesk.interfaces.words import overview as words
from certdesk.lifecycle.certificates.attention import Tab
from certdesk.lifecycle.certificates.states import ROWS
from certdesk.lifecycle.overview import actions, mailing, queries
from certdesk.lifecycle.overview.queries import Overview

TEMPLATE = "weekly"
MOST = 10  # certificates named in the mail; the rest is a link away
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Due:
    """A mail that is owed, and the principal whose overview it is."""

    user: User
    principal: Principal


def find(user_id: str) -> Due | None:
    """None when nothing is owed any more."""
    user = User.objects.filter(id=user_id, is_active=True).exclude(email="").first()
    if user is None or mailing.turn_of(user, clock.now()) is None:
        return None
    try:
        return Due(user, principal_of_user(user_id))
    except UserGone:
        return None


def send(due: Due, now: datetime) -> bool:
    """Queues the mail in the caller's transaction, once for ever; False when it was told already."""
    day = mailing.turn_of(due.user, now)
    if day is None or not actions.told(due.user, day):
        return False
    try:
        outbox.send(
            due.user.account_id,
            TEMPLATE,
            due.user.email,
            context(due.principal, due.user.language, now),
            locale=due.user.language,
            dedupe_key=f"weekly:{due.user.id}:{day}",
        )
    except BadParameter as refused:
        log.warning("message not sent", user=due.user.id, reason=refused.message)
        return False
    return True


def preview(principal: Principal, user: User, now: datetime) -> Rendered:
    """The mail as it would be written now; nothing is sent."""
    return render.render(TEMPLATE, user.language, context(principal, user.language, now))


def context(principal: Principal, language: str, now: datetime) -> dict[str, Any]:
    """What the template takes; sentences in that language."""
    found, base = queries.take(principal, now), settings.get().base_url
    with override(language):
        figures = [
            {"count": words.bounded(one.count), "text": text, "link": f"{base}{one.path}"}
            for _name, one, text, _tone in words.headlines(found, may_act=principal.may("scm:cert:apply"))
            if one.count
        ]
        needs = _needs(found, base)
    return {
        "name": principal.name,
        "needs": needs,
        "more": max(0, found.tabs[Tab.YOU].count - len(needs)) if found.tabs else 0,
        "figures": figures,
        "week": [
            {"count": words.bounded(one.count), "served": name == "served", "link": f"{base}{one.path}"}
            for name, one in (("issued", found.issued), ("served", found.served))
            if one is not None
        ],
        "link": f"{base}/overview",
        "settings": f"{base}/overview/mail",
    }


def _needs(found: Overview, base: str) -> list[dict[str, Any]]:
    return [
        {
            "domain": one.domain or one.name,
            "state": gettext(ROWS[one.state].title),
            "not_after": one.not_after,
            "link": f"{base}/certificates/{one.id}",
        }
        for one in found.needs[:MOST]
    ]
