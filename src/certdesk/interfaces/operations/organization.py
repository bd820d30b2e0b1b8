"""The RA desk: the queue, one request, the method, the decision (ORG-1..3, API §10)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.validation import actions, organization_method
from certdesk.lifecycle.validation import organization_queries as queries
from certdesk.lifecycle.validation.organization_queries import OrganizationInfo

from .registry import operation
from .schemas import Decision, Method, PageQuery
from .shapes import Shape

QUEUE = "/v3/scm/organization-verifications"
ONE = f"{QUEUE}/{{certificate_id}}"


@operation("organization.list", "GET", QUEUE, queries.LIST, query=PageQuery)
def queue(principal: Principal, query: PageQuery) -> Shape:
    """Organizations up for verification, who waits longest first; `status` is PENDING by default."""
    page = queries.queue(
        principal, status=query.status or "PENDING", marker=query.marker or None, limit=query.limit
    )
    return {"items": [_info(one) for one in page.items], "next_marker": page.next_marker}


@operation("organization.show", "GET", ONE, queries.LIST)
def show(principal: Principal, certificate_id: str) -> Shape:
    """What the applicant declared, what to check, and who has decided."""
    return _info(queries.show(principal, certificate_id))


def _info(one: OrganizationInfo) -> Shape:
    return {
        "certificate_id": one.certificate_id,
        "domain": one.domain,
        "status": one.status,
        "type": one.type,
        "level": one.level,
        "company": one.company,
        "waiting_since": clock.wire(one.waiting_since),
        "method": one.method,
        "checklist": [{"id": item.id, "text": item.text} for item in one.checklist],
        "documents": [],
        "decisions": [
            {
                "officer": line.officer,
                "decision": "approve" if line.approved else "reject",
                "checked": list(line.checked),
                "reason": line.reason,
                "at": clock.wire(line.at),
            }
            for line in one.decisions
        ],
        "decisions_needed": one.decisions_needed,
        "may_decide": one.may_decide,
        "why_not": one.why_not,
    }


@operation("organization.method", "PUT", f"{ONE}/method", "scm:cert:apply", request=Method)
def method(principal: Principal, certificate_id: str, body: Method) -> Shape:
    """The applicant's choice of how the organization is verified (ORG-1)."""
    organization_method.choose(principal, certificate_id, body.method, clock.now())
    return {"certificate_id": certificate_id, "method": body.method}


@operation("organization.decide", "POST", f"{ONE}/decision", "scm:organization:decide", request=Decision)
def decide(principal: Principal, certificate_id: str, body: Decision) -> Shape:
    """Approves or rejects; an approval ticks the whole checklist, a rejection gives its reason."""
    if body.decision not in ("approve", "reject"):
        raise BadParameter(
            f"decision {body.decision!r} is not known.", next_step="Use approve or reject.", field="decision"
        )
    decided = actions.decide(
        principal,
        certificate_id,
        approve=body.decision == "approve",
        checked=body.checked,
        reason=body.reason,
        now=clock.now(),
        registration_number=body.registration_number,
    )
    return {"status": decided.status, "decisions_needed": decided.decisions_needed}
