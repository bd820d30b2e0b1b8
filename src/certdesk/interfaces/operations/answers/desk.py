"""Answers about domains, DNS connections, organizations, tags, CSRs and the address book (API §10)."""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from .certificates import CertificateId, NameProof, Status
from .common import Described, FileAnswer, Made, Marker, Moment


class Reuse(TypedDict):
    issuer: str
    profile: str
    until: Moment


class KeptProof(TypedDict):
    at: Moment
    method: str
    br_method: str
    perspective: str
    seen: str


class DomainInfo(TypedDict):
    domain: str
    authorization_domain: str
    record_name: str
    status: str
    methods_chosen: list[str]
    proofs: list[KeptProof]
    proving: str
    reuse_until: list[Reuse]
    needed_by: list[str]
    certificates: int
    dns_connection: str


class DomainPage(TypedDict):
    items: list[DomainInfo]
    next_marker: Marker


class CaaSeen(TypedDict):
    owner: str
    records: list[str]
    problem: str


class DnssecSeen(TypedDict):
    state: str
    ds: list[str]
    authenticated: bool


class DomainSeen(DomainInfo):
    """One name, and what the DNS says of it at this moment."""

    zone: str
    name_servers: list[str]
    cname: str
    caa: CaaSeen
    dnssec: DnssecSeen
    dns_problem: str


class DomainProblem(TypedDict):
    code: str
    sentence: str
    fix: str
    blocking: bool


class DomainVerdict(TypedDict):
    domain: str
    ok: bool
    proved: bool
    record_name: str
    problems: list[DomainProblem]


class PreflightReport(TypedDict):
    ok: bool
    problems: list[DomainProblem]
    domains: list[DomainVerdict]


class ProvedAhead(NameProof):
    method: str
    value_expires_at: Moment
    proofs: list[KeptProof]
    reuse_until: list[Reuse]


class DnsConnection(TypedDict):
    """Secrets among the options are `***`."""

    id: str
    provider: str
    label: str
    options: dict[str, Any]
    zones: list[str]
    problem: str
    next_step: str
    notes: list[str]
    asked_at: Moment
    created_at: Moment
    updated_at: Moment


class DnsConnectionPage(TypedDict):
    items: list[DnsConnection]
    next_marker: Marker


class DnsConnectionTest(TypedDict):
    ok: bool
    zones: list[str]
    problem: str
    next_step: str
    notes: list[str]


class AcmeCredential(TypedDict):
    """Without its key."""

    kid: str
    label: str
    user_id: str
    names: list[str]
    types: list[str]
    issuer: str
    quota: int | None
    issued: int
    directory: str
    created_at: Moment
    updated_at: Moment
    used_at: Moment


class AcmeCredentialPage(TypedDict):
    items: list[AcmeCredential]
    next_marker: Marker


class AcmeCredentialMade(TypedDict):
    """`hmac_key`: base64url, shown this once."""

    kid: str
    hmac_key: str
    directory: str


class DnsZone(TypedDict):
    id: str
    name: str
    status: str


class DnsZonePage(TypedDict):
    items: list[DnsZone]
    next_marker: Marker


class DnsRecordSet(TypedDict):
    id: str
    name: str
    zone_name: str
    type: str
    ttl: int
    records: list[str]
    status: str


class DnsRecordSetPage(TypedDict):
    items: list[DnsRecordSet]
    next_marker: Marker


class ChecklistItem(TypedDict):
    id: str
    text: str


class OrganizationPromise(TypedDict):
    """Working days: at least, at most, waited so far."""

    least: int
    most: int
    waited: int
    due: str
    late: bool


class OrganizationDocument(TypedDict):
    id: int
    name: str
    kind: str
    size: int
    uploaded_at: Moment
    removed_at: Moment


class OfficerDecision(TypedDict):
    officer: str
    decision: Annotated[str, Field(json_schema_extra={"enum": ["approve", "reject"]})]
    checked: list[str]
    reason: str
    at: Moment


class OrganizationRequest(TypedDict):
    certificate_id: CertificateId
    domain: str
    status: str
    type: str
    level: str
    company: dict[str, str]
    waiting_since: Moment
    method: str
    checklist: list[ChecklistItem]
    method_chosen: bool
    promise: OrganizationPromise | None
    documents: list[OrganizationDocument]
    decisions: list[OfficerDecision]
    decisions_needed: int
    may_decide: bool
    why_not: str


class OrganizationPage(TypedDict):
    items: list[OrganizationRequest]
    next_marker: Marker


class MethodChosen(TypedDict):
    certificate_id: CertificateId
    method: str


class Decided(TypedDict):
    status: Status
    decisions_needed: int


class DocumentAdded(TypedDict):
    id: int
    name: str
    kind: str
    size: int


class TagPair(TypedDict):
    key: str
    value: str


class TagPairs(TypedDict):
    tags: list[TagPair]


class TagValuesFound(TypedDict):
    key: str
    values: list[str]


class AllTags(TypedDict):
    tags: list[TagValuesFound]


class TaggedDetail(TypedDict):
    cert_id: CertificateId
    cert_name: str
    domain: str
    cert_type: str
    cert_brand: str
    domain_type: str
    purchase_period: int
    expired_time: str
    order_status: str
    domain_num: int
    wildcard_number: int
    sans: str
    cert_des: str
    signature_algorithm: str
    fail_reason: str
    partner_order_id: str
    push_support: bool
    cert_issued_time: str
    resource_id: str
    unsubscribe_support: bool
    enterprise_project_id: str
    origin_cert_id: str
    renewal_cert_id: str
    auto_renew_status: int
    remain_cert_number: int
    auto_deploy_support: bool


class TaggedCertificate(TypedDict):
    resource_id: str
    resource_name: str
    tags: list[TagPair]
    resource_detail: TaggedDetail


class TagSearchAnswer(TypedDict):
    """`resources` is absent where only the number was asked for."""

    total_count: int
    resources: NotRequired[list[TaggedCertificate]]


class CsrMade(TypedDict):
    """Times are epoch milliseconds."""

    id: str
    name: str
    domain_name: str
    sans: str
    private_key_algo: str
    usage: str
    company_country: str
    company_province: str
    company_city: str
    company_name: str
    create_time: int
    update_time: int


class Csr(CsrMade):
    """`csr` is empty for the seconds in which the key is made."""

    csr: str


class CsrUploaded(TypedDict):
    id: str
    name: str
    create_time: int


class CsrList(TypedDict):
    csr_list: list[Csr]
    total: int


class PrivateKeyPem(TypedDict):
    private_key: str


class BookedContact(TypedDict):
    id: int
    name: str
    phone: str
    email: str
    used_at: Moment


class BookedContacts(TypedDict):
    items: list[BookedContact]


class BookedCompany(TypedDict):
    id: int
    company_name: str
    company_unit: str
    company_province: str
    company_city: str
    country: str
    registration_number: str
    jurisdiction_country: str
    business_category: str
    used_at: Moment


class BookedCompanies(TypedDict):
    items: list[BookedCompany]


ANSWERS: dict[str, object] = {
    "domains.list": DomainPage,
    "domains.show": DomainSeen,
    "domains.preflight": PreflightReport,
    "domains.prove": ProvedAhead,
    "acme_credentials.list": AcmeCredentialPage,
    "acme_credentials.create": AcmeCredentialMade,
    "acme_credentials.show": AcmeCredential,
    "acme_credentials.update": AcmeCredential,
    "dns_connections.list": DnsConnectionPage,
    "dns_connections.create": Made,
    "dns_connections.show": DnsConnection,
    "dns_connections.update": DnsConnection,
    "dns_connections.test": DnsConnectionTest,
    "dns_connections.zones": DnsZonePage,
    "recordsets.list": DnsRecordSetPage,
    "recordsets.create": Made,
    "recordsets.show": DnsRecordSet,
    "recordsets.update": DnsRecordSet,
    "organization.list": OrganizationPage,
    "organization.show": OrganizationRequest,
    "organization.method": MethodChosen,
    "organization.decide": Decided,
    "organization.documents": DocumentAdded,
    "organization.document": FileAnswer("application/octet-stream"),
    "tags.create": Described,
    "tags.batch": Described,
    "tags.of_certificate": TagPairs,
    "tags.list": AllTags,
    "tags.search": TagSearchAnswer,
    "csrs.create": CsrMade,
    "csrs.upload": CsrUploaded,
    "csrs.list": CsrList,
    "csrs.show": Csr,
    "csrs.update": Csr,
    "csrs.private_key": PrivateKeyPem,
    "contacts.list": BookedContacts,
    "contacts.update": BookedContact,
    "companies.list": BookedCompanies,
    "companies.update": BookedCompany,
}
