"""Targets and bindings (API §10)."""

from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.deployment import bindings, queries, targets
from certdesk.lifecycle.deployment.models import Binding, Target

from . import paging
from .deployment_schemas import BindingChange, BindingQuery, NewTarget, TargetChange
from .registry import operation
from .schemas import PageQuery
from .shapes import Shape

BASE = "/v3/scm/targets"
ONE = f"{BASE}/{{id}}"
T = "scm:target"


def shape(one: Target) -> Shape:
    """Options of kinds with secrets come out masked."""
    return {
        "id": one.id,
        "service": one.service,
        "kind": one.kind,
        "label": one.label,
        "region": one.region,
        "project": one.project,
        "window": one.window,
        "options": one.shown,
        "problem": say(one.problem),
        "next_step": say(one.next_step),
        "notes": [say(note) for note in one.notes],
        "asked_at": wire(one.asked_at),
        "created_at": wire(one.created_at),
        "updated_at": wire(one.updated_at),
    }


def binding_shape(one: Binding) -> Shape:
    """`desired` and `served`: the certificate, where it is of this account, and SHA-1 of its leaf."""
    return {
        "id": one.id,
        "target_id": one.target_id,
        "service": one.target.service,
        "region": one.target.region,
        "resource": one.resource,
        "names": one.names,
        "listeners": one.listeners,
        "policy": one.policy,
        "desired": {
            "certificate_id": one.certificate_id,
            "version": one.version,
            "fingerprint": one.fingerprint,
        },
        "served": {"certificate_id": one.served_certificate_id, "fingerprint": one.served},
        "deployment": one.deployment,
        "drift": one.drift,
        "exempt": one.exempt,
        "verdict": one.verdict,
        "reason": say(one.reason),
        "next_step": say(one.next_step),
        "seen_at": wire(one.seen_at),
    }


@operation("targets.list", "GET", BASE, f"{T}:list", query=PageQuery)
def listed(principal: Principal, query: PageQuery) -> Shape:
    """The account's targets, oldest first."""
    found = targets.listed(principal)
    rows, behind = paging.after(found, query.limit, query.marker)
    return {"items": [shape(one) for one in rows], "next_marker": behind}


@operation("targets.create", "POST", BASE, f"{T}:create", request=NewTarget, success=201)
def create(principal: Principal, body: NewTarget) -> Shape:
    """Connects a target; nothing is asked before test or discover."""
    made = targets.add(
        principal,
        service=body.service,
        kind=body.kind,
        region=body.region,
        project=body.project,
        label=body.label,
        window=body.window.stored() if body.window is not None else {},
        given=body.options,
    )
    return {"id": made.id}


@operation("targets.show", "GET", ONE, f"{T}:get")
def show(principal: Principal, id: str) -> Shape:  # noqa: A002 the path parameter of the contract
    """One target."""
    return shape(targets.fetch(principal, targets.GET, id))


@operation("targets.update", "PUT", ONE, f"{T}:update", request=TargetChange)
def update(principal: Principal, id: str, body: TargetChange) -> Shape:  # noqa: A002
    """New label, region, project or options."""
    changes = body.model_dump(exclude_none=True, exclude={"window"})
    if body.window is not None:
        changes["window"] = body.window.stored()
    return shape(targets.edit(principal, id, changes))


@operation("targets.delete", "DELETE", ONE, f"{T}:delete", success=204)
def delete(principal: Principal, id: str) -> None:  # noqa: A002
    """Forgets a target and its bindings; what it serves stays as it is."""
    targets.remove(principal, id)


@operation("targets.test", "POST", f"{ONE}/test", f"{T}:test")
def test(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Asks whether the target can be reached and changed; changes nothing there."""
    found = targets.test(principal, id)
    return {
        "ok": found.ok,
        "resources": len(found.resources),
        "problem": say(found.problem),
        "next_step": say(found.next_step),
        "notes": [say(note) for note in found.notes],
    }


@operation("targets.discover", "POST", f"{ONE}/discover", f"{T}:discover")
def discover(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Looks the target through; answers its bindings."""
    return {"bindings": [binding_shape(one) for one in targets.discover(principal, id)]}


@operation("bindings.list", "GET", "/v3/scm/bindings", queries.LIST_BINDINGS, query=BindingQuery)
def binding_list(principal: Principal, query: BindingQuery) -> Shape:
    """What targets should serve and serve, by target and certificate."""
    found = queries.bindings(principal, query.target, query.certificate)
    if query.marker:
        found = found.filter(id__gt=query.marker)
    rows, more = paging.cut(found, query.limit)
    seen = [
        one
        for one in rows
        if principal.may(queries.LIST_BINDINGS, queries.binding_resource(one.account_id, one.id))
    ]
    return {"items": [binding_shape(one) for one in seen], "next_marker": rows[-1].id if more else None}


@operation("bindings.update", "PUT", "/v3/scm/bindings/{id}", queries.UPDATE_BINDING, request=BindingChange)
def binding_update(principal: Principal, id: str, body: BindingChange) -> Shape:  # noqa: A002
    """What it should serve, REPORT or MEND; a deployment is started by `deploy` alone."""
    return binding_shape(bindings.change(principal, id, body.certificate_id, body.policy, body.exempt))
