"""What is sent for an order and what stands in an answer: CertCentral's shapes (pure)."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from email.utils import parseaddr
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.connectors.issuers.certcentral.options import CertCentralOptions
from certdesk.connectors.issuers.certcentral.products import CNAME_END, DCV, FILE, MAILBOXES
from certdesk.connectors.issuers.protocol import ControlWanted, IssuerError, Reason, Task, Wanted
from certdesk.pki.x509.names import PROOF_LABEL

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_HANDLE = re.compile(r"(\d{1,15})(?:/(\d{1,15}))?")
_RENEWAL_DAYS = 90
_DEAD = frozenset({"rejected", "canceled", "cancelled", "expired", "revoked"})


CONTROL_WANTED = "domain_control_required"
"""A refusal to revoke that is in no page of CertCentral's; the simulated CA makes it when told to."""


def control_wanted(names: Sequence[str], tasks: Sequence[Task]) -> ControlWanted:
    """What is to be shown before a revocation, in words.

    Args:
        tasks: one at least; they share one value.
    """
    message = f"DigiCert revokes it after control of {_some(names, 100)} was shown again."
    first = tasks[0]
    if first.method == "email":
        return ControlWanted(message, "Answer its mail to the mailboxes of each domain.")
    kind, places = first.record_type or "file", _some([one.where for one in tasks], 220)
    return ControlWanted(message, f"Set {kind} {places} to {first.value}; it is looked at again soon.")


def _some(texts: Sequence[str], most: int) -> str:
    """As many as fit into so many characters, the first one always: a certificate may have 250 names."""
    told = texts[0]
    for one in texts[1:]:
        if len(told) + len(one) > most:
            return f"{told}, …"
        told += f", {one}"
    return told


def numbers(handle: str) -> tuple[int, int | None]:
    """The order, and the request on it where it is a reissue.

    Raises:
        IssuerError: NOT_THERE for what is no handle of ours.
    """
    match = _HANDLE.fullmatch(handle)
    if match is None:
        raise IssuerError(
            Reason.NOT_THERE, f"{handle!r:.60} is no order of CertCentral.", "Order the certificate anew."
        )
    return int(match[1]), int(match[2]) if match[2] else None


def mark(reference: str) -> str:
    """What stands in the comments, which are all that tells one reissue from another."""
    return f"certdesk {reference}"


def to_prove(names: Sequence[str]) -> tuple[str, ...]:
    """Without `*.`, each once."""
    return tuple(dict.fromkeys(name.removeprefix("*.") for name in names))


def dcv_method(options: CertCentralOptions, names: Sequence[str]) -> str:
    """CertCentral's own name; a file cannot prove a wildcard (Baseline Requirements §3.2.2.4.18)."""
    wild = any(name.startswith("*.") for name in names)
    return DCV["dns-txt" if wild and options.dcv_method == "http" else options.dcv_method]


def certificate(wanted: Wanted) -> dict[str, object]:
    """The part `certificate` of an order or reissue."""
    csr = x509.load_der_x509_csr(wanted.csr).public_bytes(Encoding.PEM).decode("ascii")
    end = wanted.not_after
    return {
        "common_name": wanted.names[0],
        "dns_names": list(wanted.names),
        "csr": csr,
        "signature_hash": "sha256",
        "server_platform": {"id": -1},
        "cert_validity": {"custom_expiration_date": f"{end.day:02d} {_MONTHS[end.month - 1]} {end.year}"},
    }


def reissue(options: CertCentralOptions, wanted: Wanted) -> dict[str, object]:
    return {
        "certificate": certificate(wanted),
        "comments": mark(wanted.reference),
        "skip_approval": options.skip_approval,
        "dcv_method": dcv_method(options, wanted.names),
    }


def order(
    options: CertCentralOptions, wanted: Wanted, organization: int | None, renewal_of: int | None
) -> dict[str, object]:
    """The body of a new order. `organization`: None for DV."""
    body = reissue(options, wanted) | {
        "alternative_order_id": wanted.reference,
        "order_validity": {"years": options.order_years},
        "payment_method": "balance",
        "auto_renew": 0,
        "disable_renewal_notifications": True,
    }
    if organization is not None:
        body["organization"] = {"id": organization, "contacts": contacts(options, wanted)}
    if renewal_of is not None:
        body["renewal_of_order_id"] = renewal_of
    return body


def contacts(options: CertCentralOptions, wanted: Wanted) -> list[dict[str, str]]:
    """Whom the CA may ask; for EV those who approve too."""
    own = contact(wanted)
    if wanted.level != "EV":
        return [{"contact_type": "organization_contact", **own}] if own else []
    others = [_person(*parseaddr(line)) for line in options.approvers]
    approvers = {one["email"]: one for one in ([own, *others] if own else others)}
    first = [{"contact_type": "organization_contact", **own}] if own else []
    return first + [{"contact_type": "ev_approver", **one} for one in approvers.values()]


def contact(wanted: Wanted) -> dict[str, str]:
    """The applicant's contact in CertCentral's fields; empty where there is no address."""
    if not wanted.contact.get("email"):
        return {}
    made = _person(wanted.contact.get("name", ""), wanted.contact["email"])
    return made | {"telephone": wanted.contact.get("phone", "")}


def _person(name: str, address: str) -> dict[str, str]:
    """A name of one word (also most Chinese ones) is both, as the fields must not be empty."""
    words = name.split() or [address.partition("@")[0]]
    return {
        "first_name": " ".join(words[:-1]) or words[0],
        "last_name": words[-1],
        "email": address,
        "job_title": "Contact",
    }


def is_live(row: Mapping[str, Any]) -> bool:
    """An order or request that may still come to something, or has."""
    return str(row.get("status", "")).lower() not in _DEAD


def requests(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The requests of an order, oldest first as they stand there."""
    found = row.get("requests")
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def asked(row: Mapping[str, Any], request: int | None) -> Mapping[str, Any]:
    """The request that a handle is of: a reissue's own, else the order's first."""
    for one in requests(row):
        if one.get("id") == request if request is not None else one.get("type") == "new_request":
            return one
    return {}


def brought_newest(row: Mapping[str, Any], request: int | None) -> bool:
    """Whether the certificate that an order shows is surely what the request of a handle brought: no other
    reissue or duplicate came after that one."""
    own = asked(row, request).get("id")
    later = [one for one in requests(row) if one.get("type") != "revoke" and is_live(one)]
    return isinstance(own, int) and all(isinstance(one.get("id"), int) and one["id"] <= own for one in later)


def status(row: Mapping[str, Any], request: int | None) -> str:
    """Where the request of a handle stands: an order with a reissue of somebody else's is issued for us."""
    found = str(row.get("status", "")).lower()
    newest = next((one.get("id") for one in reversed(requests(row)) if one.get("type") == "reissue"), None)
    return "issued" if found == "reissue_pending" and (request is None or newest != request) else found


def reissue_with(row: Mapping[str, Any], reference: str) -> int | None:
    """The number of the live request that carries our mark."""
    for one in requests(row):
        if one.get("type") == "reissue" and one.get("comments") == mark(reference) and is_live(one):
            return int(one["id"])
    return None


def can_reissue(row: Mapping[str, Any], product: str, wanted: Wanted, before: Sequence[str]) -> bool:
    """Does the predecessor still cover what is wanted, without harm to the certificate that is in use?

    A reissue with names left out, or with another primary one, makes CertCentral revoke the earlier
    certificates of the order; that would take the place of ours before the new one stands.

    Args:
        before: names of the certificate that is replaced; its primary one first.
    """
    covered = _day(row.get("order_valid_till"))
    return (
        row.get("status") == "issued"
        and _product(row) == product
        and covered is not None
        and covered >= wanted.not_after.date()
        and bool(before)
        and set(before) <= set(wanted.names)
        and _common_name(row) in ("", wanted.names[0])
    )


def renewed(row: Mapping[str, Any], product: str, replaced_until: datetime, now: datetime) -> bool:
    """May the new order be told as a renewal? CertCentral takes them in the last 90 days of the order."""
    end = _day(row.get("order_valid_till")) or replaced_until.date()
    return (
        row.get("status") == "issued"
        and _product(row) == product
        and (end - now.date()).days <= _RENEWAL_DAYS
    )


def _product(row: Mapping[str, Any]) -> str:
    found = row.get("product")
    return str(found.get("name_id", "")) if isinstance(found, Mapping) else ""


def _common_name(row: Mapping[str, Any]) -> str:
    found = row.get("certificate")
    return str(found.get("common_name", "")).lower() if isinstance(found, Mapping) else ""


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def tasks(method: str, names: Sequence[str], token: str, proved: frozenset[str]) -> tuple[Task, ...]:
    """What CertCentral looks for, by its own name of the method.

    Args:
        token: the order's random value; empty for email.
        proved: the names for which it was found.
    """
    found: list[Task] = []
    for name in to_prove(names):
        done = name in proved
        if method == "dns-txt-token":
            found.append(Task(name, name, "dns-01", f"{PROOF_LABEL}.{name}", token, "TXT", done))
        elif method == "dns-cname-token":
            target = f"{token}.{CNAME_END}"
            found.append(Task(name, name, "dns-01", f"{PROOF_LABEL}.{name}", target, "CNAME", done))
        elif method == "http-token":
            found.append(Task(name, name, "http-01", f"http://{name}{FILE}", token, "", done))
        else:
            found += [
                Task(f"{name}/{box}", name, "email", f"{box}@{name.removeprefix('www.')}", "", "", done)
                for box in MAILBOXES
            ]
    return tuple(found)


def product_of(options: CertCentralOptions, wanted: Wanted) -> str:
    """Raises: `IssuerError` (OPTIONS) where the options name none for the level."""
    found = wanted.product or options.products.get(wanted.level, "")
    if not found:
        raise IssuerError(
            Reason.OPTIONS,
            f"No product of CertCentral is named for {wanted.level} certificates.",
            "Name one in the options of the certificate authority.",
            field=f"{wanted.level.lower()}_product",
        )
    return found
