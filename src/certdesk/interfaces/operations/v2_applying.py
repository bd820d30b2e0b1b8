"""The older API's way to an application: save, read, submit, proofs, documents, CSR check (API §1.12)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import drafts
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.certificates import queries
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.issuance import actions
from certdesk.lifecycle.validation import document_rules, documents
from certdesk.lifecycle.validation import queries as proofs
from certdesk.pki.keystore import queries as keystore
from certdesk.pki.x509 import keys
from certdesk.pki.x509.csr import parse_csr

from .organization import MULTIPART_EXTRA
from .registry import operation
from .schemas import Apply, CheckCsr, Document, Draft
from .shapes import Shape
from .v2_buying import V2, check_project

ONE = f"{V2}/cert/{{cert_id}}"
COMPLETE = "scm:cert:complete"
SUCCESS = {"request_info": "success"}
PROOFS = {"BL": "bank-account-permit", "TL": "business-license"}


@operation("v2.apply", "POST", f"{ONE}/complete", COMPLETE, request=Apply)
def apply(principal: Principal, project_id: str, cert_id: str, body: Apply) -> Shape:
    """Submits the application (APP-1); `domain_method` may be in lower case here."""
    check_project(principal, project_id)
    actions.apply(principal, cert_id, _form(body), clock.now())
    return dict(SUCCESS)


def _form(body: Apply) -> ApplicationForm:
    return ApplicationForm(**{**body.model_dump(), "domain_method": body.domain_method.upper()})


@operation("v2.save", "POST", f"{ONE}/save", COMPLETE, request=Draft)
def save(principal: Principal, project_id: str, cert_id: str, body: Draft) -> Shape:
    """Keeps what was filled in so far without submitting it; the privacy authorization is needed for it."""
    check_project(principal, project_id)
    drafts.save(principal, cert_id, _form(body), clock.now())
    return dict(SUCCESS)


@operation("v2.read", "POST", f"{ONE}/read", COMPLETE)
def read(principal: Principal, project_id: str, cert_id: str) -> Shape:
    """What was saved, else what was submitted last; every field is there, "" where nothing is kept."""
    check_project(principal, project_id)
    kept = drafts.read(principal, cert_id)
    left_out = {"agree_privacy_protection", "csr_id", "auto_dns_auth"}
    fields = [name for name in Apply.model_fields if name not in left_out]
    return {"cert_id": cert_id, **{name: kept.get(name) or "" for name in fields}}


@operation("v2.domain_verify", "GET", f"{ONE}/domain-verify", "scm:cert:get")
def domain_verify(principal: Principal, project_id: str, cert_id: str) -> Shape:
    """What to set up for the first name that is not proved yet, or for the first of all."""
    check_project(principal, project_id)
    found = queries.fetch(principal, "scm:cert:get", cert_id)
    application = applications.latest(found.id)
    if application is None or found.state == State.PAID:
        raise WrongState(
            "Nothing was applied for yet, so there is no domain name to verify.",
            next_step="Submit the application first.",
        )
    info = proofs.info_of(found)
    one = next((each for each in info.domains if each.verified_at is None), info.domains[0])
    return {
        "domain_name": one.domain,
        "domain_email": ";".join(mail.address for mail in one.mails) or None,
        "record_name": one.record_name,
        "record_value": one.record_value.strip('"') or one.file_content,
        "record_type": one.record_type,
        "domain_method": info.method,
        "applicant_email": applications.applicant_address(application.id),
        "auto_dns_auth": info.auto_dns,
    }


@operation("v2.check_csr", "POST", f"{V2}/check-csr", COMPLETE, request=CheckCsr)
def check_csr(principal: Principal, project_id: str, body: CheckCsr) -> Shape:
    """Whether a CSR can be applied with, and its names (APP-12); the key algorithm is ours."""
    check_project(principal, project_id)
    found = parse_csr(body.csr, blocked=keystore.is_blocked)
    names = [name.text for name in found.names]
    return {
        "domain_name": names[0],
        "domain": names[0],
        "sans": ";".join(names[1:]),
        "key_algorithm": str(keys.algorithm_of(found.public_key)),
    }


@operation(
    "v2.upload_proof",
    "POST",
    f"{ONE}/info/{{type}}/upload_authentication",
    COMPLETE,
    request=Document,
    multipart=True,
    max_body=document_rules.MAX_BYTES + MULTIPART_EXTRA,
)
def upload_proof(principal: Principal, project_id: str, cert_id: str, type: str, body: Document) -> Shape:  # noqa: A002 the path's name
    """A document for the officers (ORG-1): `BL` a bank account opening permit, `TL` a business license."""
    check_project(principal, project_id)
    queries.fetch(principal, documents.ADD, cert_id)
    title = PROOFS.get(type)
    if title is None:
        raise BadParameter(
            f"The type {type[:20]!r} is not known.",
            next_step=f"Use one of: {', '.join(PROOFS)}.",
            field="type",
        )
    documents.add(
        principal, cert_id, f"{title}-{body.name}" if body.name else title, body.content, clock.now()
    )
    return dict(SUCCESS)
