"""The subject of a certificate by level (ISS-2): what must be there, what may be there, and its DER. Pure."""

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import fields

from cryptography.x509.oid import NameOID, ObjectIdentifier

from . import der
from .countries import COUNTRIES
from .errors import RequestRefused
from .profiles import Profile
from .types import LevelName, Subject

COMMON_NAME_LIMIT = 64  # bytes, RFC 5280 ub-common-name
CATEGORIES = ("Private Organization", "Government Entity", "Business Entity", "Non-Commercial Entity")

Attributes = tuple[tuple[ObjectIdentifier, str], ...]

_NOBODY = Subject()

# Field -> most characters (RFC 5280 appendix A.1).
_LIMITS = {
    "country": 2,
    "state": 128,
    "locality": 128,
    "organization": 64,
    "business_category": 128,
    "jurisdiction_country": 2,
    "serial_number": 64,
}
_NEEDED: dict[LevelName, tuple[str, ...]] = {
    "DV": (),
    "OV": ("country", "organization"),
    "EV": ("country", "organization", "business_category", "jurisdiction_country", "serial_number"),
}
_EV_ONLY = ("business_category", "jurisdiction_country", "serial_number")
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,./:=?-]+")
_PRINTABLE_OIDS = (NameOID.COUNTRY_NAME, NameOID.JURISDICTION_COUNTRY_NAME, NameOID.SERIAL_NUMBER)
# The order of Baseline Requirements 7.1.4.2; the attributes of EV stand in front of it.
_ORDER = (
    ("jurisdiction_country", NameOID.JURISDICTION_COUNTRY_NAME),
    ("business_category", NameOID.BUSINESS_CATEGORY),
    ("serial_number", NameOID.SERIAL_NUMBER),
    ("country", NameOID.COUNTRY_NAME),
    ("state", NameOID.STATE_OR_PROVINCE_NAME),
    ("locality", NameOID.LOCALITY_NAME),
    ("organization", NameOID.ORGANIZATION_NAME),
)


def refuse_subject(level: LevelName, subject: Subject) -> None:
    """Refuse a subject that lacks what its level needs or has what it must not have."""
    if level == "DV" and subject == _NOBODY:
        return
    given = {field.name: getattr(subject, field.name) for field in fields(subject)}
    present = [name for name, value in given.items() if value]
    if level == "DV" and present:
        raise _refused(f"has {present[0]}, and a DV certificate names no organisation", present[0])
    for name in _NEEDED[level]:
        if not given[name]:
            raise _refused(f"lacks {name}, which {level} needs", name)
    if level != "DV" and not (subject.state or subject.locality):
        raise _refused(f"lacks both state and locality; {level} needs one of them", "state")
    for name in _EV_ONLY:
        if level == "OV" and given[name]:
            raise _refused(f"has {name}, which belongs to EV only", name)
    for name in present:
        _refuse_value(name, given[name])


def _refuse_value(name: str, value: str) -> None:
    if len(value) > _LIMITS[name]:
        raise _refused(f"has {len(value)} characters in {name}; at most {_LIMITS[name]} are allowed", name)
    if not value.isprintable() or value != value.strip():
        raise _refused(f"has control characters or spaces around it in {name}", name)
    if not any(unicodedata.category(character)[0] in "LNS" for character in value):
        raise _refused(f"has no letter and no digit in {name}", name)
    if html.unescape(value) != value:
        raise _refused(f"has HTML in {name}, such as &amp; for &", name)
    if name in ("country", "jurisdiction_country") and value not in COUNTRIES:
        raise _refused(f"has a {name} that is no code of ISO 3166-1 in capitals", name)
    if name == "serial_number" and not is_printable(value):
        raise _refused("has characters in serial_number that a certificate cannot hold there", name)
    if name == "business_category" and value not in CATEGORIES:
        raise _refused(f"has a business_category other than {', '.join(CATEGORIES)}", name)


def is_printable(value: str) -> bool:
    """Whether a PrintableString can hold it (X.680 §41.4)."""
    return _PRINTABLE.fullmatch(value) is not None


def _refused(what: str, name: str) -> RequestRefused:
    return RequestRefused(f"The subject {what}.", next_step="Correct the organisation's details.", field=name)


def attributes(
    profile: Profile, subject: Subject, names: Sequence[str], *, repeated: bool = True
) -> Attributes:
    """The attributes in their order; the common name is the primary name when it fits, or absent (ISS-6).

    Args:
        repeated: False leaves it out: clients read an address there as a DNS name and hold it against the
            name constraints of the authority.
    """
    organisation: Attributes = ()
    if subject != _NOBODY:
        organisation = tuple((oid, value) for field, oid in _ORDER if (value := getattr(subject, field)))
    if repeated and profile.common_name and len(names[0].encode()) <= COMMON_NAME_LIMIT:
        return (*organisation, (NameOID.COMMON_NAME, names[0]))
    return organisation


def encode(wanted: Attributes) -> bytes:
    """Name, DER: one attribute in each RDN."""
    return der.sequence(*(_rdn(oid, value) for oid, value in wanted))


def _rdn(oid: ObjectIdentifier, value: str) -> bytes:
    text = der.printable_string(value) if oid in _PRINTABLE_OIDS else der.utf8_string(value)
    return der.tlv(0x31, der.sequence(_OIDS[oid], text))


_OIDS = {oid: der.object_identifier(oid) for oid in (*(oid for _, oid in _ORDER), NameOID.COMMON_NAME)}
