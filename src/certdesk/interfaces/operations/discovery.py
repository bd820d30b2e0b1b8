"""Scans and what they found: which certificate is served where, and what is wrong with it (API §10)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.discovery import adopting, queries, rules, scans
from certdesk.lifecycle.discovery.adopting import ADOPT, Wanted
from certdesk.lifecycle.discovery.models import Endpoint, Scan
from certdesk.lifecycle.discovery.queries import GET, LIST
from certdesk.lifecycle.discovery.scans import CREATE, DELETE, RUN, UPDATE

from . import paging
from .discovery_schemas import Adoption, EndpointQuery, NewScan
from .registry import operation
from .schemas import PageQuery
from .shapes import Shape

BASE = "/v3/scm/scans"
ONE = f"{BASE}/{{id}}"
ENDPOINTS = "/v3/scm/endpoints"


def shape(one: Scan) -> Shape:
    return {
        "id": one.id,
        "name": one.name,
        "ranges": one.ranges,
        "ports": one.ports,
        "sni": one.sni,
        "protocol": one.protocol,
        "targets": one.targets,
        "per_second": one.per_second,
        "repeat": one.repeat,
        "state": one.state,
        "looked": one.marker,
        "total": one.total,
        "found": one.found,
        "note": say(one.note),
        "created_at": wire(one.created_at),
        "started_at": wire(one.started_at),
        "finished_at": wire(one.finished_at),
        "next_at": wire(one.next_at),
    }


def endpoint_shape(one: Endpoint) -> Shape:
    told = rules.verdicts(queries.facts_of(one), clock.now())
    return {
        "id": one.id,
        "host": one.host,
        "address": one.address,
        "port": one.port,
        "name": one.name,
        "protocol": one.protocol,
        "verdicts": [str(each) for each in told],
        "fingerprint": one.fingerprint,
        "serial": one.serial,
        "subject": one.subject,
        "issuer": one.issuer,
        "names": one.names,
        "not_before": wire(one.not_before),
        "not_after": wire(one.not_after),
        "tls_version": one.version,
        "chain_problem": say(one.chain_problem),
        "certificate_id": one.certificate_id,
        "version": one.number,
        "binding_id": one.binding_id,
        "scan_id": one.scan_id,
        "reason": say(one.reason),
        "first_seen": wire(one.first_seen),
        "last_seen": wire(one.last_seen),
    }


def _wanted(body: NewScan) -> scans.Wanted:
    return scans.Wanted(**body.model_dump())


@operation("scans.list", "GET", BASE, LIST, query=PageQuery)
def listed(principal: Principal, query: PageQuery) -> Shape:
    """The account's scans, newest first."""
    found = queries.listed(principal)
    if query.marker:
        found = queries.behind(found, queries.fetch(principal, LIST, query.marker))
    rows, more = paging.cut(found, query.limit)
    return {"items": [shape(one) for one in rows], "next_marker": rows[-1].id if more else None}


@operation("scans.create", "POST", BASE, CREATE, request=NewScan, success=201)
def create(principal: Principal, body: NewScan) -> Shape:
    """Keeps a scan of hosts and networks that the operator allows; nothing is looked at before it is run,
    or its time comes."""
    return {"id": scans.create(principal, _wanted(body), clock.now()).id}


@operation("scans.show", "GET", ONE, GET)
def show(principal: Principal, id: str) -> Shape:  # noqa: A002 the path parameter of the contract
    """One scan, and how far its present or last run is."""
    return shape(queries.fetch(principal, GET, id))


@operation("scans.update", "PUT", ONE, UPDATE, request=NewScan)
def update(principal: Principal, id: str, body: NewScan) -> Shape:  # noqa: A002
    """All of a scan that is not running."""
    return shape(scans.update(principal, id, _wanted(body), clock.now()))


@operation("scans.delete", "DELETE", ONE, DELETE, success=204)
def delete(principal: Principal, id: str) -> None:  # noqa: A002
    """Forgets a scan with all that it found."""
    scans.delete(principal, id)


@operation("scans.run", "POST", f"{ONE}/run", RUN)
def run(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Begins to look; `looked` of `total` says how far it is."""
    return shape(scans.run(principal, id, clock.now()))


@operation("scans.cancel", "POST", f"{ONE}/cancel", RUN)
def cancel(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Stops a run; what was found stays."""
    return shape(scans.cancel(principal, id, clock.now()))


@operation("endpoints.list", "GET", ENDPOINTS, LIST, query=EndpointQuery)
def endpoints(principal: Principal, query: EndpointQuery) -> Shape:
    """What is served where, what ends first first; what is gone only with `verdict=GONE`."""
    found = queries.endpoints(
        principal, clock.now(), verdict=query.verdict, scan_id=query.scan, text=query.search
    )
    if query.marker:
        found = queries.after(found, query.marker)
    rows, more = paging.cut(found, query.limit)
    items = [endpoint_shape(one) for one in queries.brought_up_to_date(rows)]
    return {"items": items, "next_marker": queries.marker_of(rows[-1]) if more else None}


@operation("endpoints.adopt", "POST", f"{ENDPOINTS}/{{id}}/adopt", ADOPT, request=Adoption)
def adopt(principal: Principal, id: str, body: Adoption) -> Shape:  # noqa: A002
    """UPLOAD: the certificate is hosted without its key and watched. REISSUE: an application with its
    names is begun with a bought certificate; once issued, it is deployed where the old one is served."""
    return {"certificate_id": adopting.adopt(principal, id, Wanted(**body.model_dump()), clock.now())}
