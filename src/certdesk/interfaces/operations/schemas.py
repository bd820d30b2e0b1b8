"""What requests carry: shapes and outer limits only; the rooms decide what the values may be."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, StrictBool, model_validator


def _no_bool(given: object) -> object:
    if isinstance(given, bool):
        raise ValueError("a number is needed, not true or false")
    return given


Word = Annotated[str, Field(max_length=64)]
Line = Annotated[str, Field(max_length=512)]
Names = Annotated[str, Field(max_length=70_000)]
"""250 names of 253 characters with their separators."""
Pem = Annotated[str, Field(max_length=64_000)]
Number = Annotated[int, Field(ge=-(2**31), lt=2**31), BeforeValidator(_no_bool)]
"""In a query it is text; in a body a number or its text, but neither true nor false."""


class Body(BaseModel):
    """Unknown fields are ignored, and null means absent: clients send both (API §8.4)."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if isinstance(given, dict):
            return {name: value for name, value in given.items() if value is not None}
        return given


class TagBody(Body):
    """One tag. Shapes only: the room says what a key and a value may be."""

    key: Line
    value: Line = ""


Tags = Annotated[list[TagBody], Field(max_length=100)]


class Buy(Body):
    """API §1.7."""

    cert_brand: Word
    cert_type: Word
    domain_type: Word
    domain_numbers: Number
    effective_time: Number = 1
    order_number: Number = 1
    agree_privacy_protection: StrictBool
    primary_domain_type: Word = "SINGLE_DOMAIN"
    single_domain_number: Number | None = None
    wildcard_domain_number: Number | None = None
    enterprise_project_id: Word = "0"
    is_auto_pay: bool = False
    free: bool = False
    tags: Tags = []


class Price(Buy):
    """As buy; nothing has to be accepted to see a price."""

    domain_numbers: Number = 1
    agree_privacy_protection: StrictBool = True


class Revoke(Body):
    """API §10; `key_proof` is a CSR signed with the compromised key."""

    reason_code: Word = ""
    reason: Annotated[str, Field(max_length=1024)] = ""
    key_proof: Pem = ""


class RevokeV2(Body):
    """API §1.12: a reason in words."""

    reason: Annotated[str, Field(max_length=63)] = ""


class Apply(Body):
    """API §1.8; `csr_id` is ours, for a stored CSR, and the last three are, for EV subjects."""

    domain: Line = ""
    sans: Names = ""
    csr: Pem = ""
    csr_id: Word = ""
    company_name: Line = ""
    company_unit: Line = ""
    company_province: Line = ""
    company_city: Line = ""
    country: Word = ""
    applicant_name: Line = ""
    applicant_phone: Line = ""
    applicant_email: Line = ""
    contact_name: Line = ""
    contact_phone: Line = ""
    contact_email: Line = ""
    auto_dns_auth: bool = False
    agree_privacy_protection: StrictBool = False
    domain_method: Word = "DNS"
    key_algorithm: Word = ""
    ca_hash_algorithm: Word = ""
    registration_number: Word = ""
    jurisdiction_country: Word = ""
    business_category: Line = ""


class AddDomains(Body):
    """API §10, §1.12: names to add, and where mails about it go."""

    add_sans: Names
    email: Line


class Issue(Apply):
    """Issue now (API §10): the application with what to buy for it; the contact may be left out."""

    cert_brand: Word
    cert_type: Word
    effective_time: Number = 1
    enterprise_project_id: Word = "0"
    free: bool = False


class IssueBatch(Body):
    items: Annotated[list[Issue], Field(min_length=1, max_length=100)]


class Pay(Body):
    payment_method: Word = "BALANCE"
    voucher_ids: Annotated[list[Word], Field(max_length=20)] = []
    coupon_code: Word = ""


class Decision(Body):
    """An RA officer's decision."""

    decision: Word
    checked: Annotated[list[Word], Field(max_length=50)] = []
    reason: Annotated[str, Field(max_length=2000)] = ""
    registration_number: Word = ""  # EV without one: what the officer found in the register


class CaAnswer(Body):
    """What an officer brings from a CA without an interface; exactly one of the three."""

    certificate: Annotated[str, Field(max_length=100_000)] = ""  # PEM, the server's own first, then its chain
    refusal: Annotated[str, Field(max_length=2000)] = ""
    revoked: bool = False


class Edit(Body):
    """What is left out stays as it is."""

    name: Line | None = None
    description: Annotated[str, Field(max_length=4096)] | None = None
    owner: Word | None = None
    owner_group: Word | None = None


class Method(Body):
    method: Word


class ResendProofMail(Body):
    """`address` is ours: one of the domain's mailboxes; empty = all that were written to."""

    domain: Word
    address: Word = ""


class ListQuery(Body):
    """API §1.1."""

    limit: Number = 10
    offset: Number = 0
    sort_dir: Word = "DESC"
    sort_key: Word = "certUpdateTime"
    status: Word = "ALL"
    enterprise_project_id: Word = ""
    deploy_support: bool = False
    owned_by_self: bool = True
    expired_days_since: Number = 0
    content: Line = ""


class InventoryFilters(Body):
    """What the search, an export and a bulk action are narrowed by."""

    status: Word = "ALL"
    content: Line = ""
    domain: Line = ""
    tag: Line = ""
    brand: Word = ""
    issuer: Word = ""
    expires_before: Word = ""
    owner: Word = ""
    owner_group: Word = ""
    project: Word = ""
    sort: Word = "updated"
    order: Word = ""


class SearchQuery(InventoryFilters):
    limit: Number = 10
    marker: Line = ""


class ExportQuery(InventoryFilters):
    """The filters of the search; `ids`, separated by commas, names certificates one by one."""

    ids: Names = ""


Weekday = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
DAYS: tuple[Weekday, ...] = get_args(Weekday)


class WeeklyMail(Body):
    enabled: bool
    weekday: Weekday = "MONDAY"


class PageQuery(Body):
    limit: Number = 10
    marker: Line = ""
    status: Line = ""


class DownloadQuery(Body):
    server: Word = "all"
    chain: Word = ""  # the cross-certificate that the chain goes over; empty: the usual one


class OrganizationQuery(PageQuery):
    level: Word = ""
    method: Word = ""
    content: Line = ""
    late: bool = False


class Document(BaseModel):
    """A file of a multipart form."""

    name: Line
    content: bytes = Field(repr=False)


class BookContact(Body):
    name: Line
    phone: Line
    email: Line


class BookCompany(Body):
    company_name: Line
    company_unit: Line = ""
    company_province: Line = ""
    company_city: Line = ""
    country: Word = ""
    registration_number: Word = ""
    jurisdiction_country: Word = ""
    business_category: Line = ""


class NewConnection(Body):
    """A DNS connection; what `options` holds depends on the provider."""

    provider: Word
    label: Line = ""
    options: Annotated[dict[str, Any], Field(max_length=50)]


class ConnectionChange(Body):
    """What is left out stays as it is; `***` keeps a secret."""

    label: Line | None = None
    options: Annotated[dict[str, Any], Field(max_length=50)] | None = None


class ForceQuery(Body):
    force: bool = False


Records = Annotated[list[Annotated[str, Field(max_length=8192)]], Field(max_length=100)]


class NewRecordSet(Body):
    name: Line
    type: Word
    ttl: Number = 300
    records: Records


class RecordSetChange(Body):
    ttl: Number = 300
    records: Records


class Prove(Body):
    """How a name is to be proved; `address` = the mailbox to write to (again), of the method EMAIL."""

    method: Word = "DNS"
    renew: bool = False
    address: Line = ""


class Preflight(Body):
    """Names to look at before ordering; the product as in a purchase, the type DV by default."""

    domains: Annotated[list[Line], Field(min_length=1, max_length=250)]
    brand: Word = ""
    cert_type: Word = "DV_SSL_CERT"
    method: Word = "DNS"
    auto_dns_auth: bool = False
    free: bool = False


class Import(Body):
    """API §1.4; outer limits alone, so that the room's own sentences are heard. SM2 has no issuer here."""

    name: Line
    certificate: str = ""
    certificate_chain: str = ""
    private_key: str = ""
    duplicate_check: StrictBool = False
    enterprise_project_id: Word = "0"
    enc_certificate: str = ""
    enc_private_key: str = ""


class ImportBatch(Body):
    items: Annotated[list[Import], Field(min_length=1, max_length=100)]


class WatchList(Body):
    """PEM of many certificates, without their keys."""

    certificates: str
    enterprise_project_id: Word = "0"


class ImportV2(Body):
    """The older API's upload (API §1.12)."""

    cert_name: Line
    cert: str = ""
    cert_chain: str = ""
    private_key: str = ""


class ListV2Query(Body):
    """The older API's list (API §1.12)."""

    order_status: Word = "ALL"
    content: Line = ""
    sort_key: Word = "certUpdateTime"
    sort_dir: Word = "DESC"
    limit: Number = 10
    offset: Number = 0

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: Any) -> Any:
        """Its clients write every parameter, with nothing behind the ones that they leave open."""
        return {name: value for name, value in dict(given).items() if value != ""}


class EditV2(Body):
    """One field of a certificate."""

    modify_key: Line = ""
    modify_value: Annotated[str, Field(max_length=4096)] = ""


class Draft(Apply):
    """An application to be kept, not submitted."""


class CheckCsr(Body):
    csr: Pem = ""


NoticeType = Literal["CERT_EXPIRING", "CERT_EXPIRED"]


class Notice(Body):
    """Which notices of one certificate (API §1 #14, #15)."""

    resource_id: Word
    notice_type: Annotated[list[NoticeType], Field(min_length=1, max_length=4)]


class Notices(RootModel[Annotated[list[Notice], Field(min_length=1, max_length=100)]]):
    """The body is a bare JSON array."""


class NewView(Body):
    """A view of the list: filters and order of the search by name, as texts."""

    name: Line
    query: dict[str, Any] = {}
    shared: StrictBool = False


class ViewChange(Body):
    """What is left out stays as it is."""

    name: Line | None = None
    query: dict[str, Any] | None = None
    shared: StrictBool | None = None


class ListChoice(Body):
    """Columns of the console's list in their order (none = the usual ones), and the view it opens with."""

    columns: Annotated[list[Word], Field(max_length=50)] | None = None
    default_view: Word | None = None


class NewBulk(Body):
    """One action on many certificates: those named, or all that the filters (as of a view) find."""

    action: Word
    options: dict[str, Any] = {}
    certificate_ids: Annotated[list[Word], Field(max_length=1000)] | None = None
    filters: dict[str, Any] | None = None


class BulkRowsQuery(Body):
    verdict: Word = ""
    limit: Number = 10
    marker: Line = ""
