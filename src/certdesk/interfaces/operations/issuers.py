"""Issuers: certificate authorities behind the catalogue, their health and their order (API §10)."""

from collections.abc import Mapping

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.issuance import rehearsing
from certdesk.lifecycle.issuers import product_orders, queries, setting_up
from certdesk.lifecycle.issuers.models import Issuer

from . import paging
from .applications import APPLY, PAY, SUBSCRIBE
from .issuer_schemas import IssuerChange, IssuerOrder, NewIssuer, NewTestOrder
from .registry import operation
from .schemas import PageQuery
from .shapes import Shape

BASE = "/v3/scm/issuers"
ONE = f"{BASE}/{{id}}"
ISSUER = "scm:issuer"


def shape(one: Issuer, own: Mapping[str, tuple[str, ...]] | None = None) -> Shape:
    """Options of kinds with secrets come out masked.

    Args:
        own: the operator's orders, where several issuers are shown; default: they are read.
    """
    served = queries.served_by(one.slug, queries.own_orders() if own is None else own)
    return {
        "id": one.id,
        "slug": one.slug,
        "kind": one.kind,
        "title": say(one.title),
        "profile": one.profile,
        "enabled": one.enabled,
        "priority": one.priority,
        "weekly_limit": one.weekly_limit,
        "options": one.shown,
        "capabilities": one.capabilities,
        "state": one.state,
        "products": [product.id for product, _ in served],
        "created_at": wire(one.created_at),
        "updated_at": wire(one.updated_at),
    }


@operation("issuers.list", "GET", BASE, f"{ISSUER}:list", query=PageQuery)
def listed(principal: Principal, query: PageQuery) -> Shape:
    """The certificate authorities of this installation: the built-in one, then the others by priority."""
    found = [queries.built_in(), *setting_up.listed(principal)]
    rows, behind = paging.after(found, query.limit, query.marker)
    own = queries.own_orders()
    return {"items": [shape(one, own) for one in rows], "next_marker": behind}


@operation("issuers.create", "POST", BASE, f"{ISSUER}:create", request=NewIssuer, success=201)
def create(principal: Principal, body: NewIssuer) -> Shape:
    """Sets up a certificate authority; nothing is asked before test."""
    made = setting_up.add(
        principal,
        kind=body.kind,
        slug=body.slug,
        profile=body.profile,
        title=body.title,
        priority=body.priority,
        weekly_limit=body.weekly_limit,
        enabled=body.enabled,
        given=body.options,
    )
    return {"id": made.id}


@operation("issuers.show", "GET", ONE, f"{ISSUER}:get")
def show(principal: Principal, id: str) -> Shape:  # noqa: A002 the path parameter of the contract
    """One issuer."""
    return shape(setting_up.look_at(principal, id))


@operation("issuers.update", "PUT", ONE, f"{ISSUER}:update", request=IssuerChange)
def update(principal: Principal, id: str, body: IssuerChange) -> Shape:  # noqa: A002
    """New title, priority, limit or options, or whether it gets orders."""
    return shape(setting_up.edit(principal, id, body.model_dump(exclude_none=True)))


@operation("issuers.delete", "DELETE", ONE, f"{ISSUER}:delete", success=204)
def delete(principal: Principal, id: str) -> None:  # noqa: A002
    """Forgets an issuer that no product names and none of whose certificates is in force."""
    setting_up.remove(principal, id)


@operation("issuers.test", "POST", f"{ONE}/test", f"{ISSUER}:test")
def test(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Asks whether it can be reached and accepts our account; orders nothing."""
    found = setting_up.test(principal, id)
    return {
        "ok": found.ok,
        "problem": say(found.problem),
        "next_step": say(found.next_step),
        "notes": [say(note) for note in found.notes],
    }


@operation(
    "issuers.order_test",
    "POST",
    f"{ONE}/test-orders",
    f"{ISSUER}:test",
    also=(SUBSCRIBE, APPLY, PAY),
    request=NewTestOrder,
    success=201,
)
def order_test(principal: Principal, id: str, body: NewTestOrder) -> Shape:  # noqa: A002
    """Orders a real certificate at this issuer alone, at no price here; one at a time."""
    made = rehearsing.rehearse(principal, id, body.domain, clock.now(), agreed=body.agreed)
    return {"certificate_id": made}


@operation("issuers.health", "GET", f"{ONE}/health", f"{ISSUER}:get")
def health(principal: Principal, id: str) -> Shape:  # noqa: A002
    """How an issuer does: state, last failure, what is left of its week, why it got its last order."""
    one = setting_up.look_at(principal, id)
    spent = queries.budget(one, clock.real_now())
    return {
        "state": one.state,
        "since": wire(one.since),
        "failures": one.failures,
        "retry_at": wire(one.retry_at),
        "asked_at": wire(one.asked_at),
        "last_success_at": wire(one.succeeded_at),
        "last_error": {
            "at": wire(one.failed_at),
            "message": say(one.problem),
            "next_step": say(one.next_step),
        },
        "budget": {"used": spent.used, "limit": spent.limit, "free_at": wire(spent.free_at)},
        "chosen_because": say(one.chosen_because),
        "chosen_at": wire(one.chosen_at),
    }


@operation(
    "issuers.of_product",
    "PUT",
    "/v3/scm/products/{product_id}/issuers",
    f"{ISSUER}:update",
    request=IssuerOrder,
)
def of_product(principal: Principal, product_id: str, body: IssuerOrder) -> Shape:
    """Who may serve a product, the first one first; an empty list lets the catalogue decide again."""
    found = product_orders.set_order(principal, product_id, body.root)
    return {"product_id": product_id, "issuers": list(found)}
