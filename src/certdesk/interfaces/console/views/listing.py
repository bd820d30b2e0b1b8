"""What the list of certificates is asked for, in its address: tabs, filters, order, view; and its menus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.iam import groups, people, projects
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.certificates import saved_view_rules, saved_views, states, tags
from certdesk.lifecycle.certificates.filters import HOUSE, ME, ORDERS, SearchFilters, Sort
from certdesk.lifecycle.certificates.list_choices import Choices, View
from certdesk.lifecycle.certificates.models import Certificate, SavedView
from certdesk.lifecycle.certificates.queries import Tab
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.issuers import queries as issuers

from ..forms.common import choose
from . import narrowed, tag_parts

_LIMITS = {
    "content": 255,
    "domain": 255,
    "tag": 400,
    "brand": 20,
    "issuer": 32,
    "owner": 32,
    "owner_group": 32,
    "project": 36,
}


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
    """The list's query; unknown values are those of the plain list.

    Attributes:
        sort: empty = what needs attention first.
        narrow: what links of the overview ask for (`narrowed`); no view holds it, no export has it.
        opens_with_view: the plain address leads to a view, so that the whole list needs to be named.
    """

    tab: Tab = Tab.ALL
    status: State | None = None
    content: str = ""
    domain: str = ""
    tag: str = ""
    brand: str = ""
    issuer: str = ""
    owner: str = ""
    owner_group: str = ""
    project: str = ""
    sort: str = ""
    order: str = ""
    view: str = ""
    marker: str = ""
    opens_with_view: bool = field(default=False, compare=False)
    narrow: Mapping[str, str] = field(default_factory=dict)

    def given(self, **changes: str) -> dict[str, str]:
        """What the address says, with these changes; a tab is an order of its own, so it ends a sort."""
        now = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _UNSAID}
        found = {name: "" if value is None else str(value) for name, value in now.items()}
        found |= {**self.narrow, **changes}
        if found["tab"] == Tab.ALL.value:
            found["tab"] = ""
        return {name: value for name, value in found.items() if value}

    def url(self, **changes: str) -> str:
        kept = self.given(**changes)
        if kept:
            return f"?{urlencode(kept)}"
        return f"?tab={Tab.ALL.value}" if self.opens_with_view else reverse("certificates")

    @property
    def filtered(self) -> bool:
        return bool(self.given(sort="", order="", view=""))

    def filters(self, limit: int) -> SearchFilters:
        return SearchFilters(
            limit=limit,
            status=self.status.value if self.status else "ALL",
            sort=self.sort or Sort.UPDATED,
            order=self.order,
            **{name: getattr(self, name) for name in _LIMITS},
        )

    def kept(self) -> dict[str, str]:
        """The query of a view that is saved here; a tab is none of its filters."""
        return replace(self, narrow={}).given(tab="", view="")


_UNSAID = {"marker", "opens_with_view", "narrow"}


def asked_of(request: HttpRequest) -> Asked:
    """What the address asks for; what it cannot mean is left out."""
    given = request.GET
    texts = {name: given.get(name, "").replace("\x00", "").strip()[:most] for name, most in _LIMITS.items()}
    tab, status, sort = given.get("tab", ""), given.get("status", ""), given.get("sort", "")
    known = status in State.__members__ and status != State.DELETED
    sort = sort if sort in [one.value for one in Sort] else ""
    order = given.get("order", "")
    found = Asked(
        Tab(tab) if tab in [one.value for one in Tab] and not sort else Tab.ALL,
        State(status) if known else None,
        sort=sort,
        order=order if sort and order in ORDERS else "",
        view=given.get("view", "")[:32],
        narrow=narrowed.given(given),
        marker=given.get("marker", ""),
    )
    return replace(found, **texts)  # type: ignore[arg-type]


def first_view(request: HttpRequest, choices: Choices) -> str:
    """Where the plain address leads: the view that the reader's list opens with; empty = nowhere else."""
    first = choices.settings.default_view
    if request.GET or not first:
        return ""
    found = next((one for one in choices.views if one.id == first), None)
    return view_url(found) if found else ""


def view_url(view: SavedView | View) -> str:
    known = {name: value for name, value in view.query.items() if isinstance(value, str)}
    return f"{reverse('certificates')}?{urlencode({**known, 'view': view.id})}"


def menus(asked: Asked, principal: Principal, choices: Choices) -> list[Menu]:
    """Filters and order, as drop-downs."""
    found = [
        _views(asked, choices.views),
        *_tags(asked, principal, tagged=choices.tagged),
        *_owners_menus(asked, principal, choices),
    ]
    return [*found, _brands(asked), *_issuers(asked), _statuses(asked), _sorts(asked)]


def words(asked: Asked, principal: Principal, choices: Choices) -> str:
    """All filters in words, as the list itself shows them."""
    chosen = [
        *_owners_menus(asked, principal, choices),
        _brands(asked),
        *_issuers(asked),
        _statuses(asked),
    ]
    return " · ".join([*said(asked), *(menu.label for menu in chosen if not menu.items[0].active)])


def _owners_menus(asked: Asked, principal: Principal, choices: Choices) -> list[Menu]:
    return [
        _owners(asked, principal, choices.groups),
        *_projects(asked, choices.projects, default=principal.may(projects.LIST)),
    ]


def _views(asked: Asked, views: Sequence[View]) -> Menu:
    everything = Choice(
        _("The usual list"), Asked(opens_with_view=asked.opens_with_view).url(), not asked.given()
    )
    shared = _("%(name)s (shared)")
    choices = [
        Choice(shared % {"name": one.name} if one.shared else one.name, view_url(one), one.id == asked.view)
        for one in views
    ]
    more = [
        Choice(
            _("Save these filters as a view…"),
            f"{reverse('view-add')}?{urlencode(asked.kept())}",
            False,
        ),
        Choice(_("Manage views…"), reverse("views"), False),
    ]
    label = next((one.name for one in views if one.id == asked.view), _("Views"))
    return Menu(label, (everything, *choices, *more))


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


def _tags(asked: Asked, principal: Principal, *, tagged: bool) -> list[Menu]:
    """To the page where a tag is chosen, and back to all; nothing where the account has no tag."""
    may = principal.may(tags.ALL)
    if not asked.tag and not (may and tagged):
        return []
    choices = [Choice(_("All tags"), asked.url(tag=""), not asked.tag)]
    if may:
        choices.append(Choice(_("Choose a tag…"), reverse("tags"), False))
    return [Menu(tag_parts.shown(asked.tag) if asked.tag else _("All tags"), tuple(choices))]


def _owners(asked: Asked, principal: Principal, teams: Sequence[tuple[str, str]]) -> Menu:
    def url(owner: str = "", group: str = "") -> str:
        return asked.url(owner=owner, owner_group=group)

    choices = [
        Choice(_("All owners"), url(), not (asked.owner or asked.owner_group)),
        Choice(_("Mine and my groups'"), url(ME), asked.owner == ME),
    ]
    choices += [Choice(name, url(group=group_id), group_id == asked.owner_group) for group_id, name in teams]
    active = next((one.label for one in choices if one.active), "")
    return Menu(active or owner_name(principal, asked.owner or asked.owner_group), tuple(choices))


def owner_name(principal: Principal, wanted: str) -> str:
    """A user or group by id; whatever it was asked for when there is none."""
    return iam.names_of(principal.account_id, {wanted}, {wanted}).get(wanted, wanted[:12])


def _projects(asked: Asked, found: Sequence[tuple[str, str]], *, default: bool) -> list[Menu]:
    """Nothing where there is the default project alone."""
    if not found and not asked.project:
        return []
    known = [*([("0", _("default"))] if default else []), *found]
    choices = [Choice(_("All projects"), asked.url(project=""), not asked.project)]
    choices += [Choice(name, asked.url(project=one), one == asked.project) for one, name in known]
    return [Menu(next((one.label for one in choices if one.active), asked.project[:12]), tuple(choices))]


def _brands(asked: Asked) -> Menu:
    choices = [Choice(_("All brands"), asked.url(brand=""), not asked.brand)]
    choices += [
        Choice(brand.title, asked.url(brand=code), code == asked.brand)
        for code, brand in catalogue().brands.items()
    ]
    return Menu(next((one.label for one in choices if one.active), asked.brand), tuple(choices))


def _issuers(asked: Asked) -> list[Menu]:
    """Nothing where the house's own CA serves every product."""
    found = issuers.offering()
    if not found and not asked.issuer:
        return []
    known = [(HOUSE, say(issuers.BUILT_IN_TITLE)), *((slug, say(title)) for slug, title in found)]
    choices = [Choice(_("All issuers"), asked.url(issuer=""), not asked.issuer)]
    choices += [Choice(title, asked.url(issuer=slug), slug == asked.issuer) for slug, title in known]
    return [Menu(next((one.label for one in choices if one.active), asked.issuer), tuple(choices))]


def _sorts(asked: Asked) -> Menu:
    """Each order has an index; what needs attention first is the usual one."""

    def one(label: str, sort: str, order: str = "") -> Choice:
        active = (asked.sort, asked.order) == (sort, order)
        return Choice(label, asked.url(sort=sort, order=order, tab=Tab.ALL.value), active)

    choices = (
        one(_("Needs attention first"), ""),
        one(_("Name, from a to z"), Sort.NAME.value),
        one(_("Name, from z to a"), Sort.NAME.value, "desc"),
        one(_("Expires soonest"), Sort.EXPIRES.value),
        one(_("Expires last"), Sort.EXPIRES.value, "desc"),
        one(_("Changed last"), Sort.UPDATED.value),
        one(_("Not changed for longest"), Sort.UPDATED.value, "asc"),
    )
    return Menu(next((each.label for each in choices if each.active), _("Order")), choices)


def said(asked: Asked) -> list[str]:
    """Filters that no menu names, in words."""
    found = []
    if asked.content:
        found.append(_("Name or domain contains “%(query)s”.") % {"query": asked.content})
    if asked.domain:
        found.append(_("Exactly for %(domain)s.") % {"domain": asked.domain})
    if asked.tag:
        found.append(_("Tagged %(tag)s.") % {"tag": tag_parts.shown(asked.tag)})
    return [*found, *narrowed.words(asked.narrow)]


def plain(asked: Asked, settings: saved_views.Settings) -> Asked:
    return replace(asked, opens_with_view=bool(settings.default_view))


def columns_of(settings: saved_views.Settings, *, served: bool) -> list[dict[str, Any]]:
    """The columns to show; *Really served* only for who may see it."""
    names = column_names()
    return [
        {"key": one.value, "label": names[one]}
        for one in settings.columns
        if served or one is not saved_view_rules.Column.SERVED
    ]


def column_names() -> dict[saved_view_rules.Column, str]:
    column = saved_view_rules.Column
    return {
        column.STATUS: _("Status and next step"),
        column.EXPIRES: _("Expires"),
        column.SERVED: _("Really served"),
        column.OWNER: _("Owner"),
        column.PROJECT: _("Enterprise project"),
        column.KIND: _("Type"),
        column.TAGS: _("Tags"),
        column.AUTO_RENEWAL: _("Auto-renewal"),
        column.UPDATED: _("Last change"),
        column.DESCRIPTION: _("Description"),
        column.ID: _("Certificate ID"),
    }


def choose_owners(form: forms.Form, principal: Principal, certificate: Certificate) -> None:
    """Users and groups to choose from; who owns it now stays to be chosen, gone or not."""
    users = [(one.id, one.name) for one in people.mates(principal)[:500]]
    teams = [(one.id, one.name) for one in groups.mates(principal)[:500]]
    for field_name, found, now in (
        ("owner", users, certificate.owner_id),
        ("owner_group", [("", _("none")), *teams], certificate.owner_group_id),
    ):
        known = found if now in dict(found) else [(now, owner_name(principal, now)), *found]
        choose(form, field_name, known)
