"""Discovery: what is served where, what is wrong with it, the scans that find it, and adopting it."""

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations import paging
from certdesk.interfaces.operations.registry import call
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.discovery import adopting, queries, rules, scans
from certdesk.lifecycle.discovery.models import Endpoint, Repeat, Scan, ScanState
from certdesk.lifecycle.discovery.queries import GET, LIST
from certdesk.lifecycle.discovery.rules import Verdict

from ..forms.common import put
from ..forms.discovery import REPEATS, AdoptForm, ScanForm
from . import fragments
from .page import alert, back_to, page, tell

PAGE = 20
VERDICTS = {
    Verdict.UNKNOWN: ("you", gettext_lazy("Unknown")),
    Verdict.EXPIRING: ("you", gettext_lazy("Expires soon")),
    Verdict.MISMATCHED: ("bad", gettext_lazy("Wrong name")),
    Verdict.EXPIRED: ("bad", gettext_lazy("Expired")),
    Verdict.REVOKED: ("bad", gettext_lazy("Revoked, still served")),
    Verdict.OLD: ("you", gettext_lazy("Older version")),
    Verdict.SELF_SIGNED: ("you", gettext_lazy("Signed by itself")),
    Verdict.CHAIN: ("bad", gettext_lazy("Chain incomplete")),
    Verdict.GOOD: ("good", gettext_lazy("In order")),
    Verdict.GONE: ("end", gettext_lazy("Gone")),
}
ALWAYS = (Verdict.UNKNOWN, Verdict.EXPIRING, Verdict.MISMATCHED)
STATES = {
    ScanState.IDLE: ("you", gettext_lazy("Not run yet")),
    ScanState.RUNNING: ("wait", gettext_lazy("Running")),
    ScanState.DONE: ("good", gettext_lazy("Finished")),
    ScanState.CANCELED: ("end", gettext_lazy("Stopped")),
    ScanState.FAILED: ("bad", gettext_lazy("Failed")),
}
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """What is served, what ends first first."""
    now, given = clock.now(), request.GET
    verdict = given.get("verdict", "") if given.get("verdict") in set(Verdict) else ""
    text, marker = given.get("search", "")[:255], given.get("marker", "")
    found = queries.endpoints(principal, now, verdict=verdict, scan_id=given.get("scan", "")[:32], text=text)
    if marker:
        found = queries.after(found, marker)
    rows, more = paging.cut(found, PAGE)
    kept = {name: value for name in ("verdict", "search", "scan") if (value := given.get(name, ""))}
    counts = queries.counts(principal, now)
    context = {
        "title": _("Discovery"),
        "subtitle": _("What is served where, as last seen"),
        "tabs": _tabs(counts, verdict),
        "any": any(counts.values()),
        "scans": queries.listed(principal).exists(),
        "text": text,
        "verdict": verdict,
        "lines": [_line(principal, one) for one in queries.brought_up_to_date(rows)],
        "may_add": principal.may(scans.CREATE, queries.resource_of(principal.account_id)),
        "next_url": f"?{urlencode({**kept, 'marker': queries.marker_of(rows[-1])})}" if more else "",
        "previous_url": f"?{urlencode(kept)}" if marker else "",
    }
    return render(request, "console/discovery.html", context)


def _tabs(counts: dict[str, int], verdict: str) -> list[dict[str, Any]]:
    tabs = [{"label": _("All"), "url": reverse("discovery"), "count": counts[""], "active": not verdict}]
    for one, (_tone, label) in VERDICTS.items():
        count = counts[one.value]
        if count or one in ALWAYS or one == verdict:
            tabs.append(
                {"label": label, "url": f"?verdict={one.value}", "count": count, "active": one == verdict}
            )
    return tabs


def _line(principal: Principal, one: Endpoint) -> dict[str, Any]:
    told = rules.verdicts(queries.facts_of(one), clock.now())
    named = one.name or (one.host if one.host != one.address else "")
    may = principal.may(adopting.ADOPT, queries.resource_of(one.account_id, one.scan_id))
    return {
        "endpoint": one,
        "named": named,
        "place": _place(one),
        "badges": [{"tone": VERDICTS[each][0], "label": VERDICTS[each][1], "code": each} for each in told],
        "why": say(one.reason) if one.gone or one.reason else say(one.chain_problem),
        "url": reverse("certificate", args=[one.certificate_id]) if one.certificate_id else "",
        "adopt": may and not one.gone and not one.certificate_id,
        "successor": reverse("certificate", args=[one.successor_id]) if one.successor_id else "",
    }


def _place(one: Endpoint) -> str:
    return f"[{one.address}]:{one.port}" if ":" in one.address else f"{one.address}:{one.port}"


def _crumbs(scan: Scan | None = None, *, lists: bool = True) -> list[dict[str, str]]:
    found = [{"label": _("Discovery"), "url": reverse("discovery")}]
    if lists:
        found.append({"label": _("Scans"), "url": reverse("scans")})
    if scan is not None:
        found.append({"label": scan.name, "url": reverse("scan", args=[scan.id])})
    return found


@page(LIST)
def scan_list(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Newest first."""
    found, marker = queries.listed(principal), request.GET.get("marker", "")
    if marker:
        found = queries.behind(found, queries.fetch(principal, LIST, marker))
    rows, more = paging.cut(found, PAGE)
    context = {
        "title": _("Scans"),
        "crumbs": _crumbs(lists=False),
        "lines": [_scan(one) for one in rows],
        "may_add": principal.may(scans.CREATE, queries.resource_of(principal.account_id)),
        "next_url": f"?{urlencode({'marker': rows[-1].id})}" if more else "",
        "previous_url": reverse("scans") if marker else "",
    }
    return render(request, "console/scans.html", context)


def _scan(one: Scan) -> dict[str, Any]:
    tone, label = STATES[ScanState(one.state)]
    more = len(one.ranges) - 3
    where = [*one.ranges[:3], *([_("and %(count)d more") % {"count": more}] if more > 0 else [])]
    return {
        "scan": one,
        "url": reverse("scan", args=[one.id]),
        "where": ", ".join([*where, *([_("connected targets")] if one.targets else [])]),
        "tone": tone,
        "label": label,
        "repeat": dict(REPEATS)[Repeat(one.repeat).value],
        "percent": 100 * one.marker // one.total if one.total else 0,
    }


@page(scans.CREATE, post=scans.CREATE)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Makes a scan and begins it, where the user may do that."""
    form = ScanForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _status, made = call("scans.create", principal, body=form.body())
        except CertdeskError as error:
            put(form, error)
        else:
            return _do(request, principal, str(made["id"]), "run", _("The scan is running."))  # type: ignore[call-overload, index]
    return _form(request, _("New scan"), form, reverse("scans"), _crumbs())


@page(scans.UPDATE, post=scans.UPDATE)
def edit(request: HttpRequest, principal: Principal, scan_id: str) -> HttpResponse:
    one = queries.fetch(principal, scans.UPDATE, scan_id)
    form = ScanForm(request.POST if request.method == "POST" else None, scan=one)
    if request.method == "POST" and form.is_valid():
        try:
            call("scans.update", principal, id=scan_id, body=form.body())
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("The scan was changed."), "scan.changed")
            return back_to("scan", scan_id)
    return _form(request, _("Change the scan"), form, reverse("scan", args=[scan_id]), _crumbs(one))


def _form(
    request: HttpRequest, title: str, form: ScanForm, back: str, crumbs: list[dict[str, str]]
) -> HttpResponse:
    new = back == reverse("scans")
    context = {"title": title, "form": form, "back": back, "crumbs": crumbs, "new": new}
    return render(request, "console/scan_form.html", context, status=422 if form.errors else 200)


@page(GET)
def shown(request: HttpRequest, principal: Principal, scan_id: str) -> HttpResponse:
    """One scan: how far it is, what it looks at, what to do next."""
    one = queries.fetch(principal, GET, scan_id)
    running = one.state == ScanState.RUNNING
    about = queries.resource_of(one.account_id, one.id)
    context = {
        "title": one.name,
        "crumbs": _crumbs(),
        "line": _scan(one),
        "scan": one,
        "note": say(one.note),
        "running": running,
        "may": {
            "run": not running and principal.may(scans.RUN, about),
            "cancel": running and principal.may(scans.RUN, about),
            "edit": not running and principal.may(scans.UPDATE, about),
            "delete": not running and principal.may(scans.DELETE, about),
        },
        "found_url": f"{reverse('discovery')}?{urlencode({'scan': one.id})}",
        "seen": _signature(one),
    }
    return render(request, "console/scan.html", context)


def _signature(one: Scan) -> str:
    return f"{one.state}-{one.run}-{one.marker}"


@page(GET)
def status(request: HttpRequest, principal: Principal, scan_id: str) -> HttpResponse:
    """Asked by the open page while the scan runs."""
    one = queries.fetch(principal, GET, scan_id)
    return fragments.unchanged() if _signature(one) == request.GET.get("seen") else fragments.reload()


@page("", post=scans.RUN)
def run(request: HttpRequest, principal: Principal, scan_id: str) -> HttpResponse:
    return _do(request, principal, scan_id, "run", _("The scan is running."))


@page("", post=scans.RUN)
def cancel(request: HttpRequest, principal: Principal, scan_id: str) -> HttpResponse:
    return _do(request, principal, scan_id, "cancel", _("The scan was stopped. What it found stays."))


@page(scans.DELETE, post=scans.DELETE)
def delete(request: HttpRequest, principal: Principal, scan_id: str) -> HttpResponse:
    """Asks first: what it found goes with it."""
    one = queries.fetch(principal, scans.DELETE, scan_id)
    if request.method == "POST":
        try:
            call("scans.delete", principal, id=scan_id)
        except CertdeskError as error:
            alert(request, error)
            return back_to("scan", scan_id)
        tell(request, _("The scan was deleted."), "scan.deleted")
        return back_to("scans")
    context = {
        "title": _("Delete the scan"),
        "crumbs": _crumbs(one),
        "scan": one,
        "back": reverse("scan", args=[one.id]),
    }
    return render(request, "console/scan_delete.html", context)


def _do(request: HttpRequest, principal: Principal, scan_id: str, verb: str, told: str) -> HttpResponse:
    try:
        call(f"scans.{verb}", principal, id=scan_id)
    except CertdeskError as error:
        alert(request, error)
    else:
        tell(request, told, f"scan.{verb}")
    return back_to("scan", scan_id)


@page(adopting.ADOPT, post=adopting.ADOPT)
def adopt(request: HttpRequest, principal: Principal, endpoint_id: str) -> HttpResponse:
    """Watch what was found, or replace it."""
    one = queries.fetch_endpoint(principal, adopting.ADOPT, endpoint_id)
    named = one.name or next(iter(one.names), one.host)
    bought = adopting.open_to_apply(principal)
    form = AdoptForm(
        request.POST if request.method == "POST" else None,
        name=_NOT_IN_NAME.sub("-", named.replace("*", "any"))[:63],
        certificates=bought,
    )
    if request.method == "POST" and form.is_valid():
        try:
            _status, made = call("endpoints.adopt", principal, id=endpoint_id, body=form.body())
        except CertdeskError as error:
            put(form, error)
        else:
            return _adopted(request, str(made["certificate_id"]), form.cleaned_data["mode"])  # type: ignore[call-overload, index]
    context = {
        "title": _("Adopt %(name)s") % {"name": named},
        "crumbs": _crumbs(lists=False),
        "form": form,
        "line": _line(principal, one),
        "endpoint": one,
        "bought": bought,
        "buy_url": f"{reverse('buy')}?{urlencode(_kind(one))}",
        "back": reverse("discovery"),
    }
    return render(request, "console/adopt.html", context, status=422 if form.errors else 200)


def _kind(one: Endpoint) -> dict[str, str]:
    """What a certificate for these names has to be, for the purchase page."""
    names = one.names or [one.name]
    if len(names) > 1:
        wildcards = sum(name.startswith("*.") for name in names[1:])
        first = "WILDCARD_DOMAIN" if names[0].startswith("*.") else "SINGLE_DOMAIN"
        numbers = {"domain_numbers": str(len(names)), "wildcard_domain_number": str(wildcards)}
        return {"domain_type": "MULTI_DOMAIN", "primary_domain_type": first, **numbers}
    return {"domain_type": "WILDCARD" if names[0].startswith("*.") else "SINGLE_DOMAIN"}


def _adopted(request: HttpRequest, certificate_id: str, mode: str) -> HttpResponse:
    if mode == adopting.UPLOAD:
        tell(request, _("It is hosted and watched now."), "endpoint.watched")
        return back_to("certificate", certificate_id)
    tell(request, _("The application has its names. Complete it and submit it."), "endpoint.replaced")
    return back_to("apply", certificate_id)
