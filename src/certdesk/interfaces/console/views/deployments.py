"""Deployments: the list, one with every look, trying again, going back."""

import hashlib
from typing import Any

from django.db.models import QuerySet
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
from certdesk.lifecycle.deployment import actions, queries, states, waves
from certdesk.lifecycle.deployment.models import Deployment, Step
from certdesk.lifecycle.deployment.states import DeploymentState, StepState

from . import fragments, narrowed
from .page import alert, back_to, page, tell

PAGE = 20
STATES = {
    DeploymentState.PLANNED: ("wait", gettext_lazy("Planned")),
    DeploymentState.RUNNING: ("wait", gettext_lazy("Running")),
    DeploymentState.COMMITTED: ("good", gettext_lazy("Deployed")),
    DeploymentState.ROLLED_BACK: ("end", gettext_lazy("Rolled back")),
    DeploymentState.FAILED: ("bad", gettext_lazy("Failed")),
    DeploymentState.PAUSED: ("you", gettext_lazy("Paused")),
    DeploymentState.CANCELLED: ("end", gettext_lazy("Cancelled")),
}
STEPS = {
    StepState.PLANNED: ("wait", gettext_lazy("Planned")),
    StepState.RUNNING: ("wait", gettext_lazy("Deploying")),
    StepState.DEPLOYED: ("good", gettext_lazy("Deployed")),
    StepState.ROLLED_BACK: ("end", gettext_lazy("Rolled back")),
    StepState.FAILED: ("bad", gettext_lazy("Failed")),
    StepState.CANCELLED: ("end", gettext_lazy("Cancelled")),
}


@page(queries.DEPLOY)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Newest first."""
    found, asked = _narrowed(request, queries.deployments(principal))
    marker = request.GET.get("marker", "")
    if marker:
        last = queries.fetch_deployment(principal, marker)
        found = found.filter(created_at__lte=last.created_at).exclude(
            created_at=last.created_at, id__gte=last.id
        )
    rows, more = paging.cut(found, PAGE)
    names = dict(
        Certificate.objects.filter(id__in=[one.certificate_id for one in rows]).values_list("id", "name")
    )
    context = {
        "title": _("Deployments"),
        "lines": [
            _line(one, names.get(one.certificate_id, one.certificate_id))
            for one in rows
            if queries.may_see(principal, one)
        ],
        "asked": bool(asked),
        "clear": reverse("deployments"),
        "next_url": f"?{urlencode({**asked, 'marker': rows[-1].id})}" if more else "",
        "previous_url": f"{reverse('deployments')}?{urlencode(asked)}" if marker else "",
    }
    return render(request, "console/deployments.html", context)


def _narrowed(
    request: HttpRequest, found: QuerySet[Deployment]
) -> tuple[QuerySet[Deployment], dict[str, str]]:
    """Those in a state, or begun since a day; unknown values are those of the plain list."""
    asked = {name: request.GET.get(name, "") for name in ("state", "since")}
    since, kept = narrowed.day(asked["since"]), {}
    if asked["state"] in list(DeploymentState):
        found, kept["state"] = found.filter(state=asked["state"]), asked["state"]
    if since:
        found, kept["since"] = found.filter(created_at__gte=since), asked["since"]
    return found, kept


def _line(one: Deployment, name: str) -> dict[str, Any]:
    tone, label = STATES[DeploymentState(one.state)]
    steps = queries.steps(one)
    return {
        "deployment": one,
        "name": name,
        "url": reverse("deployment", args=[one.id]),
        "tone": tone,
        "label": label,
        "places": [step.title.partition(":")[0] for step in steps][:3],
        "count": len(steps),
        "done": sum(step.state == StepState.DEPLOYED for step in steps),
    }


@page(queries.DEPLOY)
def shown(request: HttpRequest, principal: Principal, deployment_id: str) -> HttpResponse:
    """One deployment: each binding, what was seen there, and what can be done."""
    one = queries.fetch_deployment(principal, deployment_id)
    certificate = Certificate.objects.get(id=one.certificate_id)
    steps = queries.steps(one)
    tone, label = STATES[DeploymentState(one.state)]
    title, text = _next(one, steps)
    context = {
        "title": certificate.domain or certificate.name,
        "title_is_domain": bool(certificate.domain),
        "crumbs": [{"label": _("Deployments"), "url": reverse("deployments")}],
        "deployment": one,
        "certificate": certificate,
        "tone": tone,
        "label": label,
        "next": {"title": title, "text": text, "tone": tone},
        "running": one.state not in states.OVER,
        "seen": _signature(steps),
        "waves": _waves(one, steps),
        "pause_reason": say(one.pause_reason),
        "may_pause": one.state not in states.OVER and not one.paused and _waiting(steps),
        "may_resume": one.paused and one.state not in states.OVER,
        "may_cancel": one.state not in states.OVER and _waiting(steps),
        "may_retry": any(step.state == StepState.FAILED and not step.back for step in steps),
        "may_roll_back": one.state in states.OVER and any(_can_go_back(step) for step in steps),
    }
    return render(request, "console/deployment.html", context)


def _waiting(steps: list[Step]) -> bool:
    return any(step.state == StepState.PLANNED for step in steps)


def _waves(one: Deployment, steps: list[Step]) -> list[dict[str, Any]]:
    """The steps by wave; one wave alone has no heading."""
    numbers = sorted({step.wave for step in steps})
    return [
        {
            "title": _wave_title(one, number) if len(numbers) > 1 else "",
            "steps": [_step(step) for step in steps if step.wave == number],
        }
        for number in numbers
    ]


def _wave_title(one: Deployment, number: int) -> str:
    if number == 1 and one.canary:
        return _("First wave: the trial")
    return _("Wave %(number)d") % {"number": number}


def _can_go_back(step: Step) -> bool:
    return (
        bool(step.snapshot_id)
        and step.binding_id is not None
        and (step.state == StepState.DEPLOYED or (step.state == StepState.FAILED and step.back))
    )


def _next(one: Deployment, steps: list[Step]) -> tuple[str, str]:
    failed = sum(step.state == StepState.FAILED for step in steps)
    match DeploymentState(one.state):
        case DeploymentState.COMMITTED:
            return _("The new certificate is served everywhere it was deployed to."), _(
                "Each place was looked at from outside, over TLS."
            )
        case DeploymentState.ROLLED_BACK:
            return _("What was served before is served again."), ""
        case DeploymentState.FAILED:
            return _("Failed at %(count)d of %(all)d places.") % {"count": failed, "all": len(steps)}, _(
                "Nothing blocks the others. Read what was seen, then try again."
            )
        case DeploymentState.CANCELLED:
            return _("What had not begun was given up."), _("Those places serve what they served before.")
        case DeploymentState.PAUSED:
            left = sum(step.state == StepState.PLANNED for step in steps)
            return _("It is held: %(count)d places have not begun.") % {"count": left}, say(one.pause_reason)
    return _("The deployment is under way."), _("This page follows it.")


def _step(step: Step) -> dict[str, Any]:
    tone, label = STEPS[StepState(step.state)]
    return {
        "step": step,
        "tone": tone,
        "label": label,
        "reason": say(step.reason),
        "next_step": say(step.next_step),
        "names": step.binding.names if step.binding is not None else [],
        "retry_at": step.retry_at,
        "waits_until": step.waits_until,
        "exempt": step.exempt,
        "looks": [
            {"tone": "good" if look["verdict"] == "NEW" else "bad", "text": say(look["sentence"])}
            for look in step.looks
        ],
    }


def _signature(steps: list[Step]) -> str:
    text = "-".join(f"{step.state}{step.attempts}{step.waits_until or ''}" for step in steps)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@page(queries.DEPLOY)
def status(request: HttpRequest, principal: Principal, deployment_id: str) -> HttpResponse:
    """Asked by the open page while the deployment runs."""
    one = queries.fetch_deployment(principal, deployment_id)
    same = _signature(queries.steps(one)) == request.GET.get("seen")
    return fragments.unchanged() if same else fragments.reload()


@page("", post=queries.DEPLOY)
def retry(request: HttpRequest, principal: Principal, deployment_id: str) -> HttpResponse:
    try:
        actions.retry(principal, deployment_id)
    except CertdeskError as error:
        alert(request, error)
    else:
        tell(request, _("What failed is tried again."), "deployment.retried")
    return back_to("deployment", deployment_id)


@page("", post=queries.DEPLOY)
def hold(request: HttpRequest, principal: Principal, deployment_id: str) -> HttpResponse:
    """Pauses, resumes or cancels it."""
    verbs = {
        "pause": (waves.pause, _("No further place is begun until you go on.")),
        "resume": (waves.resume, _("It goes on.")),
        "cancel": (waves.cancel, _("What had not begun is given up.")),
    }
    verb, words = verbs.get(request.POST.get("verb", ""), verbs["pause"])
    try:
        verb(principal, deployment_id)
    except CertdeskError as error:
        alert(request, error)
    else:
        tell(request, words, "deployment.held")
    return back_to("deployment", deployment_id)


@page(queries.DEPLOY, post=queries.DEPLOY)
def roll_back(request: HttpRequest, principal: Principal, deployment_id: str) -> HttpResponse:
    """Asks first: names the places where the previous certificate comes back."""
    one = queries.fetch_deployment(principal, deployment_id)
    if request.method == "POST":
        try:
            actions.roll_back(principal, deployment_id)
        except CertdeskError as error:
            alert(request, error)
        else:
            tell(request, _("The previous certificate is being put back."), "deployment.rolled_back")
        return back_to("deployment", deployment_id)
    context = {
        "title": _("Roll back the deployment"),
        "crumbs": [{"label": _("Deployments"), "url": reverse("deployments")}],
        "steps": [step for step in queries.steps(one) if _can_go_back(step)],
        "back": reverse("deployment", args=[deployment_id]),
    }
    return render(request, "console/deployment_back.html", context)
