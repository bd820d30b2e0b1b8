"""Every place that serves a certificate: what it should serve, what it serves, and what if they differ."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations import paging
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.deployment import bindings, queries, windows
from certdesk.lifecycle.deployment.models import Binding, Step
from certdesk.lifecycle.deployment.states import BindingState, Drift, StepState

from ..forms.common import put
from ..forms.deploying import BindingForm
from .deploying import STATES, served
from .page import back_to, code_of, page, tell

PAGE = 20
DRIFTS = {
    Drift.PREVIOUS: gettext_lazy("The previous one is back"),
    Drift.OURS: gettext_lazy("Another of yours is served"),
    Drift.UNKNOWN: gettext_lazy("A foreign one is served"),
    Drift.WRONG_CHAIN: gettext_lazy("Served without its chain"),
    Drift.NAME_MISMATCH: gettext_lazy("The name does not match"),
    Drift.REFUSED: gettext_lazy("The server refuses"),
    Drift.UNREACHABLE: gettext_lazy("Cannot be reached"),
    Drift.HELD: gettext_lazy("The target holds another"),
    Drift.GONE: gettext_lazy("Gone from the target"),
}


def drift(one: Binding) -> str:
    """In two or three words; empty where all is as it should be."""
    return str(DRIFTS[Drift(one.drift)]) if one.drift else ""


@page(queries.LIST_BINDINGS)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """All places of the account, or those that serve something else than they should."""
    asked = {"drift": "yes"} if request.GET.get("drift") == "yes" else {}
    found = queries.drifting(principal) if asked else queries.bindings(principal)
    marker = request.GET.get("marker", "")
    rows, more = paging.cut(found.filter(id__gt=marker), PAGE)
    may = [
        one
        for one in rows
        if principal.may(queries.LIST_BINDINGS, queries.binding_resource(one.account_id, one.id))
    ]
    names = _names(may)
    context = {
        "title": _("Places"),
        "crumbs": [{"label": _("Targets"), "url": reverse("targets")}],
        "lines": [_line(one, names) for one in may],
        "tabs": [
            {"label": _("All"), "url": reverse("bindings"), "active": not asked},
            {"label": _("Not as it should be"), "url": "?drift=yes", "active": bool(asked)},
        ],
        "asked": bool(asked),
        "next_url": f"?{urlencode({**asked, 'marker': rows[-1].id})}" if more else "",
        "previous_url": f"{reverse('bindings')}?{urlencode(asked)}" if marker else "",
    }
    return render(request, "console/bindings.html", context)


def _names(found: list[Binding]) -> dict[str, str]:
    rows = Certificate.objects.filter(id__in={one.certificate_id for one in found})
    return dict(rows.exclude(state="DELETED").values_list("id", "name"))


def _line(one: Binding, names: dict[str, str]) -> dict[str, Any]:
    tone, label = STATES[BindingState(one.deployment)]
    wanted = names.get(one.certificate_id, "")
    return {
        "binding": one,
        "url": reverse("binding", args=[one.id]),
        "wanted": wanted,
        "wanted_url": reverse("certificate", args=[one.certificate_id]) if wanted else "",
        "tone": tone,
        "label": label if one.names else _("Not used"),
        "drift": drift(one),
    }


@page(queries.LIST_BINDINGS, post=queries.UPDATE_BINDING)
def shown(request: HttpRequest, principal: Principal, binding_id: str) -> HttpResponse:
    """One place, with its policy and its last deployments."""
    one = queries.fetch_binding(principal, queries.LIST_BINDINGS, binding_id)
    form = BindingForm(one, request.POST if request.method == "POST" else None)
    code = ""
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            bindings.change(principal, binding_id, None, given["policy"], given.get("exempt"))
        except CertdeskError as error:
            put(form, error)
            code = code_of(error)
        else:
            tell(request, _("Saved."), "binding.changed")
            return back_to("binding", binding_id)
    resource = queries.binding_resource(one.account_id, one.id)
    line = _line(one, _names([one]))
    context = {
        **line,
        "title": ", ".join(one.names[:2]) or one.resource,
        "subtitle": one.target.label,
        "crumbs": [
            {"label": _("Targets"), "url": reverse("targets")},
            {"label": one.target.label, "url": reverse("target", args=[one.target_id])},
        ],
        "code": code,
        "reason": say(one.reason),
        "next_step": say(one.next_step),
        "facts": _facts(one, line),
        "form": form,
        "may_change": principal.may(queries.UPDATE_BINDING, resource),
        "steps": [_step(step) for step in queries.latest_steps(one)],
    }
    return render(request, "console/binding.html", context, status=422 if form.errors else 200)


def _facts(one: Binding, line: dict[str, Any]) -> list[dict[str, Any]]:
    there = served(one.served_certificate_id, one.served)
    return [
        {
            "label": _("Should serve"),
            "value": line["wanted"] or _("nothing of yours"),
            "url": line["wanted_url"],
        },
        {"label": _("Version"), "value": one.version or ""},
        {"label": _("Serves"), "value": there["label"], "url": there["url"]},
        {"label": _("Domain names"), "value": ", ".join(one.names)},
        {"label": _("Listeners"), "value": ", ".join(one.listeners), "mono": True},
        {"label": _("Resource"), "value": one.resource, "mono": True},
        {"label": _("Need not serve it"), "value": ", ".join(one.exempt), "mono": True},
        {"label": _("Maintenance window"), "value": windows.line_of(one.target.window), "mono": True},
    ]


def _step(step: Step) -> dict[str, Any]:
    good = step.state == StepState.DEPLOYED
    return {
        "at": step.deployment.created_at,
        "url": reverse("deployment", args=[step.deployment_id]),
        "tone": "good" if good else "bad" if step.state == StepState.FAILED else "end",
        "label": _("Deployed") if good else _("Failed") if step.state == StepState.FAILED else _("Other"),
        "why": WHY[step.deployment.cause],
    }


WHY = {
    "REQUEST": gettext_lazy("somebody asked for it"),
    "FOLLOW": gettext_lazy("a newer certificate followed"),
    "MEND": gettext_lazy("something else had been put there"),
}
