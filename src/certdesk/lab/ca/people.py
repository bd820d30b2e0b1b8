"""Who is asked: an organization's contact, those who speak for a domain, the approvers of an EV order."""

import secrets
from collections.abc import Mapping
from typing import Any

from certdesk.lab.ca import asked, issuing
from certdesk.lab.ca.errors import invalid
from certdesk.lab.ca.mails import mailboxes
from certdesk.lab.ca.office import Office
from certdesk.lab.ca.state import Order, Organization, to_prove


def add_organization(office: Office, body: Mapping[str, Any]) -> Organization:
    contact = asked.part(body, "organization_contact")
    made = Organization(office.number(), asked.organization(body), asked.text(contact, "email", longest=255))
    office.organizations[made.id] = made
    if body.get("validations"):
        submit(office, made)
    return made


def submit(office: Office, one: Organization) -> None:
    """People begin to look at it; a mail asks its contact."""
    if one.status != "inactive":
        return
    one.status, one.submitted = "pending", office.now()
    if one.contact and office.post.server:
        one.confirm = secrets.token_urlsafe(24)
        _mail(
            office,
            (one.contact,),
            f"Please confirm {one.fields['name']}",
            f"organization/{one.confirm}",
            f"Somebody wants certificates for {one.fields['name']}. If that is right, confirm it:",
        )


def vet(office: Office, number: int, status: str) -> None:
    """What the people there found: active or rejected."""
    if status not in ("active", "rejected"):
        raise invalid("status", "status must be active or rejected.")
    office.organization(number).status = status
    for order in office.orders.values():
        issuing.advance(office, order)


def ask_people(office: Office, order: Order) -> None:
    """Mails to those who may speak for the domains, and to the approvers of an EV order."""
    if order.method == "email":
        for name in to_prove(order.names):
            if name not in order.proved:
                _ask(
                    office, order, f"dcv:{name}", mailboxes(name), f"May a certificate be issued for {name}?"
                )
    for address, agreed in order.approvals.items():
        if not agreed:
            _ask(office, order, f"approver:{address}", (address,), f"Do you approve order {order.id}?")


def ask_again(office: Office, order: Order) -> None:
    """Mails to those who may speak for the domains, before a revocation."""
    if order.method == "email":
        for name in sorted(order.again or ()):
            question = f"May the certificate for {name} be revoked?"
            _ask(office, order, f"again:{name}", mailboxes(name), question)


def _ask(office: Office, order: Order, what: str, to: tuple[str, ...], question: str) -> None:
    secret = secrets.token_urlsafe(24)
    order.secrets[secret] = what
    names = ", ".join(order.names[:10])
    _mail(office, to, question, f"order/{secret}", f"Order {order.id} is for {names}. To say yes:")


def _mail(office: Office, to: tuple[str, ...], subject: str, path: str, text: str) -> None:
    office.post.send(to, subject, f"{text}\n\n{office.url}/answer/{path}\n")


def agreed(office: Office, kind: str, secret: str) -> bool:
    """Somebody followed the link of a mail and said yes."""
    for one in office.organizations.values():
        if kind == "organization" and one.confirm and secrets.compare_digest(one.confirm, secret):
            one.confirm = ""
            return True
    for domain in office.domains.values():
        if kind == "domain" and domain.secret and secrets.compare_digest(domain.secret, secret):
            domain.proved, domain.secret = True, ""
            return True
    for order in office.orders.values():
        what = order.secrets.pop(secret, "") if kind == "order" else ""
        if what:
            approve(office, order, what)
            return True
    return False


def approve(office: Office, order: Order, what: str) -> None:
    """`dcv:NAME`, `again:NAME` before a revocation, or `approver:ADDRESS`."""
    sort, _, value = what.partition(":")
    if sort == "dcv" and value in to_prove(order.names):
        order.proved.add(value)
    elif sort == "again" and order.again is not None:
        order.again.discard(value)
    elif sort == "approver" and value in order.approvals:
        order.approvals[value] = True
    else:
        raise invalid("approval", "There is no such question on this order.")
    issuing.advance(office, order)
