"""Requests that need a second person: mine to decide, what I asked for, what is over; and the rules."""

import json
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.approvals import changing, queries, registry, rules
from certdesk.foundation.approvals.models import OPEN, Request, State
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.approvals import SHOW_RULES, why_not
from certdesk.interfaces.operations.registry import call
from certdesk.interfaces.words.say import say

from ..forms.approvals import DecideForm, RulesForm
from ..forms.common import put
from . import approval_parts as parts
from .page import OWN, alert, back_to, page, tell

PAGE = 30
HASH = 12  # characters of the hash that people compare; the whole one is copied


@page(OWN)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Newest first, under three tabs."""
    wanted = request.GET.get("show", "")
    wanted = wanted if wanted in ("mine", "over") else "decide"
    found = _older(_under(principal, wanted), request.GET.get("before", ""))
    rows = list(found[: PAGE + 1])
    more = urlencode({"show": wanted, "before": rows[PAGE - 1].id}) if len(rows) > PAGE else ""
    context = {
        "title": _("Approvals"),
        "lines": [_line(principal, one, wanted) for one in rows[:PAGE]],
        "tabs": [
            _tab(_("For you to decide"), "decide", wanted, queries.waiting_count(principal)),
            _tab(_("Asked by you"), "mine", wanted),
            _tab(_("Over"), "over", wanted),
        ],
        "wanted": wanted,
        "any_rule": bool(queries.rules_of(principal.account_id)),
        "rules_url": reverse("approval-rules") if principal.may(SHOW_RULES) else "",
        "next_url": f"?{more}" if more else "",
        "previous_url": f"?show={wanted}" if request.GET.get("before") else "",
    }
    return render(request, "console/approvals.html", context)


def _tab(text: str, name: str, wanted: str, count: int = 0) -> dict[str, Any]:
    return {"label": text, "url": f"?show={name}", "active": name == wanted, "count": count}


def _under(principal: Principal, wanted: str) -> "QuerySet[Request]":
    if wanted == "decide":
        return queries.waiting_for(principal)
    found = queries.visible(principal)
    return found.filter(requester_id=principal.user_id) if wanted == "mine" else found.exclude(state__in=OPEN)


def _older(found: "QuerySet[Request]", before: str) -> "QuerySet[Request]":
    last = found.filter(id=before).first() if before else None
    if last is None:
        return found
    return found.filter(created_at__lt=last.created_at) | found.filter(
        created_at=last.created_at, id__lt=last.id
    )


def _line(principal: Principal, one: Request, wanted: str) -> dict[str, Any]:
    mine = wanted == "decide" and not why_not(principal, one)
    return {
        "request": one,
        "url": reverse("approval", args=[one.id]),
        "summary": say(one.summary),
        "label": parts.label(one.state),
        "tone": "you" if mine else parts.TONES.get(State(one.state), "end"),
        "mine": mine,
        "until": one.fetch_until if one.state == State.READY else one.expires_at,
        "open": one.state in OPEN,
    }


@page(OWN, post=OWN)
def shown(request: HttpRequest, principal: Principal, request_id: str) -> HttpResponse:
    """What exactly will happen, who asked, until when; approve or reject with a reason."""
    found = queries.fetch(principal, request_id)
    form = DecideForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            return _decide(request, principal, found, form.cleaned_data["reason"])
        except CertdeskError as error:
            put(form, error)
            found.refresh_from_db()
    context = _context(principal, found) | {"form": form}
    return render(request, "console/approval.html", context, status=422 if form.errors else 200)


def _decide(request: HttpRequest, principal: Principal, found: Request, reason: str) -> HttpResponse:
    wanted = request.POST.get("decision", "")
    body = {"decision": wanted, "reason": reason}
    call("approvals.decide", principal, body=body, id=found.id)
    if wanted == "reject":
        tell(
            request,
            _("The request is rejected; the person who asked reads your reason."),
            "approval.rejected",
        )
    else:
        tell(request, _("Your approval is recorded."), "approval.approved")
    return back_to("approval", found.id)


@page("", post=OWN)
def cancel(request: HttpRequest, principal: Principal, request_id: str) -> HttpResponse:
    try:
        call("approvals.cancel", principal, id=request_id)
        tell(request, _("The request is taken back; nothing is done."), "approval.cancelled")
    except CertdeskError as error:
        alert(request, error)
    return back_to("approval", request_id)


def _context(principal: Principal, found: Request) -> dict[str, Any]:
    decisions = list(found.decisions.order_by("id"))
    reason = why_not(principal, found)
    may_decide = found.state == State.PENDING and not reason
    mine = found.requester_id == principal.user_id
    body = found.payload.get("body") or {}
    return {
        "title": parts.heading(found.kind),
        "crumbs": [{"label": _("Approvals"), "url": reverse("approvals")}],
        "held": found,
        "summary": say(found.summary),
        "label": parts.label(found.state),
        "tone": "you"
        if found.state == State.PENDING and not reason
        else parts.TONES.get(State(found.state), "end"),
        "next": parts.next_(found, reason, mine, decisions),
        "facts": parts.facts(principal, found, decisions),
        "short_hash": found.request_hash[:HASH],
        "document": json.dumps(body["policy"], indent=2, ensure_ascii=False) if body.get("policy") else "",
        "changes": parts.rule_lines(body.get("items")) if found.kind == "approval_rules" else [],
        "decisions": decisions,
        "may_decide": may_decide,
        "may_cancel": mine and found.state in (State.PENDING, State.READY),
        "fetch": parts.fetch(found) if mine and found.state == State.READY else {},
    }


@page(SHOW_RULES, post=changing.SET, fresh=True)
def rules_page(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Which operations need other people, how many, and for how long a request can be decided."""
    held = {one.operation: one for one in queries.rules_of(principal.account_id)}
    titles = {kind: say(covers) for kind, covers in registry.kinds.items()}
    form = RulesForm(titles, held, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            call("approvals.set_rules", principal, body={"items": form.items()})
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("The rules are saved."), "approval.rules")
            return back_to("approval-rules")
    context = {
        "title": _("Rules for approvals"),
        "crumbs": [{"label": _("Approvals"), "url": reverse("approvals")}],
        "form": form,
        "may_edit": principal.may(changing.SET),
        "deciders": [one.name for one in queries.deciders(principal.account_id)][:20],
        "most_hours": rules.MOST_HOURS,
    }
    return render(request, "console/approval_rules.html", context, status=422 if form.errors else 200)
