"""DNS connections: which providers the account has connected, how they do, and their zones."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.connectors.dns.providers.registry import KINDS
from certdesk.foundation.common.errors import CertdeskError, NotFound, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.validation import connections
from certdesk.lifecycle.validation.connections import CREATE, DELETE, GET, LIST, TEST, UPDATE
from certdesk.lifecycle.validation.models import DnsConnection

from ..forms.common import put
from ..forms.dns import ConnectionForm
from .page import alert, back_to, code_of, page, tell

ZONES_SHOWN = 200


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Connections and the zones that they told last; nothing is asked here."""
    found = connections.listed(principal)
    context = {
        "title": _("DNS"),
        "lines": [_line(one) for one in found],
        "may_add": principal.may(CREATE, connections.resource_of(principal.account_id)),
        "add_url": reverse("dns-add"),
    }
    return render(request, "console/dns.html", context)


def _line(one: DnsConnection) -> dict[str, object]:
    tone, label = _state(one)
    return {
        "connection": one,
        "url": reverse("dns-connection", args=[one.id]),
        "kind": _(KINDS[one.kind].label) if one.kind in KINDS else one.kind,
        "tone": tone,
        "label": label,
        "zones": [{"name": zone, "url": zone_url(zone, one.id)} for zone in one.zones[:5]],
        "more": max(0, len(one.zones) - 5),
    }


def zone_url(zone: str, connection_id: str) -> str:
    return f"{reverse('zone', args=[zone])}?{urlencode({'connection': connection_id})}"


def _state(one: DnsConnection) -> tuple[str, str]:
    if one.problem:
        return "bad", _("Does not work")
    return ("good", _("Works")) if one.asked_at else ("you", _("Not tested yet"))


def words() -> dict[str, dict[str, str]]:
    """By kind: what it is for, and the least that the key given to us should be allowed."""
    return {
        "rfc2136": {
            "for": _("Your own BIND, Knot or PowerDNS, by DNS UPDATE with a TSIG key."),
            "least": _(
                "Give the key TXT records only, for example in BIND: update-policy { grant certdesk. "
                "zonesub TXT; }; add CNAME only where a certificate authority asks for it."
            ),
        },
        "powerdns": {
            "for": _("A PowerDNS server, by its HTTP API."),
            "least": _(
                "The API key opens every zone of the server: allow it from this machine's address only "
                "(webserver-allow-from). Where that is too much, use DNS UPDATE with a key of its own."
            ),
        },
        "huawei": {
            "for": _("Huawei Cloud DNS, by an access key."),
            "least": _(
                "Make a user for this alone and allow it to list zones and to list, create, update and "
                "delete record sets: nothing else."
            ),
        },
        "lexicon": {
            "for": _("Another vendor, by dns-lexicon."),
            "least": _("Use a token that may edit the DNS records of these zones, and nothing else."),
        },
    }


@page(CREATE, post=CREATE)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """First the kind, then its form."""
    kind = request.GET.get("provider", "")
    if kind not in KINDS:
        kinds = [
            {
                "title": _(KINDS[name].label),
                "text": text["for"],
                "url": f"{reverse('dns-add')}?{urlencode({'provider': name})}",
            }
            for name, text in words().items()
        ]
        context = {"title": _("Connect a DNS provider"), "crumbs": _crumbs(), "kinds": kinds}
        return render(request, "console/dns_kinds.html", context)
    form = ConnectionForm(kind, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = connections.add(principal, kind, form.cleaned_data["label"], form.options())
        except CertdeskError as error:
            return _form(request, _("Connect a DNS provider"), form, kind, reverse("dns"), error)
        return _tested(request, principal, made.id)
    return _form(request, _("Connect a DNS provider"), form, kind, reverse("dns"))


@page(UPDATE, post=UPDATE)
def edit(request: HttpRequest, principal: Principal, connection_id: str) -> HttpResponse:
    connection = connections.fetch(principal, UPDATE, connection_id)
    back = reverse("dns-connection", args=[connection_id])
    form = ConnectionForm(
        connection.kind, request.POST if request.method == "POST" else None, shown=connection.shown
    )
    form.fields["label"].initial = connection.label
    if request.method == "POST" and form.is_valid():
        try:
            connections.edit(
                principal, connection_id, form.cleaned_data["label"] or connection.label, form.options()
            )
        except CertdeskError as error:
            return _form(request, _("Edit the connection"), form, connection.kind, back, error)
        return _tested(request, principal, connection_id)
    return _form(request, _("Edit the connection"), form, connection.kind, back)


def _form(
    request: HttpRequest,
    title: str,
    form: ConnectionForm,
    kind: str,
    back: str,
    error: CertdeskError | None = None,
) -> HttpResponse:
    if error is not None:
        put(form, error)
    context = {
        "title": title,
        "subtitle": _(KINDS[kind].label),
        "form": form,
        "code": code_of(error) if error else "",
        "least": words()[kind]["least"],
        "back": back,
        "crumbs": _crumbs(),
    }
    return render(request, "console/dns_form.html", context, status=422 if form.errors else 200)


def _crumbs(connection: DnsConnection | None = None) -> list[dict[str, str]]:
    found = [{"label": _("DNS"), "url": reverse("dns")}]
    if connection is not None:
        found.append({"label": connection.label, "url": reverse("dns-connection", args=[connection.id])})
    return found


def _tested(request: HttpRequest, principal: Principal, connection_id: str) -> HttpResponse:
    """After saving the provider is asked at once, where the user may do that."""
    try:
        result = connections.test(principal, connection_id)
    except CertdeskError as error:
        alert(request, error)
    else:
        if result.ok:
            tell(request, _("The connection works."), "dns.works")
        else:
            alert(
                request,
                WrongState(
                    _("The connection is saved, but it does not work yet: %(problem)s")
                    % {"problem": say(result.problem)},
                    next_step=say(result.next_step),
                ),
            )
    return back_to("dns-connection", connection_id)


@page(GET)
def shown(request: HttpRequest, principal: Principal, connection_id: str) -> HttpResponse:
    """One connection: what it said last, its zones, what still stands through it."""
    connection = connections.fetch(principal, GET, connection_id)
    resource = connections.resource_of(connection.account_id, connection.id)
    tone, label = _state(connection)
    context = {
        "title": connection.label,
        "subtitle": _(KINDS[connection.kind].label) if connection.kind in KINDS else connection.kind,
        "crumbs": _crumbs(),
        "connection": connection,
        "tone": tone,
        "label": label,
        "problem": say(connection.problem),
        "next_step": say(connection.next_step),
        "notes": [say(one) for one in connection.notes],
        "zones": [
            {"name": zone, "url": zone_url(zone, connection.id)} for zone in connection.zones[:ZONES_SHOWN]
        ],
        "facts": _facts(connection),
        "least": words().get(connection.kind, {}).get("least", ""),
        "standing": connections.standing(connection.id),
        "may_test": principal.may(TEST, resource),
        "may_edit": principal.may(UPDATE, resource),
        "may_remove": principal.may(DELETE, resource),
    }
    return render(request, "console/dns_connection.html", context)


def _facts(connection: DnsConnection) -> list[dict[str, object]]:
    found = []
    for name, value in connection.shown.items():
        if isinstance(value, bool):
            text = _("Yes") if value else _("No")
        elif isinstance(value, list):
            text = ", ".join(map(str, value))
        elif isinstance(value, dict):
            text = ", ".join(value)
        else:
            text = "" if value is None else str(value)
        if name != "zones":
            model = KINDS[connection.kind].options.model_fields.get(name)
            title = model.title if model and model.title else name
            found.append({"label": _(title), "value": text, "mono": True})
    return found


@page("", post=TEST)
def test(request: HttpRequest, principal: Principal, connection_id: str) -> HttpResponse:
    connections.fetch(principal, TEST, connection_id)
    return _tested(request, principal, connection_id)


@page(DELETE, post=DELETE)
def remove(request: HttpRequest, principal: Principal, connection_id: str) -> HttpResponse:
    """Asks first, naming what is lost; records that still stand must be accepted as one's own to delete."""
    connection = connections.fetch(principal, DELETE, connection_id)
    standing = connections.standing(connection_id)
    if request.method == "POST":
        try:
            connections.remove(principal, connection_id, force="force" in request.POST)
        except NotFound:
            return back_to("dns")
        except WrongState as error:
            alert(request, error)
            return back_to("dns-remove", connection_id)
        tell(request, _("The connection is removed and its secrets are destroyed."), "dns.removed")
        return back_to("dns")
    context = {
        "title": _("Remove the connection"),
        "crumbs": _crumbs(connection),
        "connection": connection,
        "standing": standing,
        "back": reverse("dns-connection", args=[connection_id]),
    }
    return render(request, "console/dns_remove.html", context)
