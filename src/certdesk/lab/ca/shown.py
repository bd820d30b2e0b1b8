"""The simulated CA's records in the shapes of CertCentral's answers."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes

from certdesk.lab.ca.products import Product
from certdesk.lab.ca.state import Certificate, Domain, Order, Organization, Request, to_prove

Json = dict[str, Any]
_TOKEN_DAYS = timedelta(days=30)


def at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def token(order: Order) -> Json:
    """The random value; one for all names of an order."""
    return {
        "token": order.token,
        "status": "pending",
        "expiration_date": at(order.created + _TOKEN_DAYS),
        "verification_value": f"{order.token}.dcv.digicert.com" if order.method == "dns-cname-token" else "",
    }


def placed(order: Order) -> Json:
    """The answer to an order or reissue."""
    work = order.requests[-1]
    shown: Json = {"id": order.id, "requests": [{"id": work.id, "status": work.status}]}
    if order.method != "email":
        shown["dcv_random_value"] = order.token
    if work.certificate is not None:
        shown["certificate_id"] = work.certificate
    if order.organization is not None:
        shown["organization"] = {"id": order.organization.id}
        missing = [name for name in to_prove(order.names) if name not in order.proved]
        shown["domains"] = [
            {"id": number, "name": name, "dns_name": name, "dcv_token": token(order)}
            for number, name in enumerate(missing, order.id * 1000)
        ]
    return shown


def brief(order: Order) -> Json:
    """An order in a list: without its requests and our own marks, as in the real one."""
    return {
        "id": order.id,
        "status": order.status,
        "date_created": at(order.created),
        "certificate": _certificate(order),
        "product": product(order.product),
        "has_pending_request": order.work is not None,
        "order_valid_till": order.valid_till.date().isoformat(),
    }


def full(order: Order) -> Json:
    """`GET order/certificate/{id}`."""
    shown = brief(order) | {
        "dcv_method": order.method,
        "alternative_order_id": order.alternative,
        "requests": [request(one) for one in order.requests],
        "reissues_count": sum(one.kind == "reissue" for one in order.requests),
        "is_renewal": order.renewal_of is not None,
    }
    if order.renewal_of is not None:
        shown["renewal_of_order_id"] = order.renewal_of
    if order.organization is not None:
        shown["organization"] = {"id": order.organization.id, "name": order.organization.fields["name"]}
    return shown


def _certificate(order: Order) -> Json:
    newest = order.certificates[-1] if order.certificates else None
    names = newest.names if newest else order.names
    shown: Json = {"common_name": names[0], "dns_names": list(names)}
    return shown | certificate(newest) if newest else shown


def certificate(one: Certificate) -> Json:
    return {
        "id": one.id,
        "order_id": one.order,
        "status": one.status,
        "common_name": one.names[0],
        "dns_names": list(one.names),
        "serial_number": one.serial,
        "thumbprint": one.certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 its documented form
        "valid_from": one.certificate.not_valid_before_utc.date().isoformat(),
        "valid_till": one.certificate.not_valid_after_utc.date().isoformat(),
    }


def request(one: Request) -> Json:
    return {
        "id": one.id,
        "type": one.kind,
        "status": one.status,
        "date": at(one.date),
        "comments": one.comments,
        "processor_comment": one.words,
    }


def product(one: Product) -> Json:
    return {
        "name_id": one.name_id,
        "name": one.name,
        "type": "ssl_certificate",
        "validation_type": one.level.lower(),
    }


def organization(one: Organization) -> Json:
    return {"id": one.id, "status": "active", **one.fields}


def vetting(one: Organization) -> Json:
    """`GET organization/{id}/validation`."""
    status = {"active": "active", "pending": "pending", "rejected": "rejected"}.get(one.status)
    return {"validations": [{"type": kind, "status": status} for kind in ("ov", "ev")] if status else []}


def domain(one: Domain) -> Json:
    status = "active" if one.proved else "pending"
    return {
        "id": one.id,
        "name": one.name,
        "is_active": True,
        "organization": {"id": one.organization.id, "name": one.organization.fields["name"]},
        "dcv_method": one.method,
        "dcv_token": {"token": one.token, "status": status} if one.method != "email" else None,
        "validations": [{"type": "ov", "dcv_status": "complete" if one.proved else "pending"}],
    }


def page(name: str, rows: Iterable[Json], offset: int, limit: int) -> Json:
    found = list(rows)
    return {
        name: found[offset : offset + limit],
        "page": {"total": len(found), "limit": limit, "offset": offset},
    }
