"""Zones of a connection (§3.2.2 step 3): record sets, add, modify, delete with confirmation."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.connectors.dns.providers.protocol import RecordSet
from certdesk.connectors.dns.providers.values import WRITABLE
from certdesk.foundation.common.errors import CertdeskError, NotFound
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.interfaces.words.say import both
from certdesk.lifecycle.validation import connections, zones
from certdesk.lifecycle.validation.models import DnsConnection
from certdesk.lifecycle.validation.zones import CREATE, DELETE, LIST, UPDATE

from ..forms.common import put
from ..forms.dns import RecordSetForm
from .dns import zone_url
from .page import alert, code_of, page, tell


def _connection(request: HttpRequest, principal: Principal, zone: str) -> DnsConnection:
    """The one named, or the oldest that has told the zone."""
    named = request.GET.get("connection", "")
    if named:
        return connections.fetch(principal, zones.LIST_ZONES, named)
    for one in connections.listed(principal):
        if zone in one.zones:
            return one
    raise NotFound(_("No connection of the account has this zone."), next_step=_("Connect its DNS provider."))


@page(LIST)
def shown(request: HttpRequest, principal: Principal, zone: str) -> HttpResponse:
    """The record sets as the provider has them now, a page at a time."""
    connection = _connection(request, principal, zone)
    resource = Resource("recordset", zone, connection.account_id)
    marker, problem, lines, following = request.GET.get("marker", ""), None, [], ""
    try:
        found = zones.record_sets(principal, connection.id, zone, marker)
        needed = zones.needed_names(connection.account_id)
        lines = [_line(one, zone, connection, needed) for one in found.items]
        following = found.next_marker or ""
    except CertdeskError as error:
        problem = error
    base = zone_url(zone, connection.id)
    context = {
        "title": zone,
        "title_is_domain": True,
        "crumbs": _crumbs(connection),
        "connection": connection,
        "lines": lines,
        "problem": both(problem) if problem else "",
        "problem_code": code_of(problem) if problem else "",
        "next_url": f"{base}&{urlencode({'marker': following})}" if following else "",
        "previous_url": base if marker else "",
        "may_add": principal.may(CREATE, resource),
        "may_modify": principal.may(UPDATE, resource),
        "may_delete": principal.may(DELETE, resource),
        "add_url": _url("zone-add", zone, connection),
        "is_first": not marker,
        "test_url": reverse("dns-connection", args=[connection.id]),
    }
    return render(request, "console/zone.html", context)


def _crumbs(connection: DnsConnection, zone: str = "") -> list[dict[str, str]]:
    found = [
        {"label": _("DNS"), "url": reverse("dns")},
        {"label": connection.label, "url": reverse("dns-connection", args=[connection.id])},
    ]
    if zone:
        found.append({"label": zone, "url": zone_url(zone, connection.id)})
    return found


def _url(view: str, zone: str, connection: DnsConnection, /, **more: str) -> str:
    return f"{reverse(view, args=[zone])}?{urlencode({'connection': connection.id, **more})}"


def _line(one: RecordSet, zone: str, connection: DnsConnection, needed: frozenset[str]) -> dict[str, object]:
    name, about = one.name.rstrip("."), {"name": one.name, "type": one.type}
    writable = one.type in WRITABLE and not (one.type in ("NS", "CNAME") and name == zone)
    return {
        "name": name,
        "type": one.type,
        "ttl": one.ttl,
        "values": one.values[:5],
        "more": max(0, len(one.values) - 5),
        "needed": name in needed and one.type in ("TXT", "CNAME"),
        "modify_url": _url("zone-modify", zone, connection, **about) if writable else "",
        "delete_url": _url("zone-delete", zone, connection, **about) if writable else "",
    }


@page(CREATE, post=CREATE)
def add(request: HttpRequest, principal: Principal, zone: str) -> HttpResponse:
    connection = _connection(request, principal, zone)
    posted = request.method == "POST"
    initial = {"ttl": 300, "name": request.GET.get("name", ""), "type": request.GET.get("type", "TXT")}
    form = RecordSetForm(zone, request.POST if posted else None, initial=initial)
    code = ""
    if posted and form.is_valid():
        new = RecordSet(form.full_name(), form.cleaned_data["type"], form.cleaned_data["ttl"], form.lines())
        try:
            zones.add(principal, connection.id, zone, new)
            tell(request, _("The record set is added."), "recordset.added")
            return redirect(zone_url(zone, connection.id))
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
    return _form(request, _("Add record set"), form, connection, zone, code, _("Add"))


@page(UPDATE, post=UPDATE)
def modify(request: HttpRequest, principal: Principal, zone: str) -> HttpResponse:
    """Replaces TTL and values; they are read from the provider when the form opens."""
    connection = _connection(request, principal, zone)
    name, record_type = request.GET.get("name", ""), request.GET.get("type", "")
    code = ""
    if request.method == "POST":
        form = RecordSetForm(zone, request.POST, fixed=True)
        if form.is_valid():
            new = RecordSet(name, record_type, form.cleaned_data["ttl"], form.lines())
            try:
                zones.modify(principal, connection.id, zone, new)
                tell(request, _("The record set is changed."), "recordset.changed")
                return redirect(zone_url(zone, connection.id))
            except CertdeskError as error:
                code = code_of(error)
                put(form, error)
    else:
        try:
            now = zones.record_set(principal, connection.id, zone, name, record_type)
        except CertdeskError as error:
            alert(request, error)
            return redirect(zone_url(zone, connection.id))
        form = RecordSetForm(zone, initial={"ttl": now.ttl, "values": "\n".join(now.values)}, fixed=True)
    title = _("Modify %(type)s record set") % {"type": record_type}
    return _form(request, title, form, connection, zone, code, _("Save"), name)


def _form(
    request: HttpRequest,
    title: str,
    form: RecordSetForm,
    connection: DnsConnection,
    zone: str,
    code: str,
    submit: str,
    name: str = "",
) -> HttpResponse:
    context = {
        "title": title,
        "subtitle": name or zone,
        "crumbs": _crumbs(connection, zone),
        "form": form,
        "code": code,
        "submit": submit,
        "back": zone_url(zone, connection.id),
    }
    return render(request, "console/record_set.html", context, status=422 if form.errors else 200)


@page(DELETE, post=DELETE)
def delete(request: HttpRequest, principal: Principal, zone: str) -> HttpResponse:
    """Asks first; says so when the record is a proof that is still needed (DOM-6)."""
    connection = _connection(request, principal, zone)
    name, record_type = request.GET.get("name", ""), request.GET.get("type", "")
    if request.method == "POST":
        try:
            zones.delete(principal, connection.id, zone, name, record_type)
            tell(request, _("The record set is deleted."), "recordset.deleted")
        except CertdeskError as error:
            alert(request, error)
        return redirect(zone_url(zone, connection.id))
    try:
        now = zones.record_set(principal, connection.id, zone, name, record_type)
    except CertdeskError as error:
        alert(request, error)
        return redirect(zone_url(zone, connection.id))
    context = {
        "title": _("Delete record set"),
        "crumbs": _crumbs(connection, zone),
        "name": name,
        "type": record_type,
        "values": now.values,
        "needed": name in zones.needed_names(connection.account_id) and record_type in ("TXT", "CNAME"),
        "back": zone_url(zone, connection.id),
    }
    return render(request, "console/record_delete.html", context)
