"""One action on many certificates in the console: choose, see what would happen, do it, read the report."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import groups, people, projects
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations import paging
from certdesk.interfaces.operations.registry import call
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.bulk import queries
from certdesk.lifecycle.bulk.actions import BULK
from certdesk.lifecycle.bulk.models import BulkAction, BulkRow, State, Verdict
from certdesk.lifecycle.bulk.rules import NEEDS, Action
from certdesk.lifecycle.certificates import list_choices

from ..forms.common import choose, put
from . import listing
from .page import alert, back_to, page, tell
from .people import crumb

PAGE = 20
HOME = "certificates"
LABELS = {
    Action.TAG: gettext_lazy("Set a tag"),
    Action.UNTAG: gettext_lazy("Remove a tag"),
    Action.OWNER: gettext_lazy("Change the owner"),
    Action.PROJECT: gettext_lazy("Add to Project"),
    Action.NOTICES: gettext_lazy("Switch expiry notices"),
    Action.RENEWAL: gettext_lazy("Switch auto-renewal"),
    Action.DELETE: gettext_lazy("Delete"),
}
STATES = {
    State.LOOKING: (gettext_lazy("Looking at the certificates"), "wait"),
    State.READY: (gettext_lazy("Nothing was done yet"), "you"),
    State.RUNNING: (gettext_lazy("Under way"), "wait"),
    State.DONE: (gettext_lazy("Done"), "good"),
    State.CANCELED: (gettext_lazy("Canceled"), "end"),
    State.FAILED: (gettext_lazy("Stopped: who started it is gone"), "bad"),
}
VERDICTS = {
    Verdict.WILL: (gettext_lazy("will be changed"), "wait"),
    Verdict.SAME: (gettext_lazy("is so already"), "end"),
    Verdict.REFUSED: (gettext_lazy("refused"), "bad"),
    Verdict.DONE: (gettext_lazy("done"), "good"),
    Verdict.FAILED: (gettext_lazy("failed"), "bad"),
}
ON_OFF = (("true", gettext_lazy("On")), ("false", gettext_lazy("Off")))


class BulkForm(forms.Form):
    """The options of one action; the others are left out."""

    key = forms.CharField(label=gettext_lazy("Tag key"), max_length=128)
    value = forms.CharField(label=gettext_lazy("Tag value"), max_length=255, required=False)
    owner = forms.ChoiceField(label=gettext_lazy("Owner"), required=False)
    owner_group = forms.ChoiceField(label=gettext_lazy("Owning group"), required=False)
    project = forms.ChoiceField(label=gettext_lazy("Enterprise project"))
    on = forms.ChoiceField(label=gettext_lazy("Switch"), choices=ON_OFF, widget=forms.RadioSelect)

    KEEP = "-"
    """A group that stays as it is: an empty one means none."""

    def __init__(self, action: Action, principal: Principal, data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        needs = NEEDS[action]
        for name in [one for one in self.fields if one not in needs]:
            del self.fields[name]
        mates = [(one.id, one.name) for one in people.mates(principal)[:500]]
        teams = [(one.id, one.name) for one in groups.mates(principal)[:500]]
        own = [(one.id, one.name) for one in projects.listed(principal) if one.enabled]
        choose(self, "owner", [("", _("stays as it is")), *mates])
        self.initial["owner_group"] = self.KEEP  # else the form would take the group away unasked
        choose(self, "owner_group", [(self.KEEP, _("stays as it is")), ("", _("none")), *teams])
        choose(self, "project", own)

    def options(self) -> dict[str, Any]:
        given = dict(self.cleaned_data)
        if given.get("owner_group") == self.KEEP:
            del given["owner_group"]
        return {name: value for name, value in given.items() if value or name in ("value", "owner_group")}


def choices() -> list[tuple[str, str]]:
    """The actions, for the bar under the list."""
    return [(one.value, str(label)) for one, label in LABELS.items()]


@page(BULK, post=BULK)
def ask(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The options of the chosen action; sending them only looks at the certificates."""
    given = request.GET
    wanted = given.get("action", "")
    action = Action(wanted) if wanted in set(Action) else Action.TAG
    asked = listing.asked_of(request)
    ids, filters = given.getlist("id")[:1000], asked.kept()
    whole = given.get("whole") == "1"
    form = BulkForm(action, principal, request.POST if request.method == "POST" else None)
    if request.method == "POST" and (whole or ids) and form.is_valid():
        chosen = {"filters": filters} if whole else {"certificate_ids": ids}
        body = {"action": action.value, "options": form.options(), **chosen}
        try:
            _status, made = call("bulk.create", principal, body=body)
            assert isinstance(made, dict)  # noqa: S101 tells the type checker what the operation answers
            return back_to("bulk", made["id"])
        except CertdeskError as error:
            put(form, error)
    context = {
        "title": LABELS[action],
        "crumbs": [crumb(_("Certificates"), HOME)],
        "form": form,
        "count": len(ids),
        "whole": whole,
        "empty": not whole and not ids,
        "filters": listing.words(asked, principal, list_choices.of(principal)) if whole else "",
        "back": f"{reverse(HOME)}?{urlencode(filters)}" if filters else reverse(HOME),
        "danger": action is Action.DELETE,
        "renews": action is Action.RENEWAL,
    }
    return render(request, "console/bulk_ask.html", context, status=422 if form.errors else 200)


@page(BULK)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The latest bulk actions."""
    context = {
        "title": _("Bulk actions"),
        "crumbs": [crumb(_("Certificates"), HOME)],
        "lines": [
            {**_head(one), "told": _told(principal, one)} for one in queries.listed(principal, BULK)[:50]
        ],
    }
    return render(request, "console/bulk_list.html", context)


@page(BULK)
def shown(request: HttpRequest, principal: Principal, bulk_id: str) -> HttpResponse:
    """The preview, the progress, the report."""
    found = queries.fetch(principal, BULK, bulk_id)
    verdict, marker = request.GET.get("verdict", ""), request.GET.get("marker", "")
    known = verdict if verdict in set(Verdict) else ""
    rows = queries.rows(found, known)
    if marker:
        rows = rows.filter(id__gt=paging.number(marker))
    page_of = list(rows[: PAGE + 1])
    more: dict[str, str] = {"verdict": known} if known else {}
    following = {**more, "marker": str(page_of[-2].id)} if len(page_of) > PAGE else more
    context = {
        "title": str(LABELS[Action(found.action)]),
        "subtitle": _told(principal, found),
        "crumbs": [crumb(_("Certificates"), HOME), crumb(_("Bulk actions"), "bulk-list")],
        "bulk": found,
        "head": _head(found),
        "tabs": _tabs(found, known),
        "lines": [_line(one) for one in page_of[:PAGE]],
        "next_url": f"?{urlencode(following)}" if len(page_of) > PAGE else "",
        "previous_url": f"?{urlencode(more)}" if marker else "",
        "waiting": found.state in (State.LOOKING, State.RUNNING),
    }
    return render(request, "console/bulk.html", context)


def _head(found: BulkAction) -> dict[str, Any]:
    label, tone = STATES[State(found.state)]
    counts = queries.counts(found)
    over = counts.done + counts.failed
    return {
        "id": found.id,
        "label": LABELS[Action(found.action)],
        "state": found.state,
        "state_label": label,
        "tone": tone,
        "counts": counts,
        "over": over,
        "wanted": over + counts.will,
        "who": found.user_name,
        "at": found.created_at,
        "may_start": found.state == State.READY and counts.will > 0,
        "may_cancel": found.state in (State.LOOKING, State.READY, State.RUNNING),
    }


def _told(principal: Principal, found: BulkAction) -> str:
    """The options in words."""
    given = found.options
    if "key" in given:
        return f"{given['key']}={given['value']}" if given.get("value") else str(given["key"])
    if "project" in given:
        project = str(given["project"])
        return projects.titles(found.account_id, {project}).get(project, _("default"))
    if "on" in given:
        return _("On") if given["on"] == "true" else _("Off")
    wanted = {str(one) for one in given.values() if one}
    names = iam.names_of(principal.account_id, wanted, wanted)
    return " · ".join(names.get(one, one) for one in sorted(wanted))


def _tabs(found: BulkAction, verdict: str) -> list[listing.Choice]:
    counts = queries.counts(found)
    each = (counts.will, counts.same, counts.refused, counts.done, counts.failed)
    numbers = dict(zip(Verdict, each, strict=True))
    everything = listing.Choice(_("All"), reverse("bulk", args=[found.id]), not verdict, str(counts.total))
    return [
        everything,
        *(
            listing.Choice(str(VERDICTS[one][0]), f"?verdict={one.value}", verdict == one.value, str(number))
            for one, number in numbers.items()
            if number
        ),
    ]


def _line(one: BulkRow) -> dict[str, Any]:
    label, tone = VERDICTS[Verdict(one.verdict)]
    return {
        "name": one.name,
        "url": reverse("certificate", args=[one.certificate_id]),
        "domain": one.domain,
        "label": label,
        "tone": tone,
        "code": one.verdict,
        "before": _before(one.before),
        "why": say(one.why),
        "next_step": say(one.next_step),
    }


def _before(text: str) -> str:
    return {"on": _("On"), "off": _("Off"), "0": _("default")}.get(text, text)


@page(BULK)
def progress(request: HttpRequest, principal: Principal, bulk_id: str) -> HttpResponse:
    """Asked by the open page while it is under way; the whole page comes anew once it has moved on."""
    found = queries.fetch(principal, BULK, bulk_id)
    if found.state != request.GET.get("state"):
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    context = {"head": _head(found), "bulk": found, "waiting": True}
    return render(request, "console/_bulk_progress.html", context)


@page("", post=BULK)
def start(request: HttpRequest, principal: Principal, bulk_id: str) -> HttpResponse:
    return _done(request, principal, bulk_id, "bulk.start", _("Under way. This page shows how far it is."))


@page("", post=BULK)
def cancel(request: HttpRequest, principal: Principal, bulk_id: str) -> HttpResponse:
    return _done(request, principal, bulk_id, "bulk.cancel", _("Canceled. What was done stays done."))


def _done(
    request: HttpRequest, principal: Principal, bulk_id: str, operation: str, told: str
) -> HttpResponse:
    try:
        call(operation, principal, bulk_id=bulk_id)
        tell(request, told, operation)
    except CertdeskError as error:
        alert(request, error)
    return back_to("bulk", bulk_id)
