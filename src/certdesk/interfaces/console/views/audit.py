"""The audit log: who did what, to which thing, from where; and an export that proves itself."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.audit import queries, reading, verify_database
from certdesk.foundation.audit.filters import Filters
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, NotFound
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations import audit as operations
from certdesk.interfaces.operations.audit import LIST, AuditFilters, filters_of

from ..forms.audit import AuditFilterForm
from ..forms.common import put
from . import audit_words
from .cards.facts import Fact
from .cards.history import TONES
from .page import page

PAGE = 30
LINKS: Mapping[str, tuple[str, str]] = {
    "cert": ("certificate", "scm:cert:get"),
    "order": ("order", "bss:order:view"),
    "csr": ("csr", "scm:csr:list"),
    "domain": ("domain", "scm:domain:list"),
    "dnsConnection": ("dns-connection", "scm:dnsConnection:list"),
    "channel": ("channel", "scm:notification:get"),
    "user": ("iam-user", "iam:users:list"),
    "group": ("iam-group", "iam:groups:list"),
    "policy": ("iam-policy", "iam:roles:list"),
}
"""Kind of a resource -> its page and the right that it needs."""


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Newest first; narrowed by person, chapter, resource, time and outcome."""
    operations.require(principal)
    form, filters = _filters(request.GET)
    found = reading.page(principal.account_id, filters, PAGE, _place(request.GET.get("marker", "")))
    given = {name: value for name, value in form.cleaned_data.items() if value}
    newer = request.GET.get("marker", "")
    keys = verify_database.public_keys()
    context = {
        "title": _("Audit log"),
        "lines": [_line(one, principal) for one in found.events],
        "tabs": _tabs(given),
        "form": form,
        "given": given,
        "filtered": filters.is_set,
        "narrowed": bool(given.keys() - {"outcome"}),
        "sealed": queries.end(principal.account_id),
        "key": keys[-1] if keys else "",
        "command": f"certdesk audit verify FILE --key {keys[-1]}" if keys else "",
        "looked_until": clock.from_micros(found.next.at) if found.next and len(found.events) < PAGE else None,
        "next_url": f"?{urlencode(given | {'marker': operations.marker(found.next)})}" if found.next else "",
        "previous_url": f"{reverse('audit')}?{urlencode(given)}" if newer else "",
    }
    return render(request, "console/audit.html", context, status=422 if form.errors else 200)


def _place(marker: str) -> reading.Place | None:
    try:
        return operations.place(marker)
    except CertdeskError:
        return None  # an old or mistyped address shows the newest


def _filters(data: Mapping[str, Any]) -> tuple[AuditFilterForm, Filters]:
    """What is asked for; a filter that cannot be read is told at its field and left out."""
    form = AuditFilterForm(data)
    form.is_valid()
    while True:
        given = form.cleaned_data
        try:
            query = AuditFilters(
                **{name: given.get(name, "") for name in ("since", "until", "actor", "resource")}
            )
            found = filters_of(query)
        except CertdeskError as error:
            put(form, error, {"from": "since", "to": "until"})
            continue
        chosen = audit_words.chapters().get(given.get("what", ""), ("", ()))[1]
        refused = audit_words.REFUSED if given.get("outcome") == "refused" else ()
        return form, Filters(
            found.since, found.until, found.actor, "", found.resource, chosen, events=refused
        )


def _tabs(given: dict[str, str]) -> list[dict[str, Any]]:
    kept = {name: one for name, one in given.items() if name != "outcome"}
    is_refused = given.get("outcome") == "refused"
    return [
        {"label": _("All"), "url": f"{reverse('audit')}?{urlencode(kept)}", "active": not is_refused},
        {
            "label": _("Refused or failed"),
            "url": f"?{urlencode(kept | {'outcome': 'refused'})}",
            "active": is_refused,
        },
    ]


def _line(event: dict[str, Any], principal: Principal) -> dict[str, Any]:
    action = event["action"]
    return {
        "url": reverse("audit-event", args=[event["id"]]),
        "at": clock.from_micros(event["at"]),
        "what": audit_words.words(action),
        "action": action,
        "tone": "bad" if action in audit_words.REFUSED else TONES.get(action, "end"),
        "who": who(event),
        "door": audit_words.doors().get(event["via"], event["via"]),
        "source": event["source"],
        "resource": event["resource"].partition(":")[2] or event["resource"],
        "kind": audit_words.kind(event["resource"].partition(":")[0]),
        "resource_url": resource_url(event["resource"], principal),
    }


def who(event: Mapping[str, Any]) -> str:
    """A person by name, the host's operator, or the service."""
    kind, _colon, name = event["actor"].partition(":")
    if kind == "user":
        return str(event["actor_name"] or name)
    if kind == "link":
        return _("the bearer of a mailed link")
    return _("the operator on the host") if kind == "host" or event["via"] == "cli" else _("the service")


def resource_url(resource: str, principal: Principal) -> str:
    """Its page, where there is one that the reader may see."""
    kind, _colon, name = resource.partition(":")
    if kind not in LINKS or not name:
        return ""
    view, action = LINKS[kind]
    return reverse(view, args=[name]) if principal.may(action) else ""


@page(LIST)
def shown(request: HttpRequest, principal: Principal, event_id: int) -> HttpResponse:
    """Everything that is known of one event."""
    operations.require(principal)
    found = reading.event(principal.account_id, event_id)
    if found is None:
        raise NotFound(_("There is no such event."), next_step=_("Look for it in the audit log."))
    line = _line(found, principal)
    details = orjson.loads(found["details"])
    context = {
        "title": line["what"],
        "crumbs": [{"label": _("Audit log"), "url": reverse("audit")}],
        "line": line,
        "facts": _facts(found, line, str(details.get("agency", ""))),
        "details": [
            (name, value if isinstance(value, str) else orjson.dumps(value).decode())
            for name, value in details.items()
        ],
        "sealing": [
            Fact(_("Place in the chain"), found["sequence"] or _("waits for the sealer"), mono=True),
            Fact(_("SHA-256 with the row before"), found["digest"], mono=True),
        ],
    }
    return render(request, "console/audit_event.html", context)


def _facts(event: Mapping[str, Any], line: Mapping[str, Any], agency: str) -> list[Fact]:
    other = {"resource": line["resource"]} if line["resource"] else {}
    return [
        Fact(_("When"), line["at"].strftime("%Y-%m-%d %H:%M:%S.%f UTC")),
        Fact(_("Who"), line["who"]),
        Fact(_("Actor"), event["actor"], mono=True),
        Fact(_("Assumed role"), agency),
        Fact(_("By way of"), line["door"]),
        Fact(_("Access key"), event["key_id"], mono=True),
        Fact(_("Session"), _("of the console") if event["via"] == "console" else ""),
        Fact(_("Source address"), event["source"], mono=True),
        Fact(_("Request ID"), event["request_id"], mono=True),
        Fact(_("Action"), event["action"], mono=True),
        Fact(_("Resource"), event["resource"], line["resource_url"], mono=True),
        Fact(_("History"), _("all events of it") if other else "", f"{reverse('audit')}?{urlencode(other)}"),
    ]


@page("", post=LIST)
def export(request: HttpRequest, principal: Principal) -> StreamingHttpResponse:
    """What the filters let through, as a file that proves itself; by POST, as it leaves a trace."""
    _form, filters = _filters(request.POST)
    file = operations.exported(principal, filters)
    response = StreamingHttpResponse(file.pieces, content_type=file.content_type)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
    return response
