"""Domains that are proved for an organization ahead of any order (pre-validation)."""

import secrets
from collections.abc import Mapping
from typing import Any

from certdesk.lab.ca import asked
from certdesk.lab.ca.errors import Refused, invalid, not_found
from certdesk.lab.ca.mails import mailboxes
from certdesk.lab.ca.office import Office
from certdesk.lab.ca.state import Domain


def add(office: Office, body: Mapping[str, Any]) -> Domain:
    """A domain of an organization, with a random value of its own."""
    name = asked.host(asked.text(body, "name", needed=True).lower())
    number = asked.part(body, "organization").get("id")
    if not isinstance(number, int) or number not in office.organizations:
        raise invalid("organization", "organization.id is missing or unknown.")
    made = Domain(office.number(), name, office.organizations[number], asked.method(body))
    office.domains[made.id] = made
    ask(office, made)
    return made


def find(office: Office, number: int) -> Domain:
    found = office.domains.get(number)
    if found is None:
        raise not_found("domain")
    return found


def ask(office: Office, one: Domain) -> None:
    """By email: a mail to those who may speak for it; asked again, only the newest link is good."""
    if one.method != "email" or one.proved:
        return
    one.secret = secrets.token_urlsafe(24)
    office.post.send(
        mailboxes(one.name),
        f"May {one.organization.fields['name']} have certificates for {one.name}?",
        f"To say yes:\n\n{office.url}/answer/domain/{one.secret}\n",
    )


def look(office: Office, one: Domain) -> None:
    """Looks for the random value; not with the lock held.

    Raises:
        Refused: it is not there, or a mail decides.
    """
    if one.method == "email":
        raise invalid("dcv_method", "The domain is proved by email.")
    if not one.proved and not office.prover.shown(one.method, one.name, one.token):
        raise Refused(400, "invalid_dns", f"The random value could not be found for {one.name}.")
    one.proved = True
