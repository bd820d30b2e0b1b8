"""The list of certificates, one certificate, its name and description, its files."""

from dataclasses import dataclass, field
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, NotFound
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations import index
from certdesk.interfaces.operations.registry import File, call
from certdesk.lifecycle.certificates import editing, queries, rules, states, tags
from certdesk.lifecycle.certificates.queries import Tab
from certdesk.lifecycle.certificates.states import State

from ..context import tab_counts
from ..forms.common import put
from ..forms.small import EditForm
from ..present import Action
from . import detail, fragments, narrowed, rows, tag_parts
from .approval_parts import banners
from .cards.downloads import downloads, key_held
from .page import back_to, page, tell

PAGE = 20
OPERATIONS = index.OPERATIONS
SERVERS = ("nginx", "apache", "tomcat", "iis", "other", "all")


@dataclass(frozen=True, slots=True)
class Choice:
    label: str
    url: str
    active: bool
    count: str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    label: str
    items: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The list's query; unknown values are those of the plain list."""

    tab: Tab
    status: State | None
    content: str
    marker: str
    tag: str = ""
    narrow: dict[str, str] = field(default_factory=dict)

    def url(self, **changes: str) -> str:
        given = {
            "tab": self.tab.value,
            "status": self.status.value if self.status else "",
            "content": self.content,
            "tag": self.tag,
            **self.narrow,
        }
        given |= changes
        kept = {
            name: value for name, value in given.items() if value and (name, value) != ("tab", Tab.ALL.value)
        }
        return f"?{urlencode(kept)}" if kept else reverse("certificates")

    @property
    def filtered(self) -> bool:
        return bool(self.content or self.status or self.tag or self.narrow or self.tab is not Tab.ALL)


@page("scm:cert:list")
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Needs attention first; filter by status, search by name or domain (LST-1, LST-2)."""
    asked, now = _asked(request), clock.now()
    found = queries.console_page(
        principal,
        asked.tab,
        asked.marker or None,
        content=asked.content,
        status=asked.status,
        tag=asked.tag,
        more=narrowed.conditions(principal, asked.narrow, now),
        limit=PAGE,
        now=now,
    )
    counts = tab_counts(request, principal)
    context = {
        "title": _("Certificates"),
        "lines": rows.with_places([rows.line(row, principal, now) for row in found.items], principal),
        "tabs": _tabs(asked, counts, may_act=principal.may(rows.APPLY)),
        "more": [*_tags(asked, principal), _statuses(asked)],
        "query": asked.content,
        "tag": asked.tag,
        "narrowed": narrowed.words(asked.narrow),
        "tag_shown": tag_parts.shown(asked.tag),
        "filtered": asked.filtered,
        "clear": reverse("certificates"),
        "next_url": asked.url(marker=found.next_marker) if found.next_marker else "",
        "previous_url": asked.url() if asked.marker else "",
        "buy": Action(_("Buy certificate"), reverse("buy"), "buy", look="primary", icon="plus"),
        "may_buy": rows.may_buy(principal),
        "upload": Action(_("Upload certificate"), reverse("upload"), "upload", icon="upload"),
        "may_upload": rows.may_upload(principal),
        "private_ca_matters": True,
    }
    return render(request, "console/certificates.html", context)


def _asked(request: HttpRequest) -> Asked:
    given = request.GET
    tab, status = given.get("tab", ""), given.get("status", "")
    known = status in State.__members__ and status != State.DELETED
    return Asked(
        Tab(tab) if tab in [one.value for one in Tab] else Tab.ALL,
        State(status) if known else None,
        given.get("content", "").strip()[:255],
        given.get("marker", ""),
        given.get("tag", "").strip()[:400],
        narrowed.given(given),
    )


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
            asked.url(tab=tab.value, status=""),
            tab is asked.tab and asked.status is None,
            "" if tab is Tab.ALL or not counts[tab] else f"{counts[tab]}{'+' if counts[tab] >= 1000 else ''}",
        )
        for tab, label in words.items()
    ]


def _statuses(asked: Asked) -> Menu:
    """*All statuses* (LST-2); two states share a title, both can be chosen."""
    everything = Choice(_("All statuses"), asked.url(status="", tab=Tab.ALL.value), asked.status is None)
    choices = [
        Choice(_(row.title), asked.url(status=state.value, tab=Tab.ALL.value), state is asked.status)
        for state, row in states.ROWS.items()
        if state not in (State.DELETED, State.CANCELSUPPLEMENTING)
    ]
    label = _(states.ROWS[asked.status].title) if asked.status else _("All statuses")
    return Menu(label, (everything, *choices))


def _tags(asked: Asked, principal: Principal) -> list[Menu]:
    """To the page where a tag is chosen, and back to all; nothing where the account has no tag."""
    may = principal.may(tags.ALL)
    if not asked.tag and not (may and tags.are_there(principal)):
        return []
    choices = [Choice(_("All tags"), asked.url(tag=""), not asked.tag)]
    if may:
        choices.append(Choice(_("Choose a tag…"), reverse("tags"), False))
    return [Menu(tag_parts.shown(asked.tag) if asked.tag else _("All tags"), tuple(choices))]


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
    """Name and description (LST-4)."""
    certificate = queries.fetch(principal, "scm:cert:update", certificate_id)
    initial = {"name": certificate.name, "description": certificate.description}
    form = EditForm(request.POST or None, initial=initial, label_suffix="")
    if request.method == "POST" and form.is_valid():
        try:
            editing.edit(principal, certificate_id, clock.now(), **form.cleaned_data)
            tell(request, _("Changed successfully."), "certificate.edited")
            return back_to("certificate", certificate_id)
        except CertdeskError as error:
            put(form, error)
    context = {"form": form, "title": _("Name and description"), **detail.crumbs(certificate)}
    return render(request, "console/edit.html", context, status=422 if form.errors else 200)


@page("scm:cert:download")
def download(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The archive for one kind of server (ISS-3); without `?server=` the page that offers them."""
    certificate = queries.fetch(principal, "scm:cert:download", certificate_id)
    rules.check_downloadable(certificate, clock.now())
    server = request.GET.get("server", "")
    if server:
        if server not in SERVERS:
            raise BadParameter(
                f"The server {server[:20]!r} is not known.", next_step=", ".join(SERVERS), field="server"
            )
        _status, answer = call(
            "certificates.download", principal, query={"server": server}, certificate_id=certificate_id
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
        "choices": downloads(certificate),
        "key_held": key_held(certificate),
        **detail.crumbs(certificate),
    }
    return render(request, "console/download.html", context)
