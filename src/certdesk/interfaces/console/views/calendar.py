"""The calendar of renewals: by month, who does it, what stands in the way."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates.rows import LIST
from certdesk.lifecycle.renewal import calendar
from certdesk.lifecycle.renewal.calendar import By, Entry

from .cards.renewal import action_text
from .page import page


@dataclass(frozen=True, slots=True)
class Line:
    id: str
    name: str
    domain: str
    ends: datetime | None
    at: datetime
    who: str
    what: str
    tone: str
    blockers: tuple[str, ...]


@page(LIST)
def shown(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Everything in force that the reader may see, what ends first before the rest."""
    by = request.GET.get("by", "")
    found = calendar.page(principal, clock.now(), by=by, marker=request.GET.get("marker", ""), limit=50)
    months = [(name, [_line(one) for one in group]) for name, group in groupby(found.items, _month)]
    more = urlencode({"by": by, "marker": found.next_marker}) if found.next_marker else ""
    context = {
        "title": _("Calendar"),
        "months": months,
        "tabs": _tabs(by),
        "more": f"{reverse('calendar')}?{more}" if more else "",
    }
    return render(request, "console/calendar.html", context)


def _month(one: Entry) -> str:
    return date_format(one.row.not_after or one.at, _("F Y"))


def _tabs(by: str) -> list[dict[str, object]]:
    words = {
        "": _("All"),
        By.MACHINE.value: _("By the machine"),
        By.CLIENT.value: _("By ACME clients"),
        By.PERSON.value: _("By people"),
    }
    url = reverse("calendar")
    return [
        {"label": label, "url": f"{url}?by={one}" if one else url, "active": one == by}
        for one, label in words.items()
    ]


def _line(one: Entry) -> Line:
    who, what = _who(one)
    return Line(
        one.row.id,
        one.row.name,
        one.row.domain,
        one.row.not_after,
        one.at,
        who,
        what,
        "you" if one.by is By.PERSON or one.blockers else "good",
        tuple(f"{say(each.sentence)} {say(each.next_step)}" for each in one.blockers),
    )


def _who(one: Entry) -> tuple[str, str]:
    if one.by is By.MACHINE:
        return _("The machine"), action_text(one.action)
    if one.by is By.CLIENT:
        return _("Its ACME client"), _("orders the next one")
    return _("You"), _person(one.action)


def _person(action: str) -> str:
    return _("renew it by hand") if action else _("buy or upload another one")
