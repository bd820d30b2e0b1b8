"""Saved views of the list, and the columns that it shows."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.certificates import saved_view_rules, saved_views
from certdesk.lifecycle.certificates.models import SavedView
from certdesk.lifecycle.certificates.rows import LIST
from certdesk.lifecycle.certificates.saved_view_rules import Column

from ..forms.common import put
from . import listing
from .page import alert, back_to, page, tell
from .people import crumb, form_page

HOME = "certificates"


class ViewForm(forms.Form):
    """A name for filters and order; `shared` only for who may share."""

    name = forms.CharField(label=gettext_lazy("Name of the view"), max_length=63)
    shared = forms.BooleanField(
        label=gettext_lazy("Share it with everybody in the account"),
        required=False,
        help_text=gettext_lazy("It shows nobody more than their own policies do."),
    )
    first = forms.BooleanField(label=gettext_lazy("Open the list with it"), required=False)


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Own views and shared ones; each opens the list."""
    settings = saved_views.settings_of(principal)
    context = {
        "title": _("Views"),
        "crumbs": [crumb(_("Certificates"), HOME)],
        "lines": [_line(principal, one, settings.default_view) for one in saved_views.listed(principal)],
    }
    return render(request, "console/views.html", context)


def _line(principal: Principal, one: SavedView, default: str) -> dict[str, Any]:
    mine = one.user_id == principal.user_id
    return {
        "id": one.id,
        "name": one.name,
        "url": listing.view_url(one),
        "says": ", ".join(f"{name}: {value}" for name, value in one.query.items()),
        "shared": one.shared,
        "mine": mine,
        "first": one.id == default,
        "may_edit": mine or saved_views.may_share(principal),
    }


@page(LIST, post=LIST)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Keeps the filters of the address under a name."""
    query = listing.asked_of(request).kept()
    form = _form(principal, request, {})
    if request.method == "POST" and form.is_valid():
        body = {**form.cleaned_data, "query": query}
        try:
            _status, made = call("views.create", principal, body=body)
            assert isinstance(made, dict)  # noqa: S101 tells the type checker what the operation answers
            _set_first(principal, str(made["id"]), on=form.cleaned_data["first"])
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("The view is saved."), "view.saved")
            return redirect(listing.view_url(saved_views.fetch(principal, str(made["id"]))))
    return _page(request, form, _("Save as a view"))


@page(LIST, post=LIST)
def edit(request: HttpRequest, principal: Principal, view_id: str) -> HttpResponse:
    """Another name, shared or not, the first one or not."""
    view = saved_views.fetch(principal, view_id)
    first = saved_views.settings_of(principal).default_view == view.id
    form = _form(principal, request, {"name": view.name, "shared": view.shared, "first": first})
    if request.method == "POST" and form.is_valid():
        body = {name: value for name, value in form.cleaned_data.items() if name != "first"}
        try:
            call("views.update", principal, body=body, view_id=view.id)
            if first is not form.cleaned_data["first"]:
                _set_first(principal, view.id, on=form.cleaned_data["first"])
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("The view is saved."), "view.saved")
            return back_to("views")
    return _page(request, form, _("Edit the view"))


def _form(principal: Principal, request: HttpRequest, initial: dict[str, Any]) -> ViewForm:
    form = ViewForm(request.POST if request.method == "POST" else None, initial=initial, label_suffix="")
    if not saved_views.may_share(principal):
        del form.fields["shared"]
    return form


def _page(request: HttpRequest, form: ViewForm, title: str) -> HttpResponse:
    return form_page(
        request,
        title,
        form,
        submit=_("Save"),
        back=reverse("views"),
        operation="view-save",
        crumbs=[crumb(_("Certificates"), HOME), crumb(_("Views"), "views")],
    )


@page("", post=LIST)
def first(request: HttpRequest, principal: Principal, view_id: str) -> HttpResponse:
    """The list opens with it, or with the usual one again (`on` empty)."""
    _set_first(principal, view_id, on=bool(request.POST.get("on")))
    return back_to("views")


def _set_first(principal: Principal, view_id: str, *, on: bool) -> None:
    was = saved_views.settings_of(principal).default_view
    if on or was == view_id:
        call("views.set_settings", principal, body={"default_view": view_id if on else ""})


@page("", post=LIST)
def delete(request: HttpRequest, principal: Principal, view_id: str) -> HttpResponse:
    try:
        call("views.delete", principal, view_id=view_id)
        tell(request, _("The view is deleted."), "view.deleted")
    except CertdeskError as error:
        alert(request, error)
    return back_to("views")


@page(LIST, post=LIST)
def columns(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Which columns the list shows, in which order; remembered for this user."""
    chosen = list(saved_views.settings_of(principal).columns)
    if request.method == "POST":
        step, _colon, name = request.POST.get("do", "").partition(":")
        wanted = moved(chosen, step, name)
        call("views.set_settings", principal, body={"columns": [one.value for one in wanted]})
        return back_to("list-columns")
    names = listing.column_names()
    context = {
        "title": _("Columns of the list"),
        "crumbs": [crumb(_("Certificates"), HOME)],
        "chosen": [{"key": one.value, "label": names[one]} for one in chosen],
        "others": [{"key": one.value, "label": names[one]} for one in Column if one not in chosen],
        "usual": tuple(chosen) == saved_view_rules.USUAL,
    }
    return render(request, "console/columns.html", context)


def moved(chosen: list[Column], step: str, name: str) -> list[Column]:
    """The columns after one step: `add`, `remove`, `up`, `down` of one, or `usual`; else as they were."""
    if step == "usual":
        return []
    if name not in set(Column):
        return chosen
    column = Column(name)
    if step == "add":
        return [*chosen, column]
    if column not in chosen or (step == "remove" and len(chosen) == 1):
        return chosen
    rest = [one for one in chosen if one is not column]
    if step == "remove":
        return rest
    place = chosen.index(column) + {"up": -1, "down": 1}.get(step, 0)
    place = min(max(place, 0), len(rest))
    return [*rest[:place], column, *rest[place:]]
