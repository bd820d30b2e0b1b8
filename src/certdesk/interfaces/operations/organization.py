"""The RA desk: the queue, one request, the method, the decision (ORG-1..3, API §10)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, NotFound
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.validation import actions, document_rules, documents, organization_method
from certdesk.lifecycle.validation import organization_queries as queries
from certdesk.lifecycle.validation.organization_queries import DocumentLine, OrganizationInfo

from .registry import File, operation
from .schemas import Decision, Document, Method, OrganizationQuery
from .shapes import Shape

QUEUE = "/v3/scm/organization-verifications"
ONE = f"{QUEUE}/{{certificate_id}}"


@operation("organization.list", "GET", QUEUE, queries.LIST, query=OrganizationQuery)
def queue(principal: Principal, query: OrganizationQuery) -> Shape:
    """Organizations up for verification, who waits longest first; `status` is PENDING by default."""
    page = queries.queue(
        principal,
        status=query.status or "PENDING",
        level=query.level,
        method=query.method,
        content=query.content,
        late=query.late,
        marker=query.marker or None,
        limit=query.limit,
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
        "method_chosen": one.method_chosen,
        "promise": {
            "least": one.promise.least,
            "most": one.promise.most,
            "waited": one.promise.waited,
            "due": one.promise.due.isoformat(),
            "late": one.promise.late,
        }
        if one.promise
        else None,
        "documents": [_document(line) for line in one.documents],
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


def _document(line: DocumentLine) -> Shape:
    return {
        "id": line.id,
        "name": line.name,
        "kind": line.kind,
        "size": line.size,
        "uploaded_at": clock.wire(line.uploaded_at),
        "removed_at": clock.wire(line.removed_at),
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


MULTIPART_EXTRA = 64 * 1024


@operation(
    "organization.documents",
    "POST",
    f"{ONE}/documents",
    documents.ADD,
    request=Document,
    multipart=True,
    max_body=document_rules.MAX_BYTES + MULTIPART_EXTRA,
)
def add_document(principal: Principal, certificate_id: str, body: Document) -> Shape:
    """Uploads a document for the officers as the form field `document`: PDF, PNG or JPEG, at most 5 MiB."""
    made = documents.add(principal, certificate_id, body.name, body.content, clock.now())
    return {"id": made.id, "name": made.name, "kind": made.kind, "size": made.size}


@operation("organization.document", "GET", f"{ONE}/documents/{{document_id}}", documents.READ)
def read_document(principal: Principal, certificate_id: str, document_id: str) -> File:
    """The document as a file to save; every reading is written to the audit trail."""
    found = documents.read(principal, certificate_id, number(document_id))
    return File(found.name, "application/octet-stream", found.content)


@operation(
    "organization.remove_document",
    "DELETE",
    f"{ONE}/documents/{{document_id}}",
    documents.ADD,
    success=204,
)
def remove_document(principal: Principal, certificate_id: str, document_id: str) -> None:
    """Takes a document back before an officer has decided with it."""
    documents.remove(principal, certificate_id, number(document_id), clock.now())


def number(text: str) -> int:
    """A row's id in a path.

    Raises:
        NotFound: no row can have it.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound(f"There is nothing with the id {text[:20]}.", next_step="Check the id.")
    return int(text)
