"""The names of an account: proofs, reuse, what the DNS says now, and the pre-flight (API §10)."""

from collections.abc import Sequence
from datetime import datetime

from certdesk.connectors.dns.seen import DomainSeen
from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates.filters import check_limit
from certdesk.lifecycle.validation import ahead, domains, preflight
from certdesk.lifecycle.validation.ahead import Ahead
from certdesk.lifecycle.validation.domains import Domain, Reuse
from certdesk.lifecycle.validation.preflight import Problem, Verdict
from certdesk.lifecycle.validation.queries import NameInfo
from certdesk.lifecycle.validation.rules import NameStatus

from .registry import operation
from .schemas import PageQuery, Preflight, Prove
from .shapes import Shape, name_info


@operation("domains.list", "GET", "/v3/scm/domains", domains.LIST, query=PageQuery)
def listed(principal: Principal, query: PageQuery) -> Shape:
    """Every name that the account has proved or needs, by name; the DNS is not asked."""
    check_limit(query.limit)
    found, marker = domains.listed(principal, query.limit, query.marker)
    return {"items": [_shape(one) for one in found], "next_marker": marker or None}


@operation("domains.show", "GET", "/v3/scm/domains/{name}", domains.LIST)
def show(principal: Principal, name: str) -> Shape:
    """One name, and what the DNS says of it at this moment."""
    found = domains.show(principal, name)
    return {**_shape(found), **_seen(domains.seen_now(principal, name))}


@operation("domains.preflight", "POST", "/v3/scm/domains/preflight", preflight.PROVE, request=Preflight)
def look_before(principal: Principal, body: Preflight) -> Shape:
    """What will fail and why, before anything is ordered."""
    question = preflight.Question(
        tuple(body.domains), body.brand, body.cert_type, body.method, body.auto_dns_auth, body.free
    )
    report = preflight.look(principal, question)
    return {
        "ok": report.ok,
        "problems": [_problem(one) for one in report.problems],
        "domains": [_verdict(one) for one in report.domains],
    }


@operation("domains.prove", "POST", "/v3/scm/domains/{name}/prove", ahead.PROVE, request=Prove)
def prove(principal: Principal, name: str, body: Prove) -> Shape:
    """Proves a name ahead of any order: what to put where, and on repeat whether it is seen."""
    return _ahead(ahead.prove(principal, name, body.method, renew=body.renew, address=body.address))


def _ahead(one: Ahead) -> Shape:
    """The place comes as for the names of an application; empty where an earlier proof counts as it is."""
    info = one.info or NameInfo(one.name, "", NameStatus.VERIFIED, False, None, "", "", (), None)
    kept = one.proof
    return {
        **name_info(info),
        "domain": one.name,
        "method": one.method,
        "status": one.status,
        "value_expires_at": wire(one.expires_at),
        "proofs": [_proof(kept.at, kept.method, kept.br_method, kept.perspective, kept.seen)] if kept else [],
        "reuse_until": _reuse(one.reuse),
    }


def _proof(at: datetime, method: str, br_method: str, perspective: str, seen: str) -> Shape:
    return {
        "at": wire(at),
        "method": method,
        "br_method": br_method,
        "perspective": perspective,
        "seen": say(seen),
    }


def _reuse(found: Sequence[Reuse]) -> list[Shape]:
    return [{"issuer": one.issuer, "profile": one.profile, "until": wire(one.until)} for one in found]


def _shape(one: Domain) -> Shape:
    proofs = []
    if one.proved_at is not None:
        proofs = [_proof(one.proved_at, one.method, one.br_method, one.perspective, one.seen)]
    return {
        "domain": one.name,
        "authorization_domain": one.authorization_domain,
        "record_name": one.record_name,
        "status": one.status(clock.now()),
        "methods_chosen": list(one.chosen),
        "proofs": proofs,
        "proving": one.proving,
        "reuse_until": _reuse(one.reuse),
        "needed_by": list(one.needed_by),
        "certificates": one.used_by,
        "dns_connection": one.connection,
    }


def _seen(seen: DomainSeen) -> Shape:
    return {
        "zone": seen.zone,
        "name_servers": list(seen.name_servers),
        "cname": seen.cname,
        "caa": {"owner": seen.caa_owner, "records": list(seen.caa), "problem": say(seen.caa_problem)},
        "dnssec": {"state": str(seen.signed), "ds": list(seen.ds), "authenticated": seen.authenticated},
        "dns_problem": say(seen.problem),
    }


def _verdict(one: Verdict) -> Shape:
    return {
        "domain": one.domain,
        "ok": one.ok,
        "proved": one.proved,
        "record_name": one.record_name,
        "problems": [_problem(problem) for problem in one.problems],
    }


def _problem(one: Problem) -> Shape:
    return {"code": one.code, "sentence": say(one.sentence), "fix": say(one.fix), "blocking": one.blocking}
