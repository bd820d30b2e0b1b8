"""The part of CertCentral's Services API v2 that the simulated CA answers: method, path, what it does."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization

from certdesk.lab.ca import asked, domains, issuing, ordering, people, revoking, shown
from certdesk.lab.ca.errors import Refused, invalid, not_found
from certdesk.lab.ca.mails import mailboxes
from certdesk.lab.ca.office import Office
from certdesk.lab.ca.products import PRODUCTS
from certdesk.lab.ca.proofs import METHODS
from certdesk.lab.ca.state import Certificate, Order

PREFIX = "/services/v2/"
_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `ids` from the path, `query` the last value of each."""

    office: Office
    ids: tuple[str, ...]
    query: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def order(self) -> Order:
        return issuing.order(self.office, int(self.ids[0]))


Answer = tuple[int, object]
"""Status; JSON, text, or None for no body."""


@dataclass(frozen=True, slots=True)
class Route:
    """`verb`: by which faults name it. `waits`: it looks outside, so it takes the lock by itself."""

    method: str
    pattern: re.Pattern[str]
    verb: str
    answer: Callable[[Call], Answer]
    waits: bool = False


def _me(_: Call) -> Answer:
    return 200, {
        "id": 1,
        "username": "lab",
        "first_name": "Lab",
        "last_name": "User",
        "email": "lab@ca.lab.invalid",
        "account_id": 1,
        "status": "active",
        "access_roles": [{"id": 1, "name": "Administrator"}],
    }


def _products(_: Call) -> Answer:
    return 200, {"products": [shown.product(one) for one in PRODUCTS.values()]}


def _paged(call: Call) -> tuple[int, int]:
    try:
        offset, limit = int(call.query.get("offset", "0")), int(call.query.get("limit", str(_LIMIT)))
    except ValueError:
        raise invalid("limit", "limit and offset are numbers.") from None
    return max(offset, 0), min(max(limit, 1), _LIMIT)


def _place(call: Call) -> Answer:
    return 201, shown.placed(ordering.place(call.office, call.ids[0], call.body))


def _orders(call: Call) -> Answer:
    name, status = call.query.get("filters[common_name]", ""), call.query.get("filters[status]", "")
    rows = []
    for order in call.office.orders.values():
        issuing.advance(call.office, order)
        row = shown.brief(order)
        if name in ("", row["certificate"]["common_name"]) and status in ("", order.status):
            rows.append(row)
    if call.query.get("sort", "-date_created") != "+date_created":
        rows.reverse()
    return 200, shown.page("orders", rows, *_paged(call))


def _changes(call: Call) -> Answer:
    try:
        since = call.office.now() - timedelta(minutes=int(call.query.get("minutes", "60")))
    except (ValueError, OverflowError):
        raise invalid("minutes", "minutes is a number.") from None
    return 200, {
        "orders": [
            {
                "order_id": one.id,
                "certificate_id": one.certificates[-1].id if one.certificates else None,
                "status": one.status,
            }
            for one in call.office.orders.values()
            if one.changed is not None and one.changed >= since
        ]
    }


def _order(call: Call) -> Answer:
    return 200, shown.full(call.order)


def _status(call: Call) -> Answer:
    if asked.text(call.body, "status").upper() != "CANCELED":
        raise invalid("status", "status must be CANCELED.")
    ordering.cancel(call.office, call.order)
    return 204, None


def _again(kind: str) -> Callable[[Call], Answer]:
    def answer(call: Call) -> Answer:
        return 201, shown.placed(ordering.reissue(call.office, int(call.ids[0]), call.body, kind))

    return answer


def _made(kind: str) -> Callable[[Call], Answer]:
    def answer(call: Call) -> Answer:
        order = call.order
        kinds = {one.certificate: one.kind for one in order.requests if one.kind != "revoke"}
        rows = [shown.certificate(one) for one in order.certificates if kinds.get(one.id) == kind]
        return 200, {"certificates": rows}

    return answer


def _check(call: Call) -> Answer:
    with call.office.lock:
        order = call.order
    names = call.body.get("dns_names_validations") or []
    if not isinstance(names, list):
        raise invalid("dns_names_validations", "dns_names_validations is not a list.")
    if order.method == "email":
        raise invalid("dcv_method", "The order is proved by email.")
    if order.work is None:
        raise Refused(400, "invalid_order_status", f"The order is {order.status}.")
    seen = issuing.look(call.office, order, tuple(map(str, names)))
    if order.method == "http-token" and not all(seen.values()):
        missing = ", ".join(name for name, found in seen.items() if not found)
        raise Refused(400, "file_not_found", f"The random value could not be found for {missing}.")
    rows = [
        {"dns_name": name, "status": "approved" if found else "unapproved"} for name, found in seen.items()
    ]
    answer: dict[str, object] = {
        "order_status": order.status,
        "dcv_status": "valid" if all(seen.values()) else "invalid",
        "dns_name_validations": rows,
    }
    if order.certificates and order.status == "issued":
        answer["certificate_id"] = order.certificates[-1].id
    return 200, answer


def _random(call: Call) -> Answer:
    order = call.order
    if order.method == "email":
        raise invalid("dcv_method", "The order is proved by email.")
    if order.work is None and order.again is None:
        raise Refused(400, "invalid_order_status", f"The order is {order.status}.")
    return 201, {"dcv_random_value": order.token}


def _request(call: Call) -> Answer:
    order, one = call.office.request(int(call.ids[0]))
    return 200, shown.request(one) | {"order": {"id": order.id}}


def _decide(call: Call) -> Answer:
    status, words = asked.text(call.body, "status"), asked.text(call.body, "processor_comment")
    ordering.decide(call.office, int(call.ids[0]), status, words)
    return 204, None


def _download(call: Call) -> Answer:
    _, one = call.office.certificate(call.ids[0])
    return 200, _formatted(call.office, one, call.ids[1])


def _download_order(call: Call) -> Answer:
    order = call.order
    if not order.certificates:
        raise not_found("certificate")
    return 200, _formatted(call.office, order.certificates[-1], call.ids[1])


def _formatted(office: Office, one: Certificate, form: str) -> str:
    if form not in ("pem_all", "pem_noroot", "pem_nointermediate"):
        raise invalid("format_type", "The lab gives pem_all, pem_noroot and pem_nointermediate.")
    if form == "pem_nointermediate":
        return one.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
    return office.signer.chain_pem(one.certificate, root=form == "pem_all")


def _revoke(call: Call) -> Answer:
    made = revoking.revoke(call.office, call.ids[0], call.body)
    return (204, None) if made is None else (201, shown.request(made))


def _organizations(call: Call) -> Answer:
    rows = [shown.organization(one) for one in call.office.organizations.values()]
    return 200, shown.page("organizations", rows, *_paged(call))


def _new_organization(call: Call) -> Answer:
    return 201, {"id": people.add_organization(call.office, call.body).id}


def _organization(call: Call) -> Answer:
    return 200, shown.organization(call.office.organization(int(call.ids[0])))


def _validation(call: Call) -> Answer:
    return 200, shown.vetting(call.office.organization(int(call.ids[0])))


def _submit(call: Call) -> Answer:
    people.submit(call.office, call.office.organization(int(call.ids[0])))
    return 204, None


def _methods(_: Call) -> Answer:
    return 200, {"methods": [{"name_id": one, "name": one} for one in METHODS]}


def _domains(call: Call) -> Answer:
    rows = [shown.domain(one) for one in call.office.domains.values()]
    return 200, shown.page("domains", rows, *_paged(call))


def _new_domain(call: Call) -> Answer:
    return 201, shown.domain(domains.add(call.office, call.body))


def _domain(call: Call) -> Answer:
    return 200, shown.domain(domains.find(call.office, int(call.ids[0])))


def _mailboxes(call: Call) -> Answer:
    one = domains.find(call.office, int(call.ids[0]))
    return 200, {"name_scope": one.name, "base_emails": list(mailboxes(one.name)), "whois_emails": []}


def _mail_again(call: Call) -> Answer:
    domains.ask(call.office, domains.find(call.office, int(call.ids[0])))
    return 204, None


def _look(call: Call) -> Answer:
    with call.office.lock:
        one = domains.find(call.office, int(call.ids[0]))
    domains.look(call.office, one)
    return 200, {"token": one.token, "status": "active"}


def _route(method: str, path: str, verb: str, answer: Callable[[Call], Answer], waits: bool = False) -> Route:
    shape = path.replace("{id}", r"(\d{1,12})").replace("{word}", r"([A-Za-z0-9_]{1,64})")
    return Route(method, re.compile(PREFIX + shape), verb, answer, waits)


ROUTES = (
    _route("GET", "user/me", "user", _me),
    _route("GET", "product", "product", _products),
    _route("GET", "order/certificate", "list", _orders),
    _route("GET", "order/certificate/status-changes", "status-changes", _changes),
    _route("GET", "order/certificate/{id}", "order-info", _order),
    _route("POST", "order/certificate/{word}", "order", _place),
    _route("PUT", "order/certificate/{id}/status", "cancel", _status),
    _route("POST", "order/certificate/{id}/reissue", "reissue", _again("reissue")),
    _route("GET", "order/certificate/{id}/reissue", "reissues", _made("reissue")),
    _route("POST", "order/certificate/{id}/duplicate", "duplicate", _again("duplicate")),
    _route("GET", "order/certificate/{id}/duplicate", "duplicates", _made("duplicate")),
    _route("PUT", "order/certificate/{id}/check-dcv", "check-dcv", _check, waits=True),
    _route("PUT", "order/certificate/{id}/dcv-random-value", "random-value", _random),
    _route("GET", "request/{id}", "request", _request),
    _route("PUT", "request/{id}/status", "decide", _decide),
    _route("GET", "certificate/{word}/download/format/{word}", "download", _download),
    _route("GET", "certificate/download/order/{id}/format/{word}", "download", _download_order),
    _route("PUT", "certificate/{word}/revoke", "revoke", _revoke, waits=True),
    _route("GET", "organization", "organizations", _organizations),
    _route("POST", "organization", "organization", _new_organization),
    _route("GET", "organization/{id}", "organization-info", _organization),
    _route("GET", "organization/{id}/validation", "validation", _validation),
    _route("POST", "organization/{id}/validation", "submit", _submit),
    _route("GET", "domain", "domains", _domains),
    _route("POST", "domain", "domain", _new_domain),
    _route("GET", "domain/{id}", "domain-info", _domain),
    _route("GET", "domain/{id}/dcv/emails", "dcv-emails", _mailboxes),
    _route("POST", "domain/{id}/validation/email", "dcv-email", _mail_again),
    _route("PUT", "domain/{id}/dcv/validate-token", "validate-token", _look, waits=True),
    _route("GET", "domain/dcv/method", "dcv-method", _methods),
)


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """The route of a path, and the ids in it.

    Raises:
        Refused: 404 or 405.
    """
    others = False
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match and route.method == method:
            return route, match.groups()
        others = others or match is not None
    raise (
        Refused(405, "method_not_allowed", "The method is not allowed.") if others else not_found("endpoint")
    )
