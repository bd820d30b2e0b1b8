"""Campaigns: what they would touch, how far they are, what came of each certificate."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from certdesk.foundation.common.errors import BadParameter, CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.iam.queries import is_operator, names_of
from certdesk.interfaces.operations import campaigns as operations
from certdesk.interfaces.operations import paging
from certdesk.interfaces.operations.registry import call
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.campaigns import actions, queries, rules, states
from certdesk.lifecycle.campaigns.models import Campaign, Item
from certdesk.lifecycle.campaigns.queries import GET, LIST
from certdesk.lifecycle.campaigns.rules import Action
from certdesk.lifecycle.campaigns.states import CampaignState, ItemState
from certdesk.lifecycle.issuers import queries as issuers
from certdesk.lifecycle.issuers import setting_up

from ..forms.campaigns import QUERY, CampaignForm
from ..forms.common import put
from ..templatetags.certdesk_ui import duration
from . import fragments
from .page import alert, back_to, page, tell

PAGE = 20
LIVE = (CampaignState.PREVIEWING, CampaignState.RUNNING)
STATES = {
    CampaignState.DRAFT: ("you", gettext_lazy("Draft")),
    CampaignState.PREVIEWING: ("wait", gettext_lazy("Looking up certificates")),
    CampaignState.READY: ("you", gettext_lazy("Ready to start")),
    CampaignState.RUNNING: ("wait", gettext_lazy("Running")),
    CampaignState.PAUSED: ("you", gettext_lazy("Paused")),
    CampaignState.DONE: ("good", gettext_lazy("Finished")),
    CampaignState.CANCELLED: ("end", gettext_lazy("Cancelled")),
}
ITEMS = {
    ItemState.WAITING: ("wait", gettext_lazy("Waiting")),
    ItemState.CANNOT: ("end", gettext_lazy("Left out")),
    ItemState.REPLACING: ("wait", gettext_lazy("Being replaced")),
    ItemState.DEPLOYING: ("wait", gettext_lazy("Being deployed")),
    ItemState.RENEWING: ("wait", gettext_lazy("Its ACME client is asked")),
    ItemState.REVOKING: ("wait", gettext_lazy("Being revoked")),
    ItemState.DONE: ("good", gettext_lazy("Done")),
    ItemState.FAILED: ("bad", gettext_lazy("Failed")),
    ItemState.LEFT: ("end", gettext_lazy("Left as it is")),
}
ACTIONS = {
    Action.DRILL: gettext_lazy("Rehearse"),
    Action.REVOKE: gettext_lazy("Revoke"),
    Action.REPLACE: gettext_lazy("Replace"),
    Action.REPLACE_AND_REVOKE: gettext_lazy("Replace, then revoke"),
}


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Newest first."""
    found = queries.listed(principal)
    marker = request.GET.get("marker", "")
    if marker:
        last = queries.fetch(principal, LIST, marker)
        found = found.filter(created_at__lte=last.created_at).exclude(
            created_at=last.created_at, id__gte=last.id
        )
    rows, more = paging.cut(found, PAGE)
    houses = _houses(principal)
    context = {
        "title": _("Campaigns"),
        "lines": [_line(one, told, houses) for one, told in zip(rows, operations.shapes(rows), strict=True)],
        "may_add": principal.may(actions.CREATE, queries.resource_of(principal.account_id)),
        "next_url": f"?{urlencode({'marker': rows[-1].id})}" if more else "",
        "previous_url": reverse("campaigns") if marker else "",
    }
    return render(request, "console/campaigns.html", context)


def _line(one: Campaign, told: dict[str, Any], houses: Mapping[str, str]) -> dict[str, Any]:
    tone, label = STATES[CampaignState(one.state)]
    return {
        "campaign": one,
        "url": reverse("campaign", args=[one.id]),
        "action": ACTIONS[Action(one.action)],
        "query": _query(one, houses),
        "tone": tone,
        "label": label,
        "done": told["counts"]["done"],
        "total": told["total"],
    }


def _query(one: Campaign, houses: Mapping[str, str]) -> str:
    """Which certificates, in words. `houses`: titles of issuers by slug."""
    words = {
        "issuer": _("issued by %(value)s"),
        "key": _("with the key %(value)s"),
        "name": _("for %(value)s and names under it"),
        "profile": _("under the profile %(value)s"),
    }
    told = {"issuer": lambda value: _house(value, houses), "key": lambda value: f"{value[:16]}…"}
    found = [
        words[part] % {"value": told.get(part, str)(value)} for part, value in one.query.items() if value
    ]
    if one.issuer:
        found.append(_("new issuer %(value)s") % {"value": _house(one.issuer, houses)})
    return ", ".join(found)


def _houses(principal: Principal) -> dict[str, str]:
    """Titles of the issuers that the user may know of, by slug."""
    return issuers.titles(every=is_operator(principal, setting_up.LIST))


def _house(issuer: str, houses: Mapping[str, str]) -> str:
    """`Built-in private CA: dv-p256`; one that was removed, or is not told, has but its short name."""
    slug, colon, authority = issuer.partition(":")
    title = say(houses.get(slug, slug))
    return f"{title}: {authority}" if colon else title


@page(actions.CREATE, post=actions.CREATE)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Makes a campaign and looks its certificates up, where the user may do that."""
    given = request.POST if request.method == "POST" else None
    form = CampaignForm(given, houses=_houses(principal), issuer=request.GET.get("issuer", ""))
    if request.method == "POST" and form.is_valid():
        try:
            _status, made = call("campaigns.create", principal, body=form.body())
        except BadParameter as error:
            _put(form, error)
        else:
            return _previewed(request, principal, str(made["id"]))  # type: ignore[call-overload, index]
    return _form(request, _("New campaign"), form, reverse("campaigns"))


@page(actions.UPDATE, post=actions.UPDATE)
def edit(request: HttpRequest, principal: Principal, campaign_id: str) -> HttpResponse:
    """All of one that was not started; of a started one the pace."""
    one = queries.fetch(principal, actions.UPDATE, campaign_id)
    given = request.POST if request.method == "POST" else None
    form = CampaignForm(given, houses=_houses(principal), campaign=one)
    back = reverse("campaign", args=[campaign_id])
    if request.method == "POST" and form.is_valid():
        try:
            call("campaigns.update", principal, id=campaign_id, body=form.body())
        except BadParameter as error:
            _put(form, error)
        else:
            if one.state in states.NEVER_STARTED:
                return _previewed(request, principal, campaign_id)
            tell(request, _("The pace was changed."), "campaign.changed")
            return back_to("campaign", campaign_id)
    return _form(request, _("Change the campaign"), form, back)


def _put(form: CampaignForm, error: BadParameter) -> None:
    """A refused query stands at its own fields."""
    named = bool(form.cleaned_data.get("name")) and error.message.startswith("This is no domain")
    put(
        form,
        error,
        {
            "issuer": f"{QUERY}issuer",
            "key": f"{QUERY}key",
            "profile": f"{QUERY}profile",
            "query": f"{QUERY}name",
            **({"name": f"{QUERY}name"} if named else {}),
        },
    )


def _form(request: HttpRequest, title: str, form: CampaignForm, back: str) -> HttpResponse:
    context = {"title": title, "form": form, "back": back, "crumbs": _crumbs()}
    return render(request, "console/campaign_form.html", context, status=422 if form.errors else 200)


def _crumbs(one: Campaign | None = None) -> list[dict[str, str]]:
    found = [{"label": _("Campaigns"), "url": reverse("campaigns")}]
    if one is not None:
        found.append({"label": one.name, "url": reverse("campaign", args=[one.id])})
    return found


def _previewed(request: HttpRequest, principal: Principal, campaign_id: str) -> HttpResponse:
    try:
        call("campaigns.preview", principal, id=campaign_id)
    except CertdeskError as error:
        alert(request, error)
    return back_to("campaign", campaign_id)


@page(GET)
def shown(request: HttpRequest, principal: Principal, campaign_id: str) -> HttpResponse:
    """One campaign: what happens next, how far it is, and each certificate with its outcome."""
    one = queries.fetch(principal, GET, campaign_id)
    told = operations.shape(one)
    state = request.GET.get("state", "")
    state = state if state in list(ItemState) else ""
    found = queries.items(one, state)
    marker = request.GET.get("marker", "")
    if marker:
        found = found.filter(id__gt=paging.number(marker))
    rows, more = paging.cut(found, PAGE)
    tone, label = STATES[CampaignState(one.state)]
    title, text, next_tone = _next(one, told)
    context = {
        "title": one.name,
        "subtitle": f"{ACTIONS[Action(one.action)]}: {_query(one, _houses(principal))}",
        "crumbs": _crumbs(),
        "campaign": one,
        "told": told,
        "percent": _percent(told),
        "tone": tone,
        "label": label,
        "next": {"title": title, "text": text, "tone": next_tone},
        "note": say(one.note),
        "replaces": rules.replaces(Action(one.action)),
        "live": one.state in LIVE or any(told["counts"][each.lower()] for each in states.UNDER_WAY),
        "seen": _signature(one, told),
        "tabs": _tabs(one, told, state),
        "lines": [_item(each) for each in _owned(principal, queries.seen(principal, rows))],
        "reasons": [(say(why), count) for why, count in queries.reasons(one)],
        "may": _may(principal, one),
        "next_url": f"?{urlencode({'state': state, 'marker': str(rows[-1].id)})}" if more else "",
        "previous_url": f"?{urlencode({'state': state})}" if marker else "",
    }
    return render(request, "console/campaign.html", context)


def _may(principal: Principal, one: Campaign) -> dict[str, bool]:
    rights = {
        "update": actions.UPDATE,
        "pace": actions.UPDATE,
        "preview": actions.PREVIEW,
        "start": actions.START,
        "pause": actions.PAUSE,
        "cancel": actions.CANCEL,
        "delete": actions.DELETE,
    }
    about = queries.resource_of(one.account_id, one.id)
    return {what: principal.may(rights[what], about) for what in states.offers(CampaignState(one.state))}


def _percent(told: dict[str, Any]) -> int:
    over = told["counts"]["done"] + told["counts"]["failed"]  # what a cancelled one left is not done
    return 100 * over // told["total"] if told["total"] else 0


def _next(one: Campaign, told: dict[str, Any]) -> tuple[str, str, str]:
    """What happens next: title, text, tone."""
    count, failed = told["total"], told["counts"]["failed"]
    takes = _("At this pace it takes %(time)s.") % {"time": duration(told["seconds_left"])}
    match CampaignState(one.state):
        case CampaignState.DRAFT:
            return _("Have its certificates looked up."), _("Nothing is changed by that."), "you"
        case CampaignState.PREVIEWING:
            return _("Its certificates are being looked up."), _("This page follows it."), "wait"
        case CampaignState.READY if not count:
            return _("There is nothing that it could do."), _("Look at the reasons, or change it."), "end"
        case CampaignState.READY:
            words = ngettext(
                "%(count)d certificate is on the list.", "%(count)d certificates are on the list.", count
            )
            return words % {"count": count}, f"{_('A start does what this list shows.')} {takes}", "you"
        case CampaignState.RUNNING:
            return _("The campaign is running."), takes, "wait"
        case CampaignState.PAUSED:
            return _("The campaign stands still."), _("What was begun comes to its end."), "you"
        case CampaignState.CANCELLED:
            return _("The campaign was cancelled."), _("What had not begun is left as it was."), "end"
    if one.action == Action.DRILL:
        done = _("Rehearsed: the real one would take %(time)s.") % {"time": duration(told["seconds_left"])}
        each = _("Measured: %(time)s ms of work for each certificate, without what a commit costs.")
        return done, each % {"time": f"{told['each_milliseconds']:.1f}"}, "good"
    if failed:
        words = ngettext("%(count)d certificate failed.", "%(count)d certificates failed.", failed)
        return words % {"count": failed}, _("Read why, then make a new campaign for what is left."), "bad"
    return _("All of them are done."), _("The report has the proof of each."), "good"


def _tabs(one: Campaign, told: dict[str, Any], state: str) -> list[dict[str, Any]]:
    every = sum(told["counts"].values())
    found = [{"label": _("All"), "url": "?", "count": every, "active": not state}]
    for each, (_tone, label) in ITEMS.items():
        count = told["counts"][each.lower()]
        if count or each == state:
            found.append({"label": label, "url": f"?state={each}", "count": count, "active": each == state})
    return found


def _owned(principal: Principal, found: list[Item]) -> list[tuple[Item, str]]:
    names = names_of(principal.account_id, {one.owner_id for one in found}, ())
    return [(one, names.get(one.owner_id, "")) for one in found]


def _item(owned: tuple[Item, str]) -> dict[str, Any]:
    one, owner = owned
    tone, label = ITEMS[ItemState(one.state)]
    return {
        "item": one,
        "owner": owner,
        "url": reverse("certificate", args=[one.certificate_id]),
        "tone": tone,
        "label": label,
        "why": say(one.why),
    }


def _signature(one: Campaign, told: dict[str, Any]) -> str:
    return f"{one.state}-{'-'.join(map(str, told['counts'].values()))}"


@page(GET)
def status(request: HttpRequest, principal: Principal, campaign_id: str) -> HttpResponse:
    """Asked by the open page while something moves."""
    one = queries.fetch(principal, GET, campaign_id)
    same = _signature(one, operations.shape(one)) == request.GET.get("seen")
    return fragments.unchanged() if same else fragments.reload()


@page(GET)
def report(request: HttpRequest, principal: Principal, campaign_id: str) -> StreamingHttpResponse:
    """The report as a CSV file."""
    file = operations.report_file(principal, campaign_id)
    answer = StreamingHttpResponse(file.pieces, content_type=file.content_type)
    answer["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return answer


@page(actions.START, post=actions.START)
def start(request: HttpRequest, principal: Principal, campaign_id: str) -> HttpResponse:
    """Asks first, where something is revoked: how many, and that nothing takes it back."""
    one = queries.fetch(principal, actions.START, campaign_id)
    if request.method == "POST":
        return _do(request, principal, campaign_id, "start", _("The campaign is running."))
    told = operations.shape(one)
    context = {
        "title": _("Start the campaign"),
        "crumbs": _crumbs(one),
        "campaign": one,
        "count": told["total"],
        "owners": len(queries.owners(one)),
        "clients": told["acme_clients"]["total"],
        "places": sum(queries.items(one, ItemState.WAITING).values_list("places", flat=True)),
        "drill": one.action == Action.DRILL,
        "replaces": rules.replaces(Action(one.action)),
        "revokes": one.action == Action.REPLACE_AND_REVOKE,
        "takes": duration(told["seconds_left"]),
        "back": reverse("campaign", args=[one.id]),
    }
    return render(request, "console/campaign_start.html", context)


@page("", post=actions.PREVIEW)
def preview(request: HttpRequest, principal: Principal, campaign_id: str) -> HttpResponse:
    return _previewed(request, principal, campaign_id)


@page("", post=actions.PAUSE)
def pause(request: HttpRequest, principal: Principal, campaign_id: str) -> HttpResponse:
    return _do(request, principal, campaign_id, "pause", _("The campaign stands still."))


@page("", post=actions.CANCEL)
def cancel(request: HttpRequest, principal: Principal, campaign_id: str) -> HttpResponse:
    return _do(request, principal, campaign_id, "cancel", _("The campaign was cancelled."))


@page("", post=actions.DELETE)
def delete(request: HttpRequest, principal: Principal, campaign_id: str) -> HttpResponse:
    try:
        call("campaigns.delete", principal, id=campaign_id)
    except CertdeskError as error:
        alert(request, error)
        return back_to("campaign", campaign_id)
    tell(request, _("The campaign was deleted."), "campaign.deleted")
    return back_to("campaigns")


def _do(request: HttpRequest, principal: Principal, campaign_id: str, verb: str, told: str) -> HttpResponse:
    try:
        call(f"campaigns.{verb}", principal, id=campaign_id)
    except CertdeskError as error:
        alert(request, error)
    else:
        tell(request, told, f"campaign.{verb}")
    return back_to("campaign", campaign_id)
