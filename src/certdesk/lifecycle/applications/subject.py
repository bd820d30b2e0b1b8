"""The organisation of an application as it will stand in the certificate, and whether it can. Pure."""

from collections.abc import Mapping
from typing import cast

from certdesk.foundation.common.errors import BadParameter
from certdesk.pki.authority import subjects
from certdesk.pki.authority.errors import RequestRefused
from certdesk.pki.authority.types import LevelName, Subject

NOT_STATED = "Not stated"
"""Stands for the registration number of an EV subject when nobody gave one; never in the profile `public`."""

_FIELDS = {
    "organization": "company_name",
    "state": "company_province",
    "locality": "company_city",
    "serial_number": "registration_number",
}


def subject(level: str, company: Mapping[str, str]) -> Subject:
    """Nothing for DV, no unit for anybody (ISS-2)."""
    if level == "DV":
        return Subject()
    base = {
        "country": company.get("country", ""),
        "state": company.get("province", ""),
        "locality": company.get("city", ""),
        "organization": company.get("name", ""),
    }
    if level == "OV":
        return Subject(**base)
    return Subject(
        **base,
        business_category=company.get("business_category", "") or "Private Organization",
        jurisdiction_country=company.get("jurisdiction_country", "") or base["country"],
        serial_number=company.get("registration_number", "") or NOT_STATED,
    )


def check_subject(level: str, company: Mapping[str, str]) -> None:
    """What the authority would refuse is refused now, not after the officers' work.

    Raises:
        BadParameter: with the field of the form.
    """
    try:
        subjects.refuse_subject(cast(LevelName, level), subject(level, company))
    except RequestRefused as refused:
        field = refused.field or ""
        raise BadParameter(
            refused.message, next_step=refused.next_step, field=_FIELDS.get(field, field)
        ) from None
