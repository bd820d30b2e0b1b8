"""The book of contacts and companies: who stood in earlier applications, to fill in the next (APP-11).

Entries come from applications, whose applicant authorised the keeping; so nothing is entered by hand. They
stay until they are deleted here, or the authorisation is cancelled (`forget`).
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import orjson
from django.db.models import Model, QuerySet

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import Conflict, NotFound
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, Resource

from . import contacts
from .form import COMPANY_FIELDS
from .models import Application, BookCompany, BookContact, Contact

LIMIT = 500
"""Entries of an account that are shown; those used last come first."""

M = TypeVar("M", bound=Model)


def keep(account_id: str, contact: Mapping[str, str], company: Mapping[str, str], now: datetime) -> None:
    """Enters the people and the company of an application, in its transaction."""
    for role in ("applicant", "contact"):
        person = {kind: contact.get(f"{role}_{kind}", "") for kind in ("name", "phone", "email")}
        if all(person.values()):
            BookContact.objects.update_or_create(
                account_id=account_id,
                **person,
                defaults={"used_at": now},
                create_defaults={"used_at": now, "created_at": now},
            )
    if company:
        BookCompany.objects.update_or_create(
            account_id=account_id,
            digest=digest_of(company),
            defaults={"used_at": now},
            create_defaults={"company": dict(company), "used_at": now, "created_at": now},
        )


def digest_of(company: Mapping[str, str]) -> str:
    return hashlib.sha256(orjson.dumps(dict(company), option=orjson.OPT_SORT_KEYS)).hexdigest()


def forget(application: Application) -> None:
    """The authorisation of an application is cancelled (PRV-2): its entries go, unless another application
    of the account, whose authorisation stands, has the same. In the caller's transaction, before its contact
    and company are deleted."""
    account_id = application.account_id
    others = Application.objects.filter(account_id=account_id).exclude(id=application.id)
    kept_people = {
        (getattr(one, f"{role}_name"), getattr(one, f"{role}_phone"), getattr(one, f"{role}_email"))
        for one in Contact.objects.filter(application__in=others)
        for role in ("applicant", "contact")
    }
    mine = Contact.objects.filter(application=application).first()
    for role in ("applicant", "contact") if mine else ():
        name, phone, email = (getattr(mine, f"{role}_{kind}") for kind in ("name", "phone", "email"))
        if (name, phone, email) not in kept_people:
            BookContact.objects.filter(account_id=account_id, name=name, phone=phone, email=email).delete()
    digest = digest_of(application.company)
    if all(digest_of(company) != digest for company in others.values_list("company", flat=True)):
        BookCompany.objects.filter(account_id=account_id, digest=digest).delete()


def people(principal: Principal) -> list[BookContact]:
    """The account's contacts, those used last first; nothing without `scm:contact:list`."""
    return list(_seen(BookContact.objects.all(), principal, "scm:contact:list"))


def companies(principal: Principal) -> list[BookCompany]:
    return list(_seen(BookCompany.objects.all(), principal, "scm:company:list"))


def _seen(entries: QuerySet[M], principal: Principal, action: str) -> QuerySet[M]:
    if not principal.may(action, _resource(principal, action)):
        return entries.none()
    return entries.filter(account_id=principal.account_id).order_by("-used_at", "-id")[:LIMIT]


def _resource(principal: Principal, action: str, number: int | None = None) -> Resource:
    """An entry, or the whole book: it is the account's, so a right limited to a project does not reach it."""
    kind = action.split(":")[1]
    return Resource(kind, "" if number is None else str(number), principal.account_id)


def person(principal: Principal, contact_id: int, action: str = "scm:contact:get") -> BookContact:
    """One contact.

    Raises:
        NotFound, Forbidden: none of this id in the account, or no right.
    """
    principal.require(action, _resource(principal, action, contact_id))
    found = BookContact.objects.filter(id=contact_id, account_id=principal.account_id).first()
    if found is None:
        raise NotFound(f"There is no contact {contact_id}.", next_step="Look for it in the list of contacts.")
    return found


def company(principal: Principal, company_id: int, action: str = "scm:company:get") -> BookCompany:
    """One company. Raises: as `person`."""
    principal.require(action, _resource(principal, action, company_id))
    found = BookCompany.objects.filter(id=company_id, account_id=principal.account_id).first()
    if found is None:
        raise NotFound(
            f"There is no company {company_id}.", next_step="Look for it in the list of companies."
        )
    return found


def prefill(
    principal: Principal,
    *,
    contact: int | None = None,
    technical: int | None = None,
    company_id: int | None = None,
) -> dict[str, str]:
    """What the chosen entries put into the form of an application, by its field names."""
    values: dict[str, str] = {}
    for role, chosen in (("applicant", contact), ("contact", technical)):
        if chosen is not None:
            found = person(principal, chosen)
            values |= {f"{role}_name": found.name, f"{role}_phone": found.phone, f"{role}_email": found.email}
    if company_id is not None:
        details = company(principal, company_id).company
        values |= {field: str(details.get(key, "")) for key, field in COMPANY_FIELDS.items()}
    return values


def change_person(principal: Principal, contact_id: int, *, name: str, phone: str, email: str) -> BookContact:
    """Corrects a contact; applications that were submitted keep what they had.

    Raises:
        NotFound, Forbidden: as `person`. BadParameter: name, phone or email cannot be used (APP-10).
        Conflict: the account has the same contact already.
    """
    wanted = {"name": name.strip(), "phone": phone.strip(), "email": email.strip()}
    contacts.check_person(wanted)
    with short_transaction():
        found = person(principal, contact_id, "scm:contact:update")
        same = BookContact.objects.filter(account_id=found.account_id, **wanted).exclude(id=found.id)
        if same.exists():
            raise Conflict("The book has this contact already.", next_step="Delete one of the two.")
        BookContact.objects.filter(id=found.id).update(**wanted)
        _record(principal, "scm:contact:update", f"contact:{found.id}")
    return person(principal, contact_id, "scm:contact:update")


def change_company(principal: Principal, company_id: int, given: Mapping[str, str]) -> BookCompany:
    """Corrects a company. Raises: as `change_person`; BadParameter: what `check_company` refuses."""
    wanted = contacts.check_company(given, required=True)
    with short_transaction():
        found = company(principal, company_id, "scm:company:update")
        digest = digest_of(wanted)
        if (
            BookCompany.objects.filter(account_id=found.account_id, digest=digest)
            .exclude(id=found.id)
            .exists()
        ):
            raise Conflict("The book has this company already.", next_step="Delete one of the two.")
        BookCompany.objects.filter(id=found.id).update(company=wanted, digest=digest)
        _record(principal, "scm:company:update", f"company:{found.id}")
    return company(principal, company_id, "scm:company:update")


def delete_person(principal: Principal, contact_id: int) -> None:
    """Raises: as `person`."""
    with short_transaction():
        person(principal, contact_id, "scm:contact:delete").delete()
        _record(principal, "scm:contact:delete", f"contact:{contact_id}")


def delete_company(principal: Principal, company_id: int) -> None:
    """Raises: as `person`."""
    with short_transaction():
        company(principal, company_id, "scm:company:delete").delete()
        _record(principal, "scm:company:delete", f"company:{company_id}")


def _record(principal: Principal, action: str, resource: str) -> None:
    """Ids alone: the audit trail holds no personal data."""
    audit.record(principal, action, resource=resource)
