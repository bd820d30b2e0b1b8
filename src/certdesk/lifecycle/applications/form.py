"""What an applicant submits (API §1.8), as plain values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_CONTACT_FIELDS = (
    "applicant_name",
    "applicant_phone",
    "applicant_email",
    "contact_name",
    "contact_phone",
    "contact_email",
)
COMPANY_FIELDS = {
    "name": "company_name",
    "unit": "company_unit",
    "province": "company_province",
    "city": "company_city",
    "country": "country",
    "registration_number": "registration_number",
    "jurisdiction_country": "jurisdiction_country",
    "business_category": "business_category",
}
"""Key in `Application.company` -> field of the form."""


@dataclass(frozen=True, slots=True)
class ApplicationForm:
    """The apply body, field by field. Contact details stay out of `repr`, and so out of logs (law 10).

    Attributes:
        sans: additional names, parted by `;`, a comma or a line break.
        csr: PEM; empty = the service makes key and CSR (APP-2).
        csr_id: a stored CSR instead (ours); its private key, where the service has it, is the certificate's.
        key_algorithm: only for keys that the service makes; empty = the type's first one.
        registration_number, jurisdiction_country, business_category: ours, for EV subjects.
    """

    domain: str = ""
    sans: str = ""
    csr: str = field(default="", repr=False)
    csr_id: str = ""
    company_name: str = ""
    company_unit: str = ""
    company_province: str = ""
    company_city: str = ""
    country: str = ""
    registration_number: str = ""
    jurisdiction_country: str = ""
    business_category: str = ""
    applicant_name: str = field(default="", repr=False)
    applicant_phone: str = field(default="", repr=False)
    applicant_email: str = field(default="", repr=False)
    contact_name: str = field(default="", repr=False)
    contact_phone: str = field(default="", repr=False)
    contact_email: str = field(default="", repr=False)
    auto_dns_auth: bool = False
    agree_privacy_protection: bool = False
    domain_method: str = "DNS"
    key_algorithm: str = ""
    ca_hash_algorithm: str = ""

    @property
    def additional(self) -> tuple[str, ...]:
        """The additional names as they were typed, without spaces around them and empty ones."""
        text = self.sans.replace(",", ";").replace("\r", ";").replace("\n", ";")
        return tuple(part.strip(" \t") for part in text.split(";") if part.strip(" \t"))

    @property
    def company(self) -> dict[str, str]:
        """The filled company fields by their short keys."""
        values = {key: str(getattr(self, name)).strip() for key, name in COMPANY_FIELDS.items()}
        return {key: value for key, value in values.items() if value}

    @property
    def contact(self) -> dict[str, str]:
        """The six contact fields, trimmed."""
        return {name: str(getattr(self, name)).strip() for name in _CONTACT_FIELDS}


def from_mapping(values: Mapping[str, Any]) -> ApplicationForm:
    """The form from a request body; unknown keys and nulls are left aside (API §8.4)."""
    known = ApplicationForm.__dataclass_fields__
    return ApplicationForm(
        **{name: value for name, value in values.items() if name in known and value is not None}
    )
