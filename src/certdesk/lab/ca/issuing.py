"""From an order to its certificate: proofs, vetting, signature; or to its refusal."""

from datetime import timedelta

from certdesk.lab.ca.errors import Refused, not_found
from certdesk.lab.ca.faults import Fault
from certdesk.lab.ca.office import Office
from certdesk.lab.ca.state import Certificate, Order, Request, to_prove


def reject(office: Office, order: Order, words: str) -> None:
    """The CA will not issue what waits, and says why."""
    if order.work is None:
        raise Refused(400, "nothing_pending", "Nothing waits on this order.")
    order.work.words = words
    drop(office, order, "rejected")


def drop(office: Office, order: Order, status: str) -> None:
    work, order.work = order.work, None
    if work is not None:
        work.status = status
    order.status = "issued" if order.certificates else status


def advance(office: Office, order: Order) -> None:
    """As far as it can go now; asks nobody outside."""
    work = order.work
    if work is None:
        return
    if work.status == "pending":
        order.status = "needs_approval"
    elif not _proved(office, order):
        order.status = "pending"
    elif not _vetted(office, order):
        order.status = "processing"
        if order.organization is not None and order.organization.status == "rejected":
            reject(office, order, f"{order.organization.fields['name']} could not be validated.")
    else:
        issue(office, order, work)
    if order.work is not None and work.kind != "new_request":
        order.status = "reissue_pending"


def _proved(office: Office, order: Order) -> bool:
    if order.organization is not None:
        _share(office, order)
    return set(to_prove(order.names)) <= order.proved


def _share(office: Office, order: Order) -> None:
    """A domain that was shown for an organization counts for its other orders, and covers what is below."""
    known = {
        name
        for other in office.orders.values()
        if other.organization is order.organization and other.method != "http-token"
        for name in other.proved
    } | {
        one.name
        for one in office.domains.values()
        if one.proved and one.organization is order.organization and one.method != "http-token"
    }
    order.proved |= {
        name
        for name in to_prove(order.names)
        if any(name == one or name.endswith(f".{one}") for one in known)
    }


def _vetted(office: Office, order: Order) -> bool:
    one = order.organization
    if one is None:
        return True
    if one.status == "pending" and not one.confirm and one.submitted is not None:
        seconds = office.vetting_seconds
        if seconds is not None and office.now() >= one.submitted + timedelta(seconds=seconds):
            one.status = "active"
    return one.status == "active" and all(order.approvals.values())


def issue(office: Office, order: Order, work: Request) -> None:
    fields = order.organization.fields if order.organization else {}
    if work.csr is None or work.until is None:  # pragma: no cover - every request for a certificate has both
        raise ValueError("no certificate was asked for")
    leaf = office.signer.sign(
        work.csr,
        work.names,
        order.product.level,
        fields,
        now=office.now(),
        until=work.until,
        other_key=office.faults.take("issue", Fault.WRONG_KEY) is not None,
    )
    made = Certificate(office.number(), order.id, leaf, work.names)
    order.certificates.append(made)
    work.status, work.certificate = "approved", made.id
    order.work, order.status = None, "issued"


def look(office: Office, order: Order, names: tuple[str, ...] = ()) -> dict[str, bool]:
    """Looks for the random value at each name that lacks its proof; not with the lock held."""
    wanted = [name for name in to_prove(order.names) if not names or name in names]
    seen = {
        name: name in order.proved or office.prover.shown(order.method, name, order.token) for name in wanted
    }
    with office.lock:
        order.proved |= {name for name, shown in seen.items() if shown}
        advance(office, order)
    return seen


def order(office: Office, number: int) -> Order:
    found = office.orders.get(number)
    if found is None:
        raise not_found("order")
    advance(office, found)
    return found
