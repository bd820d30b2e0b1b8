"""Hosts: machines whose agent makes its own keys and asks for its certificates."""

import shlex
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import settings
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.public import agents
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.deployment.states import BindingState
from certdesk.lifecycle.hosts import actions, queries
from certdesk.lifecycle.hosts.models import Agent, Place
from certdesk.lifecycle.hosts.queries import CODE, DELETE, GET, LIST
from certdesk.lifecycle.hosts.rules import Standing

from .deploying import STATES, served
from .page import back_to, page, tell

TONES = {
    Standing.WAITING: "wait",
    Standing.EXPIRED: "muted",
    Standing.ACTIVE: "good",
    Standing.SILENT: "bad",
}


def _words(standing: Standing) -> str:
    return {
        Standing.WAITING: _("Waits for its enrolment"),
        Standing.EXPIRED: _("Never enrolled"),
        Standing.ACTIVE: _("Asks regularly"),
        Standing.SILENT: _("Silent"),
    }[standing]


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    counts = queries.counts(principal.account_id)
    context = {
        "title": _("Hosts"),
        "lines": [_line(one, *counts.get(one.id, (0, 0))) for one in queries.listed(principal)],
        "may_add": principal.may(CODE, queries.resource_of(principal.account_id)),
    }
    return render(request, "console/hosts.html", context)


def _line(one: Agent, places: int, wrong: int) -> dict[str, Any]:
    standing = queries.standing(one)
    return {
        "agent": one,
        "tone": TONES[standing],
        "label": _words(standing),
        "code": standing.value,
        "places": places,
        "wrong": wrong,
    }


@page(CODE, post=CODE)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Makes a code on request; it stands on the page that answers, and nowhere else ever again."""
    made, code = actions.code(principal) if request.method == "POST" else (None, "")
    context = {
        "title": _("Enrol a host"),
        "crumbs": _crumbs(),
        "back": reverse("hosts"),
        "commands": _commands(code) if made else [],
        "example": _EXAMPLE,
        "https": _server().startswith("https://"),
    }
    response = render(request, "console/host_add.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


_EXAMPLE = """{"places": {"shop": {
  "names": ["shop.example.com"],
  "folder": "/etc/certdesk/shop",
  "listeners": ["127.0.0.1:443"],
  "check": ["nginx", "-t"],
  "reload": ["systemctl", "reload", "nginx"]}}}"""


def _server() -> str:
    """Where hosts reach this desk: by HTTPS alone."""
    house = settings.get()
    external = str(house.external_url or "")
    if external.startswith("https://"):
        return external.rstrip("/")
    return f"https://{house.https}" if house.https else ""


def _commands(code: str) -> list[dict[str, str]]:
    server, (_content, digest) = _server(), agents.program()
    pin = agents.pin()
    fetch = f"curl -fsSk {shlex.quote(server)}/agent/host.py -o certdesk-host.py"
    check = f"echo '{digest}  certdesk-host.py' | sha256sum -c"
    enrol = f"sudo python3 certdesk-host.py enrol --server {shlex.quote(server)} --code {code}"
    pinned = f"{enrol} --pin sha256:{pin}" if pin else enrol
    return [
        {"title": _("Fetch the agent and compare it with this page"), "text": f"{fetch} && {check}"},
        {"title": _("Enrol the host: the desk's own CA is pinned"), "text": pinned},
        {"title": _("Instead, behind a proxy with a publicly trusted certificate"), "text": enrol},
        {
            "title": _("Start it (a systemd unit is in the manual)"),
            "text": "sudo python3 certdesk-host.py run",
        },
    ]


def _crumbs(agent: Agent | None = None) -> list[dict[str, str]]:
    found = [{"label": _("Hosts"), "url": reverse("hosts")}]
    if agent is not None:
        found.append({"label": _name(agent), "url": reverse("host", args=[agent.id])})
    return found


def _name(agent: Agent) -> str:
    return agent.label or _("A host without a name yet")


@page(GET)
def shown(request: HttpRequest, principal: Principal, agent_id: str) -> HttpResponse:
    """One host: when it was last heard of, and each certificate of it."""
    agent = queries.fetch(principal, GET, agent_id)
    standing = queries.standing(agent)
    context = {
        "title": _name(agent),
        "subtitle": agent.host if agent.host != agent.label else "",
        "crumbs": _crumbs(),
        "agent": agent,
        "tone": TONES[standing],
        "label": _words(standing),
        "silent": standing is Standing.SILENT,
        "waiting": standing is Standing.WAITING,
        "expired": standing is Standing.EXPIRED,
        "lines": [_place(one) for one in queries.places(agent)],
        "facts": [
            {"label": _("Machine"), "value": agent.host, "mono": True},
            {"label": _("Version of the agent"), "value": agent.release},
        ]
        if agent.enrolled_at
        else [],
        "may_remove": principal.may(DELETE, queries.resource_of(agent.account_id, agent.id)),
    }
    return render(request, "console/host.html", context)


def _place(one: Place) -> dict[str, Any]:
    state = BindingState(one.binding.deployment)
    tone, label = STATES[state]
    return {
        "place": one,
        "binding": one.binding,
        "served": served(one.binding.served_certificate_id, one.binding.served),
        "tone": tone,
        "label": label,
        "code": state.value,
        "reason": say(one.binding.reason or one.problem),
        "next_step": say(one.binding.next_step),
        "csrs": list(one.csrs.values())[-1:],
    }


@page(DELETE, post=DELETE)
def remove(request: HttpRequest, principal: Principal, agent_id: str) -> HttpResponse:
    """Asks first, naming what is lost."""
    agent = queries.fetch(principal, DELETE, agent_id)
    if request.method == "POST":
        actions.remove(principal, agent_id)
        tell(request, _("The host is removed; its credential is dead."), "host.removed")
        return back_to("hosts")
    context = {
        "title": _("Remove the host"),
        "crumbs": _crumbs(agent),
        "name": _name(agent),
        "count": queries.places(agent).count(),
        "back": reverse("host", args=[agent_id]),
    }
    return render(request, "console/host_remove.html", context)
