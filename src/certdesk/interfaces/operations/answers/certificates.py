"""Answers about certificates (API §1.2, §1.3, §10)."""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from certdesk.lifecycle.certificates.filters import MOST
from certdesk.lifecycle.certificates.states import State

from .common import Done, FileAnswer, Marker, Moment

CertificateId = Annotated[str, Field(examples=["scs1600313391074"])]
Status = Annotated[str, Field(json_schema_extra={"enum": [state.value for state in State]})]


class CertificateItem(TypedDict):
    """A certificate in a list (API §1.2); `sans` are the additional names, separated by `;`."""

    id: CertificateId
    name: str
    domain: str
    sans: str
    signature_algorithm: str
    deploy_support: bool
    type: str
    brand: str
    expire_time: Moment
    domain_type: str
    validity_period: int
    status: Status
    domain_count: int
    wildcard_count: int
    description: str
    domain_id: str
    enterprise_project_id: str


class InventoryItem(CertificateItem):
    """A certificate of the search: §1.2 and who owns it; names are empty for who is gone."""

    owner: str
    owner_name: str
    owner_group: str
    owner_group_name: str
    auto_renewal: bool


class CertificateList(TypedDict):
    certificates: list[CertificateItem]
    total_count: Annotated[int, Field(ge=0, le=MOST)]


class CertificatePage(TypedDict):
    items: list[InventoryItem]
    next_marker: Marker


class ApplicationInfo(TypedDict):
    country: str
    company_name: str
    company_province: str
    company_city: str
    applicant_name: str
    applicant_phone: str
    applicant_email: str
    contact_name: str
    contact_phone: str
    contact_email: str


class RecordToSet(TypedDict):
    record_name: str
    record_type: str
    record_value: str
    domain: str


class ChainFinding(TypedDict):
    """What is odd about an uploaded chain; `certificate` counts from 1, the server's own."""

    code: str
    certificate: int
    sentence: str


class CaTask(TypedDict):
    """What a CA wants to see; `by` says who sets it up: automatic, served, hand, or words for people."""

    name: str
    method: str
    where: str
    record_type: str
    value: str
    by: str
    seen: bool
    done: bool
    words: str


class CaChoice(TypedDict):
    """Why an issuer got the order, or did not."""

    issuer: str
    taken: bool
    reason: str


class CaAdvice(TypedDict):
    """When the CA wants the current version replaced (RFC 9773); `hurried`: sooner than usual."""

    start: Moment
    end: Moment
    hurried: bool
    explanation: str
    problem: str
    asked_at: Moment
    next_at: Moment


class CaOrder(TypedDict):
    """The last order at a CA outside. `words` are the CA's own; `who` acts: you, officer, CA, or nobody."""

    issuer: str
    title: str
    number: str
    state: str
    words: str
    problem: str
    next_step: str
    asked_at: Moment
    next_at: Moment
    who: str
    tasks: list[CaTask]
    reasons: list[CaChoice]
    advice: CaAdvice | None


class CaAnswered(TypedDict):
    certificate_id: CertificateId
    status: Status


class Certificate(TypedDict):
    """One certificate (API §1.3) and what happens next: `next_actor` must do `next_step`."""

    id: CertificateId
    status: Status
    order_id: str
    name: str
    type: str
    brand: str
    push_support: Annotated[str, Field(json_schema_extra={"enum": ["ON", "OFF"]})]
    revoke_reason: str
    signature_algorithm: str
    issue_time: Moment
    not_before: Moment
    not_after: Moment
    validity_period: int
    validation_method: str
    domain_type: str
    multi_domain_type: str
    domain: str
    sans: str
    domain_count: int
    wildcard_count: int
    fingerprint: str
    shared: bool
    application_info: ApplicationInfo
    description: str
    enterprise_project_id: str
    authentification: list[RecordToSet]
    progress: int | None
    next_actor: str
    next_step: str
    operations: list[str]
    last_failure: str
    state_since: Moment
    owner: str
    owner_name: str
    owner_group: str
    owner_group_name: str
    notices: list[str]
    paid_until: Moment
    origin_cert_id: str
    renewal_cert_id: str
    findings: NotRequired[list[ChainFinding]]
    ca_order: NotRequired[CaOrder]


class ProofMail(TypedDict):
    address: str
    state: str
    answer: str
    sent_at: Moment
    times_sent: int
    expires_at: Moment
    confirmed_at: Moment


class ProofCheck(TypedDict):
    at: Moment
    perspective: str
    answer: str
    seen: str
    cause: str


class NameProof(TypedDict):
    """What to set up for one name, and what the checks saw."""

    domain: str
    authorization_domain: str
    status: str
    record_name: str
    record_type: str
    record_value: str
    file_url: str
    file_content: str
    emails: list[str]
    mails: list[ProofMail]
    mailboxes: list[str]
    commands: list[str]
    checks: list[ProofCheck]
    reused: bool
    verified_at: Moment


class AutomaticStep(TypedDict):
    at: Moment
    domain: str
    step: str
    ok: bool
    sentence: str
    next_step: str


class ProofInfo(TypedDict):
    method: str
    auto_dns: bool
    value_expires_at: Moment
    next_check_at: Moment
    domains: list[NameProof]
    automatic: list[AutomaticStep]


class NameVerified(TypedDict):
    domain: str
    status: str
    checked_at: Moment
    seen: str
    cause: str


class Verified(TypedDict):
    status: Status
    domains: list[NameVerified]


class CertificateVersion(TypedDict):
    version: int
    serial: str
    fingerprint: str
    fingerprint_sha256: str
    not_before: Moment
    not_after: Moment
    status: Annotated[str, Field(json_schema_extra={"enum": ["CURRENT", "PREVIOUS", "REVOKED"]})]
    cause: str
    issuer: str
    names: list[str]
    key_algorithm: str
    signature_algorithm: str
    superseded_at: Moment
    revoked_at: Moment


class VersionPage(TypedDict):
    items: list[CertificateVersion]
    next_marker: Marker


class CertificateEvent(TypedDict):
    id: str
    at: Moment
    actor: str
    actor_name: str
    via: str
    source: str
    request_id: str
    action: str
    details: dict[str, Any]


class EventPage(TypedDict):
    items: list[CertificateEvent]
    next_marker: Marker


class Exported(TypedDict):
    """PEM texts; `private_key` is empty where the service does not hold it."""

    entire_certificate: str
    certificate: str
    certificate_chain: str
    private_key: str
    enc_certificate: str
    enc_private_key: str


class Imported(TypedDict):
    certificate_id: CertificateId
    findings: list[ChainFinding]


class ImportedOne(TypedDict):
    """Hosted, with its id and findings; or refused, with code and text."""

    name: str
    certificate_id: NotRequired[CertificateId]
    findings: NotRequired[list[ChainFinding]]
    error_code: NotRequired[str]
    error_msg: NotRequired[str]


class ImportedBatch(TypedDict):
    items: list[ImportedOne]
    hosted: int
    refused: int


class WatchedOne(TypedDict):
    """Which certificate of the list (1 = the first): watched, with its id; or refused, with code and text.

    `there`: it was in the inventory before.
    """

    place: int
    name: str
    there: bool
    certificate_id: NotRequired[CertificateId]
    error_code: NotRequired[str]
    error_msg: NotRequired[str]


class WatchedList(TypedDict):
    """`authorities`: certificates of CAs, which stand above the others and are not listed."""

    items: list[WatchedOne]
    watched: int
    there: int
    refused: int
    authorities: int


class Issued(TypedDict):
    """The certificate, where every name was proved already; else why it is not paid, if it is not."""

    cert_id: CertificateId
    status: Status
    order_id: str
    serial: NotRequired[str]
    certificate: NotRequired[str]
    certificate_chain: NotRequired[str]
    unpaid_reason: NotRequired[str]


class IssuedBatch(TypedDict):
    items: list[Issued]


class Requested(TypedDict):
    """`success`: the application is under way."""

    request_info: str


class ReissueDecided(TypedDict):
    cert_id: CertificateId
    status: Status


class NamesRequested(TypedDict):
    """`success`: the request is under way."""

    message: str


class NewStatus(TypedDict):
    status: Status


class Unsubscribed(TypedDict):
    """`SUCCESS`: the review is under way."""

    unsubscribe_results: str


class UploadedV2(TypedDict):
    cert_id: CertificateId


class SavedView(TypedDict):
    """Filters and order under a name; `mine` = the caller made it."""

    id: str
    name: str
    shared: bool
    mine: bool
    query: dict[str, str]
    updated_at: Moment


class SavedViews(TypedDict):
    items: list[SavedView]


class ListSettings(TypedDict):
    columns: list[str]
    default_view: str


class BulkAction(TypedDict):
    """A bulk action and how many certificates stand where."""

    id: str
    action: str
    options: dict[str, str]
    state: str
    user: str
    user_name: str
    total: int
    will: int
    same: int
    refused: int
    done: int
    failed: int
    created_at: Moment
    started_at: Moment
    finished_at: Moment


class BulkActions(TypedDict):
    items: list[BulkAction]
    next_marker: Marker


class BulkRow(TypedDict):
    """What will happen to one certificate, or has happened; `before` is how it was."""

    certificate_id: CertificateId
    name: str
    domain: str
    verdict: str
    before: str
    why: str
    next_step: str


class BulkRows(TypedDict):
    items: list[BulkRow]
    next_marker: Marker


ANSWERS: dict[str, object] = {
    "certificates.list": CertificateList,
    "certificates.search": CertificatePage,
    "certificates.show": Certificate,
    "certificates.ca_answer": CaAnswered,
    "certificates.edit": Certificate,
    "certificates.domain_verification": ProofInfo,
    "certificates.verify": Verified,
    "certificates.versions": VersionPage,
    "certificates.events": EventPage,
    "certificates.export": Exported,
    "certificates.export_csv": FileAnswer("text/csv"),
    "certificates.export_json": FileAnswer("application/json"),
    "bulk.list": BulkActions,
    "bulk.create": BulkAction,
    "bulk.show": BulkAction,
    "bulk.rows": BulkRows,
    "bulk.start": BulkAction,
    "bulk.cancel": BulkAction,
    "views.list": SavedViews,
    "views.create": SavedView,
    "views.show": SavedView,
    "views.update": SavedView,
    "views.show_settings": ListSettings,
    "views.set_settings": ListSettings,
    "certificates.download": FileAnswer("application/zip"),
    "certificates.import": Imported,
    "certificates.batch_import": ImportedBatch,
    "certificates.batch_watch": WatchedList,
    "certificates.apply": Requested,
    "certificates.cancel": Done,
    "certificates.reopen": NewStatus,
    "certificates.revoke": Done,
    "certificates.confirm_revocation": Done,
    "certificates.reissue": Requested,
    "certificates.confirm_reissue": ReissueDecided,
    "certificates.decline_reissue": ReissueDecided,
    "certificates.add_domains": NamesRequested,
    "v2.add_domains": NamesRequested,
    "certificates.issue": Issued,
    "certificates.batch_issue": IssuedBatch,
    "certificates.unsubscribe": Unsubscribed,
    "v2.upload": UploadedV2,
    "v2.delete": Done,
}
