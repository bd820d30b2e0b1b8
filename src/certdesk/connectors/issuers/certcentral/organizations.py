"""The applicant's organization at CertCentral: the one that is there, or one made from what we verified."""

from collections.abc import Mapping
from typing import Any

from certdesk.connectors.issuers.certcentral import orders
from certdesk.connectors.issuers.certcentral.options import CertCentralOptions
from certdesk.connectors.issuers.certcentral.wire import Wire
from certdesk.connectors.issuers.protocol import IssuerError, Reason, Wanted

_PAGE = 1000
_MOST_PAGES = 20


async def number_of(wire: Wire, options: CertCentralOptions, wanted: Wanted) -> int | None:
    """Its number; None for DV.

    Asked for by name and country each time: after a crash between making it and noting it there is one.

    Raises:
        IssuerError: REFUSED where the application has none; those of `Wire`.
    """
    if wanted.level == "DV":
        return None
    if options.organization_id:
        return options.organization_id
    if not wanted.organization.get("name") or not wanted.organization.get("country"):
        raise IssuerError(
            Reason.REFUSED,
            f"A certificate of the level {wanted.level} needs an organization with name and country.",
            "Give them in the application.",
        )
    return await _found(wire, wanted.organization) or await _made(wire, options, wanted)


async def _found(wire: Wire, wanted: Mapping[str, str]) -> int | None:
    for page in range(_MOST_PAGES):
        path = f"organization?limit={_PAGE}&offset={page * _PAGE}"
        rows = (await wire.json("GET", path, "The look at the organizations")).get("organizations")
        if not isinstance(rows, list):
            raise wire.bad_answer()
        for row in rows:
            if isinstance(row, dict) and _is(row, wanted):
                return int(row["id"])
        if len(rows) < _PAGE:
            return None
    return None


def _is(row: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    same = all(
        str(row.get(key, "")).strip().casefold() == wanted[key].strip().casefold()
        for key in ("name", "country")
    )
    return same and row.get("status", "active") == "active" and str(row.get("id", "")).isdecimal()


def _check(value: str, field: str) -> None:
    """The form of the applicant has no such field, so the operator's options have to say it once."""
    if not value:
        raise IssuerError(
            Reason.OPTIONS,
            "CertCentral asks for street and postcode of an organization that it does not know.",
            "Enter them in the options of the certificate authority, or add the organization in CertCentral.",
            field=field,
        )


async def _made(wire: Wire, options: CertCentralOptions, wanted: Wanted) -> int:
    given = wanted.organization
    contact = orders.contact(wanted)
    street, postcode = options.organization_street, options.organization_zip
    _check(street, "organization_street")
    _check(postcode, "organization_zip")
    body: dict[str, object] = {
        "name": given["name"],
        "country": given["country"].lower(),
        "state": given.get("province", ""),
        "city": given.get("city", ""),
        "address": street,
        "zip": postcode,
        "telephone": options.organization_phone or wanted.contact.get("phone", ""),
        "validations": [{"type": wanted.level.lower(), "verified_users": [contact] if contact else []}],
    }
    if contact:
        body["organization_contact"] = contact
    made = await wire.json("POST", "organization", "The new organization", body, decides=True)
    if not isinstance(made.get("id"), int):
        raise wire.bad_answer()
    return int(made["id"])
