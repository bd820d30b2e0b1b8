"""The book of contacts and companies: who stood in earlier applications (APP-11)."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import book
from certdesk.lifecycle.applications.form import COMPANY_FIELDS
from certdesk.lifecycle.applications.models import BookCompany, BookContact

from ..forms.book import CompanyForm, ContactForm
from ..forms.common import put
from .page import back_to, code_of, page, tell

LIST = "scm:contact:list"


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """People and companies on one page; each used last stands first."""
    may = {name: principal.may(f"scm:{name}:update") for name in ("contact", "company")}
    drop = {name: principal.may(f"scm:{name}:delete") for name in ("contact", "company")}
    context = {
        "title": _("Contacts and companies"),
        "people": [_person(one, may["contact"], drop["contact"]) for one in book.people(principal)],
        "companies": [_company(one, may["company"], drop["company"]) for one in book.companies(principal)],
    }
    return render(request, "console/book.html", context)


def _person(one: BookContact, may: bool, drop: bool) -> dict[str, Any]:
    return {
        "name": one.name,
        "text": f"{one.phone} · {one.email}",
        "used_at": one.used_at,
        "edit": reverse("contact", args=[one.id]) if may else "",
        "delete": reverse("delete-contact", args=[one.id]) if drop else "",
    }


def _company(one: BookCompany, may: bool, drop: bool) -> dict[str, Any]:
    place = [str(one.company[key]) for key in ("city", "province", "country") if one.company.get(key)]
    return {
        "name": one.company.get("name", ""),
        "text": ", ".join(place),
        "used_at": one.used_at,
        "edit": reverse("company", args=[one.id]) if may else "",
        "delete": reverse("delete-company", args=[one.id]) if drop else "",
    }


@page("scm:contact:update", post="scm:contact:update")
def person(request: HttpRequest, principal: Principal, contact_id: int) -> HttpResponse:
    found = book.person(principal, contact_id, "scm:contact:update")
    initial = {"name": found.name, "phone": found.phone, "email": found.email}
    form = ContactForm(request.POST or None, initial=initial, label_suffix="")
    if request.method == "POST" and form.is_valid():
        try:
            book.change_person(principal, contact_id, **form.cleaned_data)
        except CertdeskError as error:
            return _page(request, found.name, form, error)
        tell(request, _("The contact is saved."), "contact.saved")
        return back_to("contacts")
    return _page(request, found.name, form)


@page("scm:company:update", post="scm:company:update")
def company(request: HttpRequest, principal: Principal, company_id: int) -> HttpResponse:
    found = book.company(principal, company_id, "scm:company:update")
    initial = {field: found.company.get(key, "") for key, field in COMPANY_FIELDS.items()}
    form = CompanyForm(request.POST or None, initial=initial, label_suffix="")
    if request.method == "POST" and form.is_valid():
        given = {key: form.cleaned_data[field] for key, field in COMPANY_FIELDS.items()}
        try:
            book.change_company(principal, company_id, given)
        except CertdeskError as error:
            return _page(request, str(found.company.get("name", "")), form, error)
        tell(request, _("The company is saved."), "company.saved")
        return back_to("contacts")
    return _page(request, str(found.company.get("name", "")), form)


def _page(
    request: HttpRequest, title: str, form: forms.Form, error: CertdeskError | None = None
) -> HttpResponse:
    if error is not None:
        put(form, error)
    context = {
        "title": title,
        "form": form,
        "code": code_of(error) if error else "",
        "back": reverse("contacts"),
        "crumbs": [{"label": _("Contacts and companies"), "url": reverse("contacts")}],
    }
    return render(request, "console/edit.html", context, status=422 if form.errors else 200)


@page("scm:contact:delete", post="scm:contact:delete")
def delete_person(request: HttpRequest, principal: Principal, contact_id: int) -> HttpResponse:
    """Asked first: what goes, and what stays."""
    if request.method != "POST":
        found = book.person(principal, contact_id, "scm:contact:delete")
        return _ask(
            request, _("Delete the contact?"), found.name, f"{found.phone} · {found.email}", "contact"
        )
    book.delete_person(principal, contact_id)
    tell(request, _("The contact is deleted."), "contact.deleted")
    return back_to("contacts")


@page("scm:company:delete", post="scm:company:delete")
def delete_company(request: HttpRequest, principal: Principal, company_id: int) -> HttpResponse:
    if request.method != "POST":
        found = _company(book.company(principal, company_id, "scm:company:delete"), may=False, drop=False)
        return _ask(request, _("Delete the company?"), found["name"], found["text"], "company")
    book.delete_company(principal, company_id)
    tell(request, _("The company is deleted."), "company.deleted")
    return back_to("contacts")


def _ask(request: HttpRequest, title: str, name: str, text: str, kind: str) -> HttpResponse:
    context = {
        "title": title,
        "name": name,
        "text": text,
        "kind": kind,
        "back": reverse("contacts"),
        "crumbs": [{"label": _("Contacts and companies"), "url": reverse("contacts")}],
    }
    return render(request, "console/book_delete.html", context)
