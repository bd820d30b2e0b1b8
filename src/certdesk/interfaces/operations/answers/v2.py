"""Answers of the older API (API §1.12)."""

from typing_extensions import TypedDict

from .certificates import CertificateId, Requested, Status
from .common import Done, FileAnswer


class OrderLine(TypedDict):
    """`purchase_period` in years; `expired_time` in epoch milliseconds as text, empty when there is none."""

    cert_id: CertificateId
    cert_name: str
    domain: str
    cert_type: str
    cert_brand: str
    domain_type: str
    purchase_period: int
    expired_time: str
    order_status: Status
    domain_num: int
    wildcard_number: int
    cert_des: str


class OrderList(TypedDict):
    total: int
    free_remain: int
    order_list: list[OrderLine]


class ProofLine(TypedDict):
    method: str
    status: str
    domain_name: str
    host_record: str
    record_type: str
    record_value: str


class Details(TypedDict):
    """One certificate with its application."""

    cert_id: CertificateId
    order_id: str
    cert_name: str
    cert_type: str
    cert_brand: str
    domain_type: str
    domain_name: str
    domain_number: int
    cert_describe: str
    push_support: str
    revoke_reason: str
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
    organization_unit: str
    status: Status
    encrypt_type: str
    DNS_push_status: str
    auth: list[ProofLine]


class Saved(TypedDict):
    """Every field of the application; "" where nothing is kept."""

    cert_id: CertificateId
    domain: str
    sans: str
    csr: str
    company_name: str
    company_unit: str
    company_province: str
    company_city: str
    country: str
    applicant_name: str
    applicant_phone: str
    applicant_email: str
    contact_name: str
    contact_phone: str
    contact_email: str
    domain_method: str
    key_algorithm: str
    ca_hash_algorithm: str
    registration_number: str
    jurisdiction_country: str
    business_category: str


class ToSetUp(TypedDict):
    """What to set up for the first name that is not proved yet."""

    domain_name: str
    domain_email: str | None
    record_name: str
    record_value: str
    record_type: str
    domain_method: str
    applicant_email: str
    auto_dns_auth: bool


class CheckedCsr(TypedDict):
    domain_name: str
    domain: str
    sans: str
    key_algorithm: str


class Edited(TypedDict):
    response_info: str


ANSWERS: dict[str, object] = {
    "v2.list": OrderList,
    "v2.show": Details,
    "v2.apply": Requested,
    "v2.save": Requested,
    "v2.read": Saved,
    "v2.domain_verify": ToSetUp,
    "v2.check_csr": CheckedCsr,
    "v2.upload_proof": Requested,
    "v2.edit": Edited,
    "v2.cancel": Done,
    "v2.cancel_privacy": Done,
    "v2.download": FileAnswer("application/zip"),
    "v2.revoke": Done,
}
