"""Deploying and pushing (API §1 #6 to #9, §1.5, §1.6, §1.12) and the deployments themselves (API §10)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.deployment import actions, pushing, queries, rules, states, waiting, waves
from certdesk.lifecycle.deployment.models import Deployment, PushRecord, Service, Step
from certdesk.lifecycle.deployment.rollout import AT_ONCE, Rollout
from certdesk.lifecycle.deployment.rules import Wanted

from . import paging
from .deployment_schemas import (
    BatchPush,
    Deploy,
    DeployedResources,
    DeploymentQuery,
    DeployResource,
    Push,
    PushV2,
)
from .registry import operation
from .shapes import Shape
from .v2_buying import V2, check_project

C = "/v3/scm/certificates/{certificate_id}"
D = "/v3/scm/deployments"
LISTED = "scm:cert:listDeployedResources"
RUNNING = "It is not over yet; look at deployment %s."
SHUT = "It waits for the target's maintenance window, which opens %s UTC."
_ALL = "ALL"


@operation("certificates.deploy", "POST", f"{C}/deploy", queries.DEPLOY, request=Deploy)
def deploy(principal: Principal, certificate_id: str, body: Deploy) -> Shape:
    """Deploys and waits up to 25 s; what failed, or is not over, stands in the answer (DEP-1..9)."""
    service = _service(body.service_name)
    project = "" if service == Service.CDN else body.project_name
    wanted = [_wanted(one, service) for one in body.resources]
    plan = Rollout(**body.rollout.model_dump()) if body.rollout is not None else AT_ONCE
    started = actions.deploy(principal, certificate_id, service, project, wanted, plan)
    failures = [{"resource": key, "failure_info": say(why)} for key, why in started.refused]
    if started.deployment is None:
        return {"failure_list": failures, "deployment_id": ""}
    over = waiting.until_over(started.deployment)
    keys = {one.key for one in wanted}
    failures += [
        {"resource": _key(step, service, keys), "failure_info": _why(step, over)}
        for step in queries.steps(over)
        if step.state != states.StepState.DEPLOYED
    ]
    return {"failure_list": failures, "deployment_id": over.id}


def _service(given: str) -> str:
    if given not in Service.values:
        raise BadParameter(
            f"{given!r:.40} is no service.",
            next_step=f"Use {', '.join(Service.values)}.",
            field="service_name",
        )
    return given


def _wanted(one: DeployResource, service: str) -> Wanted:
    key = one.domain_name or one.id if service == Service.CDN else one.id
    return Wanted(key, one.enterprise_project_id)


def _key(step: Step, service: str, asked: set[str]) -> str:
    """The resource as the request named it."""
    if step.binding is None:
        return step.title
    if service == Service.CDN:
        return next((name for name in step.binding.names if name in asked), step.binding.id)
    return str(step.binding.id)


def _why(step: Step, deployment: Deployment) -> str:
    if step.state not in states.OPEN:
        return f"{say(step.reason)} {say(step.next_step)}".strip()
    held = deployment.pause_reason if deployment.paused else ""
    if step.waits_until is not None:
        held = SHUT % f"{step.waits_until:%Y-%m-%d %H:%M}"
    return f"{say(held)} {say(RUNNING % deployment.id)}".strip()


@operation(
    "certificates.deployed_resources",
    "POST",
    "/v3/scm/deployed-resources",
    LISTED,
    request=DeployedResources,
)
def deployed_resources(principal: Principal, body: DeployedResources) -> Shape:
    """Where certificates are served as far as is known, by service and region (API §1.6)."""
    services = [one for one in body.service_names if one != _ALL]
    unknown = [one for one in services if one not in (*Service.values, "OBS")]
    if unknown:
        raise BadParameter(
            f"{unknown[0]!r:.40} is no service.",
            next_step="Use WAF, CDN, ELB, OTHER or ALL.",
            field="service_names",
        )
    wanted = list(Service.values) if _ALL in body.service_names else services
    return {"results": [_deployed(principal, one, wanted) for one in dict.fromkeys(body.certificate_ids)]}


def _deployed(principal: Principal, certificate_id: str, services: list[str]) -> Shape:
    certificate = certificates.fetch(principal, LISTED, certificate_id)
    found: dict[str, dict[str, list[Shape]]] = {}
    if certificate_rules.state_of(certificate, clock.now()) in rules.DEPLOYABLE:
        for service, by_region in queries.deployed(certificate.account_id, certificate.id, services).items():
            found[service] = {
                "global" if service == Service.CDN else region: [
                    {"resource_id": one.id, "resource_name": one.names[0]} for one in rows
                ]
                for region, rows in by_region.items()
            }
    parts = [_of_service(service, regions) for service, regions in found.items()]
    return {
        "certificate_id": certificate_id,
        "total_num": sum(len(rows) for regions in found.values() for rows in regions.values()),
        "deployed_resources": parts,
    }


def _of_service(service: str, regions: dict[str, list[Shape]]) -> Shape:
    return {
        "service": service,
        "resource_num": sum(map(len, regions.values())),
        "resource_location": "global" if service == Service.CDN else "region-level",
        "region_resources": [
            {"region_id": region, "is_error": False, "resources": rows} for region, rows in regions.items()
        ],
    }


@operation("deployments.list", "GET", D, queries.DEPLOY, query=DeploymentQuery)
def listed(principal: Principal, query: DeploymentQuery) -> Shape:
    """Deployments, newest first."""
    found = queries.deployments(principal, query.certificate)
    if query.marker:
        last = queries.fetch_deployment(principal, query.marker)
        found = found.filter(created_at__lte=last.created_at).exclude(
            created_at=last.created_at, id__gte=last.id
        )
    rows, more = paging.cut(found, query.limit)
    seen = [one for one in rows if queries.may_see(principal, one)]
    return {"items": [shape(one) for one in seen], "next_marker": rows[-1].id if more else None}


@operation("deployments.show", "GET", f"{D}/{{id}}", queries.DEPLOY)
def show(principal: Principal, id: str) -> Shape:  # noqa: A002 the path parameter of the contract
    """One deployment with every look."""
    return shape(queries.fetch_deployment(principal, id))


@operation("deployments.retry", "POST", f"{D}/{{id}}/retry", queries.DEPLOY)
def retry(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Tries what failed again; what is deployed stays."""
    return shape(actions.retry(principal, id))


@operation("deployments.roll_back", "POST", f"{D}/{{id}}/rollback", queries.DEPLOY)
def roll_back(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Puts back what was served before."""
    return shape(actions.roll_back(principal, id))


@operation("deployments.pause", "POST", f"{D}/{{id}}/pause", queries.DEPLOY)
def pause(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Begins no further place until it is resumed; what has begun is ended."""
    return shape(waves.pause(principal, id))


@operation("deployments.resume", "POST", f"{D}/{{id}}/resume", queries.DEPLOY)
def resume(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Goes on with what a person or a stop rule has held."""
    return shape(waves.resume(principal, id))


@operation("deployments.cancel", "POST", f"{D}/{{id}}/cancel", queries.DEPLOY)
def cancel(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Gives up the places that have not begun; the others stay as they are."""
    return shape(waves.cancel(principal, id))


def shape(one: Deployment) -> Shape:
    """State and steps as they stand now."""
    now = Deployment.objects.get(id=one.id)
    steps = queries.steps(now)
    numbers = sorted({step.wave for step in steps})
    return {
        "id": now.id,
        "certificate_id": now.certificate_id,
        "version": now.version,
        "state": now.state,
        "cause": now.cause,
        "paused": now.paused,
        "pause_reason": say(now.pause_reason),
        "wave": now.wave,
        "rollout": {
            "canary": now.canary,
            "wave_size": now.wave_size,
            "stop_after": now.stop_after,
            "stop_percent": now.stop_percent,
        },
        "waves": [
            {"number": wave, "bindings": [step.binding_id for step in steps if step.wave == wave]}
            for wave in numbers
        ],
        "bindings": [_step(step) for step in steps],
        "created_at": wire(now.created_at),
        "finished_at": wire(now.finished_at),
    }


def _step(step: Step) -> Shape:
    return {
        "binding_id": step.binding_id,
        "title": step.title,
        "state": step.state,
        "verdict": step.verdict,
        "reason": say(step.reason),
        "next_step": say(step.next_step),
        "before": {"certificate_id": step.before_certificate_id, "fingerprint": step.before},
        "can_roll_back": bool(step.snapshot_id) and step.state == states.StepState.DEPLOYED,
        "wave": step.wave,
        "attempts": step.attempts,
        "retry_at": wire(step.retry_at),
        "waits_until": wire(step.waits_until),
        "exempt": step.exempt,
        "looks": [{**look, "sentence": say(look["sentence"])} for look in step.looks],
    }


@operation("certificates.push", "POST", f"{C}/push", pushing.PUSH, request=Push, success=204)
def push(principal: Principal, certificate_id: str, body: Push) -> None:
    """Makes the certificate an object of a service, used by nothing yet (PSH-1..3)."""
    pushing.push(principal, certificate_id, body.target_service, body.target_project)


@operation("certificates.batch_push", "POST", f"{C}/batch-push", pushing.PUSH, request=BatchPush)
def batch_push(principal: Principal, certificate_id: str, body: BatchPush) -> Shape:
    """As push, for up to ten projects; each has its own result."""
    results = pushing.batch_push(principal, certificate_id, body.target_service, body.target_projects)
    return {
        "results": [
            {"project_name": one.project, "cert_id": one.object_id, "message": say(one.message)}
            for one in results
        ]
    }


@operation("certificates.push_records", "GET", f"{C}/push-records", pushing.RECORDS)
def push_records(principal: Principal, certificate_id: str) -> Shape:
    """The latest 10 pushes (PSH-4)."""
    found = pushing.records(principal, certificate_id)
    return {"items": [_record(one) for one in found], "next_marker": None}


def _record(one: PushRecord) -> Shape:
    return {
        "version": one.version,
        "service": one.service,
        "project": one.project,
        "ok": one.ok,
        "cert_id": one.object_id,
        "message": say(one.message),
        "pushed_at": wire(one.pushed_at),
    }


@operation("v2.push", "POST", f"{V2}/cert/{{cert_id}}/push", pushing.PUSH, request=PushV2)
def push_v2(principal: Principal, project_id: str, cert_id: str, body: PushV2) -> Shape:
    """As push, in the older API's words."""
    check_project(principal, project_id)
    pushing.push(principal, cert_id, body.service_type, body.remote_project)
    return {"cert_id": cert_id, "message": "success"}


@operation("v2.push_history", "GET", f"{V2}/cert/{{cert_id}}/push-history", "scm:pushHistory:list")
def push_history(principal: Principal, project_id: str, cert_id: str) -> Shape:
    """The latest 10 pushes that succeeded among the records, in the older API's words."""
    check_project(principal, project_id)
    certificate = certificates.fetch(principal, "scm:pushHistory:list", cert_id)
    found = [one for one in queries.pushes(certificate.id) if one.ok]
    return {
        "push_history_list": [
            {
                "push_time": str(clock.to_micros(one.pushed_at) // 1000),
                "push_remote_project": None if one.service == Service.CDN else one.project,
                "push_service": one.service,
            }
            for one in found
        ]
    }
