"""The list of certificates, one certificate, its name and description, its files."""

from datetime import datetime
from typing import cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, NotFound
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations import index
from certdesk.interfaces.operations.registry import File, Stream, call
from certdesk.lifecycle.bulk.actions import BULK
from certdesk.lifecycle.certificates import editing, list_choices, queries, rules
from certdesk.lifecycle.certificates.attention import ConsolePage
from certdesk.lifecycle.certificates.queries import SearchPage, Tab
from certdesk.lifecycle.deployment import queries as deployments

from ..context import tab_counts
from ..forms.common import put
from ..forms.small import EditForm
from ..present import Action
from . import bulking, detail, fragments, listing, narrowed, rows
from .approval_parts import banners
from .cards.downloads import downloads, key_held, other_chains
from .listing import Asked, Choice
from .page import back_to, page, tell

PAGE = 20
OPERATIONS = index.OPERATIONS
SERVERS = ("nginx", "apache", "tomcat", "iis", "other", "all")


@page("scm:cert:list")
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Needs attention first; by status, name, owner, project, tag; sorted; by a view (LST-1, LST-2)."""
    choices = list_choices.of(principal)
    settings, first = choices.settings, listing.first_view(request, choices)
    if first:
        return redirect(first)
    asked, now = listing.plain(listing.asked_of(request), settings), clock.now()
    served = principal.may(deployments.LIST_BINDINGS)
    columns = listing.columns_of(settings, served=served)
    found = _found(principal, asked, now)
    counts = tab_counts(request, principal)
    lines = [rows.line(row, principal, now) for row in found.items]
    context = {
        "title": _("Certificates"),
        "lines": rows.with_details(rows.with_places(lines, principal), found.items, principal, columns),
        "columns": columns,
        "tabs": _tabs(asked, counts, may_act=principal.may(rows.APPLY)),
        "menus": listing.menus(asked, principal, choices),
        "said": listing.said(asked),
        "query": asked.content,
        "filtered": asked.filtered,
        "clear": listing.Asked(opens_with_view=asked.opens_with_view).url(),
        "next_url": asked.url(marker=found.next_marker) if found.next_marker else "",
        "previous_url": asked.url() if asked.marker else "",
        "exports": () if asked.narrow else _exports(asked),
        "bulk": bulking.choices() if principal.may(BULK) and not asked.narrow else (),
        "kept": list(asked.kept().items()),
        "buy": Action(_("Buy certificate"), reverse("buy"), "buy", look="primary", icon="plus"),
        "may_buy": rows.may_buy(principal),
        "upload": Action(_("Upload certificate"), reverse("upload"), "upload", icon="upload"),
        "may_upload": rows.may_upload(principal),
        "private_ca_matters": True,
    }
    return render(request, "console/certificates.html", context)


def _found(principal: Principal, asked: Asked, now: datetime) -> SearchPage | ConsolePage:
    """Sorted as asked, or in the order of the console's own list."""
    filters, more = asked.filters(PAGE), narrowed.conditions(principal, asked.narrow, now)
    if asked.sort:
        return queries.search_page(principal, filters, asked.marker or None, now, more=more)
    return queries.console_page(
        principal, asked.tab, asked.marker or None, filters=filters, more=more, limit=PAGE, now=now
    )


def _exports(asked: Asked) -> tuple[Choice, ...]:
    kept = urlencode(asked.kept())
    home = reverse("export-certificates")
    return tuple(
        Choice(label, f"{home}?{kept}{'&' if kept else ''}format={one}", False)
        for one, label in (("csv", _("CSV, for spreadsheets")), ("json", _("JSON, for programs")))
    )


@page("scm:cert:list")
def export(request: HttpRequest, principal: Principal) -> StreamingHttpResponse:
    """What the filters let through, or the ticked rows alone, as a file of any size."""
    given = {"ids": _ticked(request)} if "ticked" in request.GET else listing.asked_of(request).kept()
    name = "certificates.export_json" if request.GET.get("format") == "json" else "certificates.export_csv"
    _status, file = call(name, principal, query=given)
    assert isinstance(file, Stream)  # noqa: S101 tells the type checker what the operations declare
    response = StreamingHttpResponse(file.pieces, content_type=file.content_type)
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return response


def _ticked(request: HttpRequest) -> str:
    """Raises BadParameter: none is ticked."""
    ids = request.GET.getlist("id")
    if not ids:
        raise BadParameter(
            "No certificate is ticked.",
            next_step="Tick some in the list, or export all that the filters find.",
            field="id",
        )
    return ",".join(ids)


def _tabs(asked: Asked, counts: dict[Tab, int], *, may_act: bool) -> list[Choice]:
    words = {
        Tab.ALL: _("Needs attention first"),
        Tab.YOU: _("Needs you") if may_act else _("Needs the applicant"),
        Tab.WAITING: _("Waiting"),
        Tab.GOOD: _("In force"),
        Tab.ENDED: _("Ended"),
    }
    return [
        Choice(
            label,
            asked.url(tab=tab.value, status="", sort="", order=""),
            tab is asked.tab and asked.status is None and not asked.sort,
            "" if tab is Tab.ALL or not counts[tab] else f"{counts[tab]}{'+' if counts[tab] >= 1000 else ''}",
        )
        for tab, label in words.items()
    ]


@page("scm:cert:get")
def shown(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """One certificate: how it stands, what happens next, facts, versions, history (§5.11, 5.12)."""
    certificate = queries.fetch(principal, "scm:cert:get", certificate_id)
    context = detail.context(principal, certificate, clock.now())
    return render(request, "console/certificate.html", {**context, "held": banners(principal, certificate)})


@page("scm:cert:get")
def status(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """Asked by open pages while somebody else acts: has the state changed? (`?state=` is the shown one)"""
    try:
        certificate = queries.fetch(principal, "scm:cert:get", certificate_id)
    except NotFound:
        if not fragments.is_fragment(request):
            raise
        return fragments.go(reverse("certificates"))  # it has left the list while the page was open
    now_is = rules.state_of(certificate, clock.now())
    return fragments.unchanged() if request.GET.get("state") == now_is.value else fragments.reload()


@page("scm:cert:update", post="scm:cert:update")
def edit(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """Name and description (LST-4), and who owns it."""
    certificate = queries.fetch(principal, "scm:cert:update", certificate_id)
    names = ("name", "description", "owner_id", "owner_group_id")
    initial = {name.removesuffix("_id"): getattr(certificate, name) for name in names}
    form = EditForm(request.POST or None, initial=initial, label_suffix="")
    listing.choose_owners(form, principal, certificate)
    if request.method == "POST" and form.is_valid():
        try:
            given = {name: value for name, value in form.cleaned_data.items() if name in request.POST}
            editing.edit(principal, certificate_id, clock.now(), **given)
            tell(request, _("Changed successfully."), "certificate.edited")
            return back_to("certificate", certificate_id)
        except CertdeskError as error:
            put(form, error)
    context = {"form": form, "title": _("Name, description, owner"), **detail.crumbs(certificate)}
    return render(request, "console/edit.html", context, status=422 if form.errors else 200)


@page("scm:cert:download")
def download(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The archive for one kind of server (ISS-3); without `?server=` the page that offers them."""
    certificate = queries.fetch(principal, "scm:cert:download", certificate_id)
    rules.check_downloadable(certificate, clock.now())
    server, chain = request.GET.get("server", ""), request.GET.get("chain", "")
    if server:
        if server not in SERVERS:
            raise BadParameter(
                f"The server {server[:20]!r} is not known.", next_step=", ".join(SERVERS), field="server"
            )
        _status, answer = call(
            "certificates.download",
            principal,
            query={"server": server, "chain": chain},
            certificate_id=certificate_id,
        )
        found = cast(File, answer)
        return HttpResponse(
            found.content,
            content_type=found.content_type,
            headers={
                "Content-Disposition": f'attachment; filename="{found.name}"',
                "Cache-Control": "no-store",
            },
        )
    context = {
        "title": _("Download"),
        "private_ca_matters": True,
        "choices": downloads(certificate, chain),
        "chains": other_chains(certificate, chain, clock.now()),
        "key_held": key_held(certificate),
        **detail.crumbs(certificate),
    }
    return render(request, "console/download.html", context)
