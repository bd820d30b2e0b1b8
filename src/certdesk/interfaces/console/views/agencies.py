"""Agencies in the console (IAM-8): whom the account lets in, and with which policies."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import agencies, projects
from certdesk.foundation.iam.finding import resource
from certdesk.foundation.iam.models import Agency
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call

from ..forms.agencies import AgencyForm
from ..forms.common import put
from ..templatetags.certdesk_ui import moment
from .page import back_to, page, tell
from .people import LIST, SURE, crumb, form_page, tried
from .teams import attach_form, deleted, grant_line


def _home() -> dict[str, str]:
    return crumb(_("Agencies"), "iam-agencies")


@page(agencies.LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    context = {
        "title": _("Agencies"),
        "heads": [_("Agency"), _("Who may act here"), _("Policies"), _("Until")],
        "lines": [_line(one) for one in agencies.listed(principal)],
        "add_url": reverse("iam-agency-add") if principal.may(agencies.CREATE) else "",
        "add_label": _("Make an agency"),
        "operation": "agency-add",
        "empty_title": _("No agency"),
        "empty_text": _(
            "An agency lets users of another account act in yours, with the policies that you give it and no"
            " others; your audit log names them."
        ),
    }
    return render(request, LIST, context)


def _line(agency: Agency) -> dict[str, Any]:
    names = sorted({one.policy.name for one in agencies.grants(agency)})
    over = agencies.is_over(agency, clock.real_now())
    until: dict[str, Any] = {"label": _("Until"), "value": _end(agency)}
    if over:
        until |= {"badge": _("Over"), "tone": "end"}
    return {
        "name": agency.name,
        "note": agency.description,
        "url": reverse("iam-agency", args=[agency.id]),
        "cells": [
            {"label": _("Who may act here"), "value": who(agency)},
            {"label": _("Policies"), "value": ", ".join(names) or _("none yet")},
            until,
        ],
    }


def _end(agency: Agency) -> str:
    return str(moment(agency.expires_at)) if agency.expires_at else _("until it is deleted")


def who(agency: Agency) -> str:
    """In plain words; nothing tells whether there is such an account or user."""
    named = agencies.users(agency)
    if named:
        return _("%(users)s of the account %(account)s") % {
            "users": ", ".join(named),
            "account": agency.trust_name,
        }
    return _("whoever may assume agencies in the account %(account)s") % {"account": agency.trust_name}


@page(agencies.GET)
def shown(request: HttpRequest, principal: Principal, agency_id: str) -> HttpResponse:
    """Who may act, with which policies, until when."""
    found = agencies.fetch(principal, agency_id)
    about = resource("agency", principal, found.id)
    names = {one.id: one.name for one in projects.listed(principal)}
    context = {
        "title": found.name,
        "subtitle": found.description,
        "crumbs": [_home()],
        "agency": found,
        "named": agencies.users(found),
        "until": _end(found),
        "is_over": agencies.is_over(found, clock.real_now()),
        "grants": [grant_line(one, names) for one in agencies.grants(found)],
        "may_edit": principal.may(agencies.UPDATE, about),
        "may_delete": principal.may(agencies.DELETE, about),
        "may_detach": principal.may(agencies.DETACH, about),
        "attach_form": attach_form(principal, names) if principal.may(agencies.ATTACH, about) else None,
    }
    return render(request, "console/iam/agency.html", context)


@page(agencies.CREATE, post=agencies.CREATE)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    form = AgencyForm(request.POST if request.method == "POST" else None, is_new=True)
    if request.method == "POST" and form.is_valid():
        try:
            _status, made = call("agencies.create", principal, body=form.body())
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("The agency is made. Give it the policies that it lends."), "agency.created")
            return back_to("iam-agency", made["id"])  # type: ignore[call-overload,index]
    return _form(request, _("Make an agency"), form, reverse("iam-agencies"))


@page(agencies.UPDATE, post=agencies.UPDATE)
def edit(request: HttpRequest, principal: Principal, agency_id: str) -> HttpResponse:
    found = agencies.fetch(principal, agency_id, agencies.UPDATE)
    initial: dict[str, Any] = {
        "trust_domain_name": found.trust_name,
        "trust_users": "\n".join(agencies.users(found)),
        "description": found.description,
    }
    form = AgencyForm(request.POST if request.method == "POST" else None, is_new=False, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            call("agencies.update", principal, body=_changed(form, initial), id=found.id)
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("Saved."), "agency.saved")
            return back_to("iam-agency", found.id)
    return _form(request, _("Edit the agency"), form, reverse("iam-agency", args=[found.id]))


def _changed(form: AgencyForm, initial: dict[str, Any]) -> dict[str, Any]:
    """What was changed alone: whoever changes the description needs to hold nothing of what it lends."""
    before = {**initial, "trust_users": initial["trust_users"].split("\n") if initial["trust_users"] else []}
    return {name: value for name, value in form.body().items() if before.get(name) != value}


def _form(request: HttpRequest, title: str, form: AgencyForm, back: str) -> HttpResponse:
    return form_page(
        request,
        title,
        form,
        submit=_("Save the agency"),
        back=back,
        operation="agency-save",
        crumbs=[_home()],
    )


@page(agencies.DELETE, post=agencies.DELETE)
def delete(request: HttpRequest, principal: Principal, agency_id: str) -> HttpResponse:
    """Asks first, naming what follows."""
    found = agencies.fetch(principal, agency_id, agencies.DELETE)
    if request.method == "POST":
        return deleted(
            request, "agencies.delete", agency_id, by=principal, home="iam-agencies", page_="iam-agency"
        )
    context = {
        "title": _("Delete %(name)s?") % {"name": found.name},
        "crumbs": [_home(), crumb(found.name, "iam-agency", agency_id)],
        "losses": [
            _("Whoever acts here by it is out at once; its temporary access keys are destroyed."),
            _("What they did stays, and stays in the audit log with their names."),
        ],
        "submit": _("Delete the agency"),
        "operation": "agency-delete-sure",
        "back": reverse("iam-agency", args=[agency_id]),
    }
    return render(request, SURE, context)


@page("", post=agencies.ATTACH)
def attach(request: HttpRequest, principal: Principal, agency_id: str) -> HttpResponse:
    return _attachment(request, principal, agency_id, "agencies.attach_policy", _("The policy is attached."))


@page("", post=agencies.DETACH)
def detach(request: HttpRequest, principal: Principal, agency_id: str) -> HttpResponse:
    return _attachment(request, principal, agency_id, "agencies.detach_policy", _("The policy is detached."))


def _attachment(
    request: HttpRequest, principal: Principal, agency_id: str, operation: str, told: str
) -> HttpResponse:
    ids = {
        "domain_id": principal.account_id,
        "agency_id": agency_id,
        "role_id": request.POST.get("chosen", ""),
    }
    body = {"enterprise_project_id": request.POST.get("project", "")}
    tried(request, told, "agency.policies", operation, principal=principal, body=body, **ids)
    return back_to("iam-agency", agency_id)
