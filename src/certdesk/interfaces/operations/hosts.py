"""Hosts with an agent (API §10)."""

from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.hosts import actions, queries
from certdesk.lifecycle.hosts.models import Agent, Place

from . import paging
from .deployment_schemas import AgentChange, NewAgent
from .registry import operation
from .schemas import PageQuery
from .shapes import Shape

BASE = "/v3/scm/agents"
ONE = f"{BASE}/{{id}}"
A = "scm:agent"


def shape(one: Agent) -> Shape:
    """State: WAITING for its enrolment, EXPIRED with its code, ACTIVE or SILENT."""
    return {
        "id": one.id,
        "label": one.label,
        "state": queries.standing(one).value,
        "host": one.host,
        "version": one.release,
        "target_id": one.target_id,
        "enrolled_at": wire(one.enrolled_at),
        "seen_at": wire(one.seen_at),
        "created_at": wire(one.created_at),
    }


def place_shape(one: Place) -> Shape:
    """What a host serves at one place; the CSRs are of keys that never leave it."""
    binding = one.binding
    return {
        "binding_id": binding.id,
        "name": binding.resource,
        "names": binding.names,
        "listeners": one.listeners,
        "csrs": list(one.csrs.values()),
        "deployment": binding.deployment,
        "verdict": binding.verdict,
        "reason": say(binding.reason or one.problem),
        "next_step": say(binding.next_step),
        "desired": {
            "certificate_id": binding.certificate_id,
            "version": one.version,
            "fingerprint": binding.fingerprint,
        },
        "served": {"certificate_id": binding.served_certificate_id, "fingerprint": binding.served},
        "seen_at": wire(binding.seen_at),
    }


@operation(
    "agents.enrolment_code", "POST", f"{BASE}/enrolment-codes", f"{A}:createEnrolmentCode", success=201
)
def enrolment_code(principal: Principal) -> Shape:
    """A code that enrols one host, once, within 15 minutes; it is told this once."""
    made, code = actions.code(principal)
    return {"code": code, "expires_at": wire(made.code_expires_at), "id": made.id}


@operation("agents.list", "GET", BASE, f"{A}:list", query=PageQuery)
def listed(principal: Principal, query: PageQuery) -> Shape:
    """The account's hosts, oldest first."""
    found = queries.listed(principal)
    rows, behind = paging.after(found, query.limit, query.marker)
    return {"items": [shape(one) for one in rows], "next_marker": behind}


@operation("agents.create", "POST", BASE, f"{A}:create", request=NewAgent, success=201)
def create(principal: Principal, body: NewAgent) -> Shape:
    """A host by its name, with the code that enrols it within 15 minutes; it is told this once."""
    made, code = actions.code(principal, body.label, queries.CREATE)
    return {"id": made.id, "code": code, "expires_at": wire(made.code_expires_at)}


@operation("agents.show", "GET", ONE, f"{A}:get")
def show(principal: Principal, id: str) -> Shape:  # noqa: A002 the path parameter of the contract
    """One host with its places."""
    agent = queries.fetch(principal, queries.GET, id)
    return {**shape(agent), "places": [place_shape(one) for one in queries.places(agent)]}


@operation("agents.update", "PUT", ONE, f"{A}:update", request=AgentChange)
def update(principal: Principal, id: str, body: AgentChange) -> Shape:  # noqa: A002
    """Another name."""
    return shape(actions.rename(principal, id, body.label))


@operation("agents.delete", "DELETE", ONE, f"{A}:delete", success=204)
def delete(principal: Principal, id: str) -> None:  # noqa: A002
    """Its credential is dead at once; what the host serves stays as it is."""
    actions.remove(principal, id)
