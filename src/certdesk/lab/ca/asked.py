"""Reads what a client asks for, and refuses with the field's name what is not as documented."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certdesk.lab.ca.errors import invalid
from certdesk.lab.ca.products import LONGEST_DAYS, MOST_NAMES, Product
from certdesk.lab.ca.proofs import METHODS

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$)(?:\*\.)?(?:{_LABEL}\.)+{_LABEL}")
_MOST_TEXT = 4096
_DATES = ("%d %b %Y", "%Y-%m-%d")
ORGANIZATION = ("name", "country", "state", "city", "address", "zip", "telephone")
_OPTIONAL = ("assumed_name",)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The part `certificate` of an order or reissue; names in lower case, the common name first."""

    names: tuple[str, ...]
    csr: x509.CertificateSigningRequest
    until: datetime


def text(body: Mapping[str, Any], field: str, *, needed: bool = False, longest: int = _MOST_TEXT) -> str:
    found = body.get(field, "")
    if not isinstance(found, str) or len(found) > longest or (needed and not found.strip()):
        raise invalid(field, f"{field} is not valid.")
    return found.strip()


def part(body: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    found = body.get(field) or {}
    if not isinstance(found, dict):
        raise invalid(field, f"{field} is not valid.")
    return found


def host(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise invalid("common_name", f"The domain name {name[:100]!r} is not valid.")
    return name


def certificate(body: Mapping[str, Any], product: Product, now: datetime) -> Certificate:
    asked = part(body, "certificate")
    others = asked.get("dns_names") or []
    if not isinstance(others, list) or not all(isinstance(one, str) for one in others):
        raise invalid("dns_names", "dns_names is not a list of names.")
    names = tuple(dict.fromkeys(one.strip().lower() for one in (text(asked, "common_name"), *others)))
    for name in map(host, names):
        if name.startswith("*.") and not product.wildcard:
            raise invalid("common_name", f"Wildcard domains are not allowed on {product.name}.")
    if len(names) > MOST_NAMES:
        raise invalid("dns_names", f"At most {MOST_NAMES} domain names are allowed.")
    return Certificate(names, _request(text(asked, "csr", needed=True, longest=32_000)), _until(asked, now))


def _request(pem: str) -> x509.CertificateSigningRequest:
    try:
        csr = x509.load_pem_x509_csr(pem.encode())
        key, right = csr.public_key(), csr.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, TypeError):
        raise invalid("csr", "The CSR could not be decoded.") from None
    strong = isinstance(key, ec.EllipticCurvePublicKey) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048
    )
    if not right or not strong:
        raise invalid("csr", "The CSR's signature or key is not acceptable.")
    return csr


def _until(asked: Mapping[str, Any], now: datetime) -> datetime:
    """The end of the certificate: as asked, never beyond what the CA gives."""
    validity, longest = part(asked, "cert_validity"), now + timedelta(days=LONGEST_DAYS)
    custom = text(validity, "custom_expiration_date")
    if custom:
        return min(_date(custom), longest)
    days = validity.get("days", LONGEST_DAYS)
    if not isinstance(days, int) or days < 1:
        raise invalid("cert_validity", "The validity in days is not valid.")
    return now + timedelta(days=min(days, LONGEST_DAYS))


def _date(given: str) -> datetime:
    for form in _DATES:
        try:
            return datetime.strptime(given, form).replace(hour=23, minute=59, second=59, tzinfo=UTC)
        except ValueError:
            continue
    raise invalid("custom_expiration_date", "custom_expiration_date is not a date such as 09 JUN 2026.")


def order_days(body: Mapping[str, Any]) -> int:
    """Days of the whole order (a multi-year plan has several years)."""
    validity = part(body, "order_validity")
    years, days = validity.get("years", 0), validity.get("days", 0)
    if not isinstance(years, int) or not isinstance(days, int) or not 0 <= years <= 3 or days < 0:
        raise invalid("order_validity", "order_validity must be 1, 2 or 3 years.")
    found = days or years * 365
    if not found:
        raise invalid("order_validity", "order_validity is missing.")
    return found


def method(body: Mapping[str, Any]) -> str:
    found = text(body, "dcv_method") or "email"
    if found not in METHODS:
        raise invalid("dcv_method", f"dcv_method must be one of {', '.join(METHODS)}.")
    return found


def organization(body: Mapping[str, Any]) -> dict[str, str]:
    fields = {field: text(body, field, needed=True, longest=64) for field in ORGANIZATION}
    if len(fields["country"]) != 2:
        raise invalid("country", "country must be a code of two letters.")
    return fields | {field: text(body, field, longest=64) for field in _OPTIONAL}


def contacts(body: Mapping[str, Any]) -> list[dict[str, str]]:
    """Those of `organization.contacts`, each with an address."""
    found = part(body, "organization").get("contacts") or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise invalid("contacts", "contacts is not a list.")
    kept = [
        {key: text(one, key) for key in ("contact_type", "first_name", "last_name", "email")} for one in found
    ]
    if any("@" not in one["email"] for one in kept):
        raise invalid("contacts", "A contact has no email address.")
    return kept
