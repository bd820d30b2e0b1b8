"""Targets: which servers with certificates the account has connected, and what each of them serves."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.connectors.targets.registry import KINDS
from certdesk.foundation.common.errors import CertdeskError, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.deployment import queries, targets, windows
from certdesk.lifecycle.deployment.models import Binding, Target
from certdesk.lifecycle.deployment.states import BindingState
from certdesk.lifecycle.deployment.targets import CREATE, DELETE, DISCOVER, GET, LIST, UPDATE

from ..forms.common import put
from ..forms.deploying import TargetForm
from . import places
from .deploying import SERVICES, STATES, served
from .page import alert, back_to, code_of, page, tell
from .target_kinds import grouped, hint, setup
from .target_sent import latest


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Targets and how they did when last asked; nothing is asked here."""
    context = {
        "title": _("Targets"),
        "lines": [_line(one) for one in targets.listed(principal)],
        "may_add": principal.may(CREATE, targets.resource_of(principal.account_id)),
    }
    return render(request, "console/targets.html", context)


def _line(one: Target) -> dict[str, Any]:
    tone, label = _state(one)
    return {
        "target": one,
        "url": reverse("target", args=[one.id]),
        "kind": _(KINDS[one.kind].label) if one.kind in KINDS else one.kind,
        "service": SERVICES[one.service],
        "tone": tone,
        "label": label,
        "count": len(queries.of_target(one)),
    }


def _state(one: Target) -> tuple[str, str]:
    if one.problem:
        return "bad", _("Does not work")
    return ("good", _("Works")) if one.asked_at else ("you", _("Not looked through yet"))


@page(CREATE, post=CREATE)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """First the kind, then its form; once connected, the target is looked through."""
    kind = request.GET.get("kind", "")
    if kind not in KINDS:
        context = {"title": _("Connect a target"), "crumbs": _crumbs(), "groups": grouped()}
        return render(request, "console/target_kinds.html", context)
    form = TargetForm(kind, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = targets.add(
                principal,
                service=given["service"],
                kind=kind,
                region=given["region"],
                project=given["project"],
                label=given["label"],
                window=windows.parse(given["window"]),
                given=form.options(),
            )
        except CertdeskError as error:
            return _form(request, _("Connect a target"), form, reverse("targets"), error)
        return _looked(request, principal, made.id)
    return _form(request, _("Connect a target"), form, reverse("targets"))


@page(UPDATE, post=UPDATE)
def edit(request: HttpRequest, principal: Principal, target_id: str) -> HttpResponse:
    target = targets.fetch(principal, UPDATE, target_id)
    back = reverse("target", args=[target_id])
    form = TargetForm(target.kind, request.POST if request.method == "POST" else None, target=target)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            window = windows.parse(given["window"])
        except CertdeskError as error:
            return _form(request, _("Edit the target"), form, back, error)
        changes = {
            "window": window,
            "label": given["label"] or target.label,
            "region": given["region"],
            "project": given["project"],
            "options": form.options(),
        }
        try:
            targets.edit(principal, target_id, changes)
        except CertdeskError as error:
            return _form(request, _("Edit the target"), form, back, error)
        return _looked(request, principal, target_id)
    return _form(request, _("Edit the target"), form, back)


def _form(
    request: HttpRequest, title: str, form: TargetForm, back: str, error: CertdeskError | None = None
) -> HttpResponse:
    if error is not None:
        put(form, error)
    context = {
        "title": title,
        "subtitle": _(KINDS[form.kind].label),
        "form": form,
        "hint": hint(form.kind),
        "setup": setup(form.kind),
        "code": code_of(error) if error else "",
        "back": back,
        "crumbs": _crumbs(),
    }
    return render(request, "console/target_form.html", context, status=422 if form.errors else 200)


def _crumbs(target: Target | None = None) -> list[dict[str, str]]:
    found = [{"label": _("Targets"), "url": reverse("targets")}]
    if target is not None:
        found.append({"label": target.label, "url": reverse("target", args=[target.id])})
    return found


def _looked(request: HttpRequest, principal: Principal, target_id: str) -> HttpResponse:
    """After saving the target is looked through at once, where the user may do that."""
    try:
        found = targets.discover(principal, target_id)
    except CertdeskError as error:
        alert(
            request,
            WrongState(
                _("The target could not be looked through: %(problem)s") % {"problem": say(error.message)},
                next_step=say(error.next_step),
            ),
        )
    else:
        words = _("The target was looked through: %(count)d certificates.") % {"count": len(found)}
        tell(request, words, "target.discovered")
    return back_to("target", target_id)


@page(GET)
def shown(request: HttpRequest, principal: Principal, target_id: str) -> HttpResponse:
    """One target: what it said last, and each certificate of it."""
    target = targets.fetch(principal, GET, target_id)
    resource = targets.resource_of(target.account_id, target.id)
    tone, label = _state(target)
    may_bindings = principal.may(queries.LIST_BINDINGS)
    context = {
        "title": target.label,
        "subtitle": f"{SERVICES[target.service]} · {target.region}",
        "crumbs": _crumbs(),
        "target": target,
        "tone": tone,
        "label": label,
        "problem": say(target.problem),
        "next_step": say(target.next_step),
        "notes": [say(one) for one in target.notes],
        "lines": [_bound(one) for one in queries.of_target(target)] if may_bindings else [],
        "facts": _facts(target),
        "sent": latest(principal, target),
        "may_discover": principal.may(DISCOVER, resource),
        "may_edit": principal.may(UPDATE, resource),
        "may_remove": principal.may(DELETE, resource),
    }
    return render(request, "console/target.html", context)


def _bound(one: Binding) -> dict[str, Any]:
    state = BindingState(one.deployment)
    tone, label = STATES[state]
    return {
        "binding": one,
        "served": served(one.served_certificate_id, one.served),
        "tone": tone,
        "label": label if one.names else _("Not used"),
        "code": state.value,
        "reason": say(one.reason),
        "drift": places.drift(one),
        "url": reverse("binding", args=[one.id]),
    }


def _facts(target: Target) -> list[dict[str, Any]]:
    model = KINDS[target.kind].options.model_fields if target.kind in KINDS else {}
    found: list[dict[str, Any]] = [
        {"label": _("Project"), "value": target.project},
        {"label": _("Maintenance window"), "value": windows.line_of(target.window), "mono": True},
    ]
    for name, value in target.shown.items():
        title = model[name].title if name in model else name
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        found.append({"label": _(title or name), "value": text, "mono": True})
    return found


@page("", post=DISCOVER)
def discover(request: HttpRequest, principal: Principal, target_id: str) -> HttpResponse:
    targets.fetch(principal, DISCOVER, target_id)
    return _looked(request, principal, target_id)


@page(DELETE, post=DELETE)
def remove(request: HttpRequest, principal: Principal, target_id: str) -> HttpResponse:
    """Asks first, naming what is lost."""
    target = targets.fetch(principal, DELETE, target_id)
    if request.method == "POST":
        try:
            targets.remove(principal, target_id)
        except WrongState as error:
            alert(request, error)
            return back_to("target", target_id)
        tell(request, _("The target is removed."), "target.removed")
        return back_to("targets")
    context = {
        "title": _("Remove the target"),
        "crumbs": _crumbs(target),
        "target": target,
        "count": len(queries.of_target(target)),
        "back": reverse("target", args=[target_id]),
    }
    return render(request, "console/target_remove.html", context)
