"""Contacts and companies of earlier applications, to fill in the next one (APP-11)."""

from certdesk.foundation.common import clock
from certdesk.foundation.iam import known
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import book
from certdesk.lifecycle.applications.form import COMPANY_FIELDS
from certdesk.lifecycle.applications.models import BookCompany, BookContact

from . import schemas
from .organization import number
from .registry import operation
from .shapes import Shape

known.declare("scm:contact:get", "scm:company:get")  # asked for when an application takes one of them
CONTACTS, COMPANIES = "/v3/scm/contacts", "/v3/scm/companies"


@operation("contacts.list", "GET", CONTACTS, "scm:contact:list")
def contacts(principal: Principal) -> Shape:
    """People of earlier applications, those used last first."""
    return {"items": [_contact(one) for one in book.people(principal)]}


@operation("contacts.update", "PUT", f"{CONTACTS}/{{id}}", "scm:contact:update", request=schemas.BookContact)
def update_contact(principal: Principal, id: str, body: schemas.BookContact) -> Shape:  # noqa: A002
    """Corrects a contact; applications that were submitted keep what they had."""
    given = {"name": body.name, "phone": body.phone, "email": body.email}
    return _contact(book.change_person(principal, number(id), **given))


@operation("contacts.delete", "DELETE", f"{CONTACTS}/{{id}}", "scm:contact:delete", success=204)
def delete_contact(principal: Principal, id: str) -> None:  # noqa: A002
    """Takes a contact out of the book."""
    book.delete_person(principal, number(id))


@operation("companies.list", "GET", COMPANIES, "scm:company:list")
def companies(principal: Principal) -> Shape:
    """Companies of earlier applications, those used last first."""
    return {"items": [_company(one) for one in book.companies(principal)]}


@operation(
    "companies.update", "PUT", f"{COMPANIES}/{{id}}", "scm:company:update", request=schemas.BookCompany
)
def update_company(principal: Principal, id: str, body: schemas.BookCompany) -> Shape:  # noqa: A002
    """Corrects a company; applications that were submitted keep what they had."""
    given = {key: getattr(body, field) for key, field in COMPANY_FIELDS.items()}
    return _company(book.change_company(principal, number(id), given))


@operation("companies.delete", "DELETE", f"{COMPANIES}/{{id}}", "scm:company:delete", success=204)
def delete_company(principal: Principal, id: str) -> None:  # noqa: A002
    """Takes a company out of the book."""
    book.delete_company(principal, number(id))


def _contact(one: BookContact) -> Shape:
    return {
        "id": one.id,
        "name": one.name,
        "phone": one.phone,
        "email": one.email,
        "used_at": clock.wire(one.used_at),
    }


def _company(one: BookCompany) -> Shape:
    return {
        "id": one.id,
        **{field: one.company.get(key, "") for key, field in COMPANY_FIELDS.items()},
        "used_at": clock.wire(one.used_at),
    }
