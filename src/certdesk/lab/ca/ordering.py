"""Orders, reissues and duplicates: taken, cancelled, decided on by the account's administrators."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from certdesk.lab.ca import asked, issuing, people, revoking
from certdesk.lab.ca.errors import Refused, invalid, not_found
from certdesk.lab.ca.faults import Fault
from certdesk.lab.ca.office import Office
from certdesk.lab.ca.products import PRODUCTS
from certdesk.lab.ca.state import Order, Organization, Request

_LIVE = frozenset({"pending", "processing", "needs_approval", "reissue_pending"})


def place(office: Office, product_id: str, body: Mapping[str, Any]) -> Order:
    product = PRODUCTS.get(product_id)
    if product is None:
        raise not_found("product")
    now = office.now()
    certificate = asked.certificate(body, product, now)
    contacts = asked.contacts(body)
    organization = None if product.level == "DV" else _ordering(office, body)
    approvers = [one["email"] for one in contacts if one["contact_type"] == "ev_approver"]
    if product.level == "EV" and not approvers:
        raise invalid("contacts", "An EV order needs at least one contact of the type ev_approver.")
    method = asked.method(body)
    if method == "http-token" and any(name.startswith("*.") for name in certificate.names):
        raise invalid("dcv_method", "http-token cannot prove wildcard domains.")
    order = Order(
        office.number(),
        product,
        organization,
        "pending",
        method,
        now,
        now + timedelta(days=asked.order_days(body)),
        alternative=asked.text(body, "alternative_order_id", longest=64),
        renewal_of=_renewed(office, body.get("renewal_of_order_id")),
        contacts=contacts,
        approvals=dict.fromkeys(approvers, False) if product.level == "EV" else {},
    )
    _begin(office, order, "new_request", certificate, body)
    office.orders[order.id] = order  # nothing of the request can be refused any more
    if organization is not None:
        people.submit(office, organization)
    _go_on(office, order, "order")
    return order


def _renewed(office: Office, number: object) -> int | None:
    if number is None:
        return None
    if not isinstance(number, int) or number not in office.orders:
        raise invalid("renewal_of_order_id", "The order to renew could not be found.")
    return number


def _ordering(office: Office, body: Mapping[str, Any]) -> Organization:
    number = asked.part(body, "organization").get("id")
    if not isinstance(number, int) or number not in office.organizations:
        raise invalid("organization", "organization.id is missing or unknown.")
    return office.organizations[number]


def reissue(office: Office, number: int, body: Mapping[str, Any], kind: str = "reissue") -> Order:
    """Another certificate on an issued order: `reissue` or `duplicate`."""
    order = issuing.order(office, number)
    if order.work is not None:
        raise Refused(400, "pending_reissue", "The order already has a pending request.")
    if order.status != "issued":
        raise Refused(400, "order_not_issued", f"The order is {order.status} and cannot be reissued.")
    certificate = asked.certificate(body, order.product, office.now())
    if kind == "duplicate" and set(certificate.names) != set(order.names):
        raise invalid("dns_names", "A duplicate has the names of the original certificate.")
    _begin(office, order, kind, certificate, body)
    _go_on(office, order, "reissue")
    return order


def _begin(
    office: Office, order: Order, kind: str, certificate: asked.Certificate, body: Mapping[str, Any]
) -> None:
    approved = "approved" if body.get("skip_approval") is True else "pending"
    order.work = Request(
        office.number(),
        kind,
        approved,
        office.now(),
        asked.text(body, "comments"),
        names=certificate.names,
        csr=certificate.csr,
        until=min(certificate.until, order.valid_till),
    )
    order.requests.append(order.work)


def _go_on(office: Office, order: Order, verb: str) -> None:
    """As far as it goes at once; or to the refusal that was asked for by a fault."""
    rule = office.faults.take(verb, Fault.REFUSE)
    if rule is not None:
        issuing.reject(office, order, rule.words or "The order cannot be validated.")
        return
    issuing.advance(office, order)
    if order.work is not None:
        people.ask_people(office, order)


def cancel(office: Office, order: Order) -> None:
    if order.work is None or order.status not in _LIVE:
        raise Refused(400, "invalid_order_status", f"The order is {order.status} and cannot be canceled.")
    if office.faults.take("cancel", Fault.EARLY) is not None:
        issuing.issue(office, order, order.work)
        raise Refused(400, "invalid_order_status", "The order is issued and cannot be canceled.")
    issuing.drop(office, order, "canceled")


def decide(office: Office, number: int, status: str, words: str) -> None:
    """An administrator of the account approves or rejects."""
    order, one = office.request(number)
    if one.status != "pending":
        raise Refused(400, "invalid_request_status", f"The request is {one.status} already.")
    if status not in ("approved", "rejected"):
        raise invalid("status", "status must be approved or rejected.")
    one.status, one.words = status, words
    if one.kind == "revoke":
        if status == "approved":
            revoking.carry_out(office, order, one)
    elif status == "rejected":
        issuing.drop(office, order, "rejected")
    else:
        issuing.advance(office, order)
