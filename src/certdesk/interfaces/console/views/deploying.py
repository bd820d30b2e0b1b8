"""Deploying a certificate (§4.1) and pushing it (§5.10): service, region, what is there, progress."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.deployment import actions, material, pushing, queries, rules, windows
from certdesk.lifecycle.deployment.errors import NotDeployable
from certdesk.lifecycle.deployment.models import PushRecord, Service
from certdesk.lifecycle.deployment.queries import Place
from certdesk.lifecycle.deployment.rollout import AT_ONCE
from certdesk.lifecycle.deployment.rules import Wanted
from certdesk.lifecycle.deployment.states import BindingState

from ..forms.common import put
from ..forms.deploying import PushForm, RolloutForm
from . import detail, fragments
from .page import alert, back_to, code_of, page, tell

SERVICES = {
    "ELB": gettext_lazy("Load balancers (ELB)"),
    "WAF": gettext_lazy("Web application firewalls (WAF)"),
    "CDN": gettext_lazy("CDN"),
    "OTHER": gettext_lazy("Other servers"),
}
STATES = {
    BindingState.NOT_DEPLOYED: ("end", gettext_lazy("Not deployed")),
    BindingState.DEPLOYING: ("wait", gettext_lazy("Deploying")),
    BindingState.DEPLOYED: ("good", gettext_lazy("Deployed")),
    BindingState.FAILED: ("bad", gettext_lazy("Failed")),
}


@page(queries.DEPLOY, post=queries.DEPLOY)
def deploy(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """Service → region → what is there with its status; one or several, confirmed (DEP-2)."""
    certificate = certificates.fetch(principal, queries.DEPLOY, certificate_id)
    try:
        material.checked(principal, queries.DEPLOY, certificate_id)
    except NotDeployable as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    service, region, regions = _chosen(request, principal)
    places = _places(principal, certificate, service, region)
    if request.method == "POST":
        return _posted(request, principal, certificate, service, region, places)
    context = {
        "title": _("Deploy certificate"),
        "subtitle": certificate.domain or certificate.name,
        "tabs": [_tab(certificate, one, one == service) for one in SERVICES],
        "regions": [_region_tab(certificate, service, one, one == region) for one in regions],
        "service": service,
        "region": region,
        "lines": [_line(one) for one in places],
        "ready": any(not one.refusal and one.state is not BindingState.DEPLOYING for one in places),
        "one": _one_label(service),
        "many": _("Batch Update") if service == Service.ELB else _("Deploy"),
        "seen": _signature(places),
        "running": any(one.state is BindingState.DEPLOYING for one in places),
        "status_url": _here("deploy-status", certificate, service, region),
        "latest": queries.deployments(principal, certificate.id)[:5],
        "may_targets": principal.may("scm:target:list"),
        **detail.crumbs(certificate),
    }
    return render(request, "console/deploy.html", context)


def _one_label(service: str) -> str:
    return _("Update Certificate") if service == Service.ELB else _("Deploy")


def _chosen(request: HttpRequest, principal: Principal) -> tuple[str, str, list[str]]:
    """Service and region of the address, or the first that has a target; the regions to choose from."""
    given = request.POST if request.method == "POST" else request.GET
    connected = queries.services(principal)
    first = next((one for one in SERVICES if one in connected), Service.ELB.value)
    service = given.get("service", "")
    service = service if service in SERVICES else first
    regions = queries.regions(principal, service)
    region = given.get("region", "")
    return service, region if region in regions else (regions[0] if regions else ""), regions


def _places(principal: Principal, certificate: Certificate, service: str, region: str) -> list[Place]:
    if not principal.may(queries.LIST_BINDINGS):
        return []
    version = certificates.current_version(certificate)
    fingerprint = version.fingerprint_sha1 if version is not None else ""
    return queries.places(principal, certificate, fingerprint, service, region)


def _here(name: str, certificate: Certificate, service: str, region: str = "") -> str:
    wanted = {"service": service, **({"region": region} if region else {})}
    return f"{reverse(name, args=[certificate.id])}?{urlencode(wanted)}"


def _tab(certificate: Certificate, service: str, active: bool) -> dict[str, Any]:
    return {"label": SERVICES[service], "url": _here("deploy", certificate, service), "active": active}


def _region_tab(certificate: Certificate, service: str, region: str, active: bool) -> dict[str, Any]:
    return {"label": region, "url": _here("deploy", certificate, service, region), "active": active}


def _line(one: Place) -> dict[str, Any]:
    tone, label = STATES[one.state]
    return {
        "id": one.binding.id,
        "target": one.binding.target,
        "names": one.binding.names,
        "resource": one.binding.resource,
        "served": served(one.binding.served_certificate_id, one.binding.served),
        "tone": tone,
        "label": label,
        "code": one.state.value,
        "reason": say(one.binding.reason) if one.state is BindingState.FAILED else "",
        "next_step": say(one.binding.next_step) if one.state is BindingState.FAILED else "",
        "seen_at": one.binding.seen_at if one.state is BindingState.DEPLOYED else None,
        "refusal": say(one.refusal),
        "overwritten": one.overwritten,
        "can": not one.refusal and one.state is not BindingState.DEPLOYING,
    }


def served(certificate_id: str, fingerprint: str) -> dict[str, str]:
    """The certificate that is served there now, where it is one of ours; an empty fingerprint for none."""
    if not fingerprint:
        return {"label": _("no certificate"), "url": ""}
    found = Certificate.objects.filter(id=certificate_id).first() if certificate_id else None
    if found is None:
        return {"label": _("a certificate from elsewhere"), "url": ""}
    url = reverse("certificate", args=[found.id]) if found.state != "DELETED" else ""
    return {"label": found.name, "url": url}


def _posted(
    request: HttpRequest,
    principal: Principal,
    certificate: Certificate,
    service: str,
    region: str,
    places: list[Place],
) -> HttpResponse:
    asked = set(request.POST.getlist("binding"))
    chosen = [one for one in places if one.binding.id in asked]
    back = _here("deploy", certificate, service, region)
    if not chosen:
        alert(
            request, BadParameter(_("Nothing was chosen."), next_step=_("Tick what the certificate is for."))
        )
        return HttpResponseRedirect(back)
    form = RolloutForm(request.POST if "confirmed" in request.POST else None, count=len(chosen))
    if "confirmed" not in request.POST or not form.is_valid():
        context = {
            "form": form,
            "several": len(chosen) > 1,
            "windows": _windows(chosen),
            "title": _("Confirm the deployment"),
            "service": service,
            "region": region,
            "lines": [_line(one) for one in chosen],
            "overwrites": any(one.overwritten for one in chosen),
            "submit": _("Confirm"),
            "names": [name for name in certificate.sans.split(";") if name],
            "cancel": back,
            **detail.crumbs(certificate),
        }
        return render(request, "console/deploy_confirm.html", context)
    wanted = [Wanted(one.binding.id) for one in chosen]
    started = actions.deploy(principal, certificate.id, service, region, wanted, form.plan())
    for _key, why in started.refused:
        alert(request, WrongState(why))
    if started.deployment is not None:
        words = _("The deployment has begun; it counts once the new certificate is really served.")
        tell(request, words, "deployment.begun")
        if form.plan() != AT_ONCE:
            return back_to("deployment", started.deployment.id)
    return HttpResponseRedirect(back)


def _windows(chosen: list[Place]) -> list[dict[str, Any]]:
    """The targets that may not be changed at this moment, with when they may."""
    now = clock.real_now()
    found = {one.binding.target.label: windows.read(one.binding.target.window) for one in chosen}
    waits = {label: windows.opens(window, now) for label, window in found.items()}
    return [{"label": label, "until": until} for label, until in waits.items() if until is not None]


def _signature(places: list[Place]) -> str:
    """Changes with every status on the page."""
    return "-".join(one.state.value[:3] + one.state.value[-1:] for one in places)[:500]


@page(queries.DEPLOY)
def deploy_status(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """Asked by the open page while something is being deployed."""
    certificate = certificates.fetch(principal, queries.DEPLOY, certificate_id)
    service, region, _regions = _chosen(request, principal)
    now = _signature(_places(principal, certificate, service, region))
    return fragments.unchanged() if now == request.GET.get("seen") else fragments.reload()


@page(pushing.PUSH, post=pushing.PUSH)
def push(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """To a service and region; below, the latest ten pushes (PSH-4)."""
    certificate = certificates.fetch(principal, pushing.PUSH, certificate_id)
    try:
        material.checked(principal, pushing.PUSH, certificate_id)
    except NotDeployable as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    choices = _push_places(principal)
    form = PushForm(request.POST if request.method == "POST" else None, choices=choices)
    code = ""
    if request.method == "POST" and form.is_valid():
        service, _colon, region = form.cleaned_data["place"].partition(":")
        try:
            made = pushing.push(principal, certificate_id, service, region)
        except CertdeskError as error:
            put(form, error)
            code = code_of(error)
        else:
            tell(
                request,
                _("The certificate is pushed. Configure it at the target, then clients can meet it."),
                "certificate.pushed",
            )
            url = reverse("push", args=[certificate_id])
            return HttpResponseRedirect(f"{url}?{urlencode({'pushed': made.object_id})}")
    context = {
        "title": _("Push certificate"),
        "subtitle": certificate.domain or certificate.name,
        "form": form if choices else None,
        "code": code,
        "configure": _configure(principal, request.GET.get("pushed", "")),
        "records": [_record(one) for one in queries.pushes(certificate.id)],
        "may_targets": principal.may("scm:target:create"),
        **detail.crumbs(certificate),
    }
    return render(request, "console/push.html", context, status=422 if form.errors else 200)


def _push_places(principal: Principal) -> list[tuple[str, str]]:
    """Services with their regions, as far as targets are connected; CDN has none."""
    found = []
    for service in rules.PUSH_SERVICES:
        regions = queries.regions(principal, service)
        if service == Service.CDN:
            found += [(f"{service}:", str(SERVICES[service]))] if regions else []
        else:
            found += [(f"{service}:{region}", f"{SERVICES[service]} · {region}") for region in regions]
    return found


def _configure(principal: Principal, binding_id: str) -> str:
    """*Configure now*: the target on which the certificate has just arrived."""
    if not binding_id or not principal.may(queries.LIST_BINDINGS):
        return ""
    found = queries.bindings(principal).filter(id=binding_id).first()
    return reverse("target", args=[found.target_id]) if found and principal.may("scm:target:get") else ""


def _record(one: PushRecord) -> dict[str, Any]:
    return {
        "at": one.pushed_at,
        "service": SERVICES.get(one.service, one.service),
        "project": one.project or "–",
        "version": one.version,
        "tone": "good" if one.ok else "bad",
        "label": _("Pushed") if one.ok else _("Failed"),
        "message": "" if one.ok else say(one.message),
    }
