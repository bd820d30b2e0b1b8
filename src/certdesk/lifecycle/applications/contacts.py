"""Whether contact and company details can be used (APP-9, APP-10, APP-15). Pure.

These texts go into mails and into subjects of certificates, so control characters and line breaks end here.
"""

import re
import unicodedata
from collections.abc import Mapping

from certdesk.foundation.common.errors import BadParameter
from certdesk.pki.authority.countries import COUNTRIES
from certdesk.pki.authority.subjects import is_printable

NAME_BYTES = (4, 100)
PHONE_LIMIT = 32
EMAIL_LIMIT = 254
COMPANY_LIMIT = 63

_NAME = re.compile(r"[A-Za-z㐀-䶿一-鿿_\-,. ]+")
_PHONE = re.compile(r"\+?[0-9][0-9 ()\-]{3,30}")
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
_LOCAL_PART_LIMIT = 64  # octets, RFC 5321 §4.5.3.1.1

_COMPANY_LABELS = {
    "name": ("company_name", "company name"),
    "unit": ("company_unit", "department"),
    "province": ("company_province", "province"),
    "city": ("company_city", "city"),
    "country": ("country", "country or region"),
    "registration_number": ("registration_number", "registration number"),
    "jurisdiction_country": ("jurisdiction_country", "country of registration"),
    "business_category": ("business_category", "business category"),
}
_REQUIRED_COMPANY = ("name", "country", "province", "city")
BUSINESS_CATEGORIES = (
    "Private Organization",
    "Government Entity",
    "Business Entity",
    "Non-Commercial Entity",
)  # EV Guidelines 7.1.4.2.3


def check_contact(contact: Mapping[str, str]) -> None:
    """Applicant mandatory; the technical contact all or nothing (APP-10).

    Raises:
        BadParameter: names the field, the rule and the way out; never repeats a phone number or address.
    """
    _check_person("applicant", contact)
    given = [name for name in ("contact_name", "contact_phone", "contact_email") if contact.get(name)]
    if given:
        _check_person("contact", contact)


def check_person(person: Mapping[str, str]) -> None:
    """A contact of the book: `name`, `phone`, `email`. Raises: as `check_contact`."""
    _check_person("", person)


def _check_person(role: str, contact: Mapping[str, str]) -> None:
    person = {"applicant": "applicant", "contact": "technical contact"}.get(role, "contact")
    checks = (
        ("name", _name_fault, "Use 4 to 100 bytes of Chinese or English letters, spaces and _ - , ."),
        ("phone", _phone_fault, "Use digits, for example +86 10 12345678."),
        ("email", _email_fault, "Enter an address such as name@example.com."),
    )
    for kind, fault_of, way_out in checks:
        field = f"{role}_{kind}" if role else kind
        fault = fault_of(contact.get(field, ""))
        if fault:
            raise BadParameter(f"The {kind} of the {person} {fault}.", next_step=way_out, field=field)


def check_address(email: str) -> str:
    """One address for mails about an application, trimmed (ADD-2).

    Raises:
        BadParameter: it is none.
    """
    trimmed = email.strip()
    fault = _email_fault(trimmed)
    if fault:
        raise BadParameter(
            f"The email address {fault}.", next_step="Enter one that you can read.", field="email"
        )
    return trimmed


def _name_fault(text: str) -> str:
    size = len(text.encode())
    if not text:
        return "is missing"
    if not NAME_BYTES[0] <= size <= NAME_BYTES[1]:
        return f"has {size} bytes; {NAME_BYTES[0]} to {NAME_BYTES[1]} are allowed"
    if not _NAME.fullmatch(text):
        return "has a character that is not allowed"
    return ""


def _phone_fault(text: str) -> str:
    if not text:
        return "is missing"
    return "" if len(text) <= PHONE_LIMIT and _PHONE.fullmatch(text) else "is not a phone number"


def _email_fault(text: str) -> str:
    if not text:
        return "is missing"
    if len(text) > EMAIL_LIMIT or len(text.partition("@")[0]) > _LOCAL_PART_LIMIT:
        return "is too long"
    return "" if _EMAIL.fullmatch(text) else "is not an email address"


def check_company(company: Mapping[str, str], *, required: bool, registered: bool = False) -> dict[str, str]:
    """The company fields as they will stand in subject and comparison: NFC, trimmed, country in capitals.

    Args:
        required: OV and EV (APP-9).
        registered: EV from a public issuer, whose subject needs a true registration number.
    """
    clean = {key: _clean(key, value) for key, value in company.items() if value.strip()}
    needed = (*_REQUIRED_COMPANY, *(("registration_number",) if registered else ())) if required else ()
    for key in needed:
        if key not in clean:
            field, label = _COMPANY_LABELS[key]
            raise BadParameter(
                f"The {label} is missing; OV and EV certificates need it.",
                next_step="Enter it exactly as it stands on the business licence.",
                field=field,
            )
    return clean


def _clean(key: str, value: str) -> str:
    field, label = _COMPANY_LABELS[key]
    text = _with_plain_spaces(unicodedata.normalize("NFC", value.strip()))
    if any(unicodedata.category(character)[0] in "CZ" and character != " " for character in text):
        raise BadParameter(
            f"The {label} holds a control or invisible character.", next_step="Type it again.", field=field
        )
    if len(text) > COMPANY_LIMIT:
        raise BadParameter(
            f"The {label} is {len(text)} characters long; at most {COMPANY_LIMIT} are allowed.",
            next_step="Shorten it in the way that the business licence allows.",
            field=field,
        )
    if key in ("country", "jurisdiction_country"):
        if text.upper() not in COUNTRIES:
            raise BadParameter(
                f"The {label} is not one of the two-letter codes of ISO 3166-1.",
                next_step="Enter a code such as CN, or GB for the United Kingdom.",
                field=field,
            )
        return text.upper()
    if key == "registration_number" and not is_printable(text):
        raise BadParameter(
            f"The {label} has a character that a certificate cannot hold there.",
            next_step="Use letters A to Z, digits, spaces and ' ( ) + , - . / : = ?",
            field=field,
        )
    if key == "business_category" and text not in BUSINESS_CATEGORIES:
        raise BadParameter(
            f"The {label} is not one that EV certificates know.",
            next_step=f"Choose one of: {', '.join(BUSINESS_CATEGORIES)}.",
            field=field,
        )
    return text


def _with_plain_spaces(text: str) -> str:
    """Wide and unbreakable spaces, common in Chinese names, as the one space that a certificate takes."""
    return "".join(" " if unicodedata.category(character) == "Zs" else character for character in text)


def same_company(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """APP-15: compared exactly after trimming and NFC."""
    return unicodedata.normalize("NFC", one.get("name", "").strip()) == unicodedata.normalize(
        "NFC", other.get("name", "").strip()
    )


def same_information(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """ORG-4: every field of the company is the same, each compared as the name is (APP-15)."""
    return _comparable(one) == _comparable(other)


def _comparable(company: Mapping[str, str]) -> dict[str, str]:
    """Filled fields, trimmed and in NFC."""
    return {
        key: unicodedata.normalize("NFC", value.strip()) for key, value in company.items() if value.strip()
    }
