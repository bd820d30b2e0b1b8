"""The start page: what needs the reader today, what ends when, and how the desk stands."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.overview import bounded, headlines
from certdesk.lifecycle.certificates.attention import Tab
from certdesk.lifecycle.overview import queries
from certdesk.lifecycle.overview.queries import Figure, Overview, Week
from certdesk.lifecycle.overview.rules import WEEK, Span
from certdesk.lifecycle.validation.preflight import PROVE

from ..present import Action
from ..templatetags.certdesk_ui import relative_text
from . import rows, session
from .page import OWN, page

MOST = 10  # certificates on the page itself; the rest is a link away
WIDEST = 92  # of 100: the longest bar of the histogram


@page(OWN)
def shown(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Each part by its own right; who may see none of them is led to the first page that he may see."""
    now = clock.now()
    found = queries.take(principal, now)
    if not found.anything:
        return redirect(session.first_page(principal))
    lines = [rows.line(row, principal, now) for row in found.needs]
    context = {
        "title": _("Overview"),
        "subtitle": date_format(now, _("l, j F Y")),
        "empty": found.empty,
        "tiles": tiles(found, may_act=principal.may(rows.APPLY)),
        **_needs(found, [one for one in lines if one.action], may_act=principal.may(rows.APPLY)),
        "weeks": weeks(found),
        "week_lines": week_lines(found),
        "states": [
            {"code": state.value, "count": bounded(one.count), "url": one.path} for state, one in found.states
        ],
        "ca": ca(found),
        "mail_url": reverse("overview-mail") if found.tabs is not None else "",
        "buy": Action(_("Buy certificate"), reverse("buy"), "buy", look="primary", icon="plus"),
        "may_buy": rows.may_buy(principal),
        "upload": Action(_("Upload certificate"), reverse("upload"), "upload", icon="upload"),
        "may_upload": rows.may_upload(principal),
        "may_look": principal.may(PROVE),
        "private_ca_matters": found.tabs is not None,
    }
    return render(request, "console/overview.html", context)


def tiles(found: Overview, *, may_act: bool) -> list[dict[str, Any]]:
    """The headline figures; in an empty inventory only those that are not zero."""
    return [
        {"name": name, "label": label, "tone": tone if one.count else "", **_figure(one)}
        for name, one, label, tone in headlines(found, may_act=may_act)
        if one.count or not found.empty
    ]


def _figure(one: Figure) -> dict[str, Any]:
    return {"count": bounded(one.count), "url": one.path}


def _needs(found: Overview, lines: list[rows.Line], *, may_act: bool) -> dict[str, Any]:
    """What this person may act on, each with its button."""
    if found.tabs is None:
        return {"show_needs": False}
    return {
        "show_needs": may_act,
        "needs_title": _("Needs you today"),
        "needs": lines[:MOST],
        "needs_url": found.tabs[Tab.YOU].path if found.tabs[Tab.YOU].count else "",
    }


def weeks(found: Overview) -> list[dict[str, Any]]:
    """The histogram; red within a week, amber within a month, and the longest bar fills the width."""
    most = max((one.figure.count for one in found.weeks), default=0) or 1
    return [
        {
            "from": f"{one.span.start:%Y-%m-%d}",
            "label": _span(one.span),
            "zero": not one.figure.count,
            "width": max(1, round(WIDEST * one.figure.count / most)),
            "tone": _tone(one, found.at),
            **_figure(one.figure),
        }
        for one in found.weeks
    ]


def _tone(week: Week, now: datetime) -> str:
    ahead = week.span.start - now
    return "bad" if ahead < timedelta(0) else "you" if ahead < WEEK * 4 else "good"


def _span(span: Span) -> str:
    first = date_format(span.start, _("j M"))
    if span.end is None:
        return _("later, from %(date)s") % {"date": date_format(span.start, _("j M Y"))}
    last = date_format(span.end - timedelta(days=1), _("j M"))
    return f"{first} – {last}"


def week_lines(found: Overview) -> list[dict[str, Any]]:
    lines = [
        ("issued", found.issued, _("Issued or renewed")),
        ("served", found.served, _("Deployed and seen from outside")),
    ]
    return [{"name": name, "label": label, **_figure(one)} for name, one, label in lines if one is not None]


def ca(found: Overview) -> dict[str, Any] | None:
    """How the CA answers, by what waits for it."""
    if found.at_ca is None:
        return None
    if found.ca_since is None:
        text = _("Nothing waits for it.")
    else:
        since = relative_text(found.ca_since, found.at)
        text = _("The first of them came %(time)s.") % {"time": since}
    late = found.ca_late
    return {
        "label": _("late") if late else _("answers"),
        "tone": "bad" if late else "good",
        "text": text,
        **_figure(found.at_ca),
    }
