"""The RA desk: queue and decision; and the applicant's choice of the way of verification (§3.3)."""

from collections.abc import Mapping
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import rules
from certdesk.lifecycle.certificates.states import ROWS
from certdesk.lifecycle.validation import document_rules, documents, organization_method
from certdesk.lifecycle.validation import organization_queries as desk
from certdesk.lifecycle.validation.models import OrganizationState
from certdesk.lifecycle.validation.organization_queries import OrganizationInfo

from .. import next_steps
from ..forms.common import put
from ..forms.small import DecisionForm
from ..standing import waited
from . import detail, rows
from .cards.facts import Fact
from .cards.standing import standing_of
from .page import alert, back_to, code_of, page, tell

LIST, DECIDE, APPLY = desk.LIST, "scm:organization:decide", "scm:cert:apply"
PAGE = 20


@page(LIST)
def queue(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Who waits longest stands first; decided ones under their own tab."""
    wanted = _wanted(request)
    marker = request.GET.get("marker")
    found = desk.queue(principal, **wanted, marker=marker, limit=PAGE)
    status = str(wanted["status"])
    context = {
        "title": _("Organization checks"),
        "lines": [_line(one) for one in found.items],
        "tabs": [
            {"label": label, "url": _url(wanted, status=state), "active": state == status}
            for label, state in (
                (_("Waiting"), "PENDING"),
                (_("Approved"), "APPROVED"),
                (_("Rejected"), "REJECTED"),
            )
        ],
        "menus": [_menu(wanted, *one) for one in _menus(pending=status == "PENDING")],
        "content": wanted["content"],
        "wanted": wanted,
        "filtered": any(value for name, value in wanted.items() if name != "status"),
        "all_url": _url({"status": status}),
        "pending": status == "PENDING",
        "next_url": _url(wanted, marker=found.next_marker) if found.next_marker else "",
    }
    return render(request, "console/organizations.html", context)


def _wanted(request: HttpRequest) -> dict[str, Any]:
    """The filters of the address; what the desk does not know is left aside."""
    given = request.GET
    status, level, method = given.get("status", ""), given.get("level", ""), given.get("method", "")
    return {
        "status": status if status in ("APPROVED", "REJECTED") else "PENDING",
        "level": level if level in desk.LEVELS else "",
        "method": method if method in organization_method.METHODS else "",
        "content": given.get("content", "").strip()[: desk.SEARCH_LIMIT],
        "late": given.get("late") == "1",
    }


def _url(wanted: dict[str, Any], **change: object) -> str:
    """The queue with these filters; empty ones are left out."""
    values = {name: "1" if value is True else value for name, value in (wanted | change).items() if value}
    return f"{reverse('organizations')}?{urlencode(values)}"


def _menus(*, pending: bool) -> list[tuple[str, str, list[tuple[str, object]]]]:
    methods = [(method_text(one), one) for one in organization_method.METHODS]
    found: list[tuple[str, str, list[tuple[str, object]]]] = [
        (_("Type"), "level", [(_("All types"), ""), ("OV", "OV"), ("EV", "EV")]),
        (_("Way of verification"), "method", [(_("All ways"), ""), *methods]),
    ]
    if pending:
        periods = [(_("However long"), False), (_("Longer than promised"), True)]
        found.append((_("Waiting time"), "late", list(periods)))
    return found


def _menu(wanted: dict[str, Any], label: str, name: str, choices: list[tuple[str, object]]) -> dict[str, Any]:
    """A drop-down filter of `tabs.html`; its label says what is chosen."""
    chosen = next((words for words, value in choices if value and value == wanted[name]), "")
    return {
        "label": f"{label}: {chosen}" if chosen else label,
        "items": [
            {"label": words, "url": _url(wanted, **{name: value}), "active": value == wanted[name]}
            for words, value in choices
        ],
    }


def _line(one: OrganizationInfo) -> dict[str, Any]:
    return {
        "url": reverse("organization-request", args=[one.certificate.id]),
        "company": one.company.get("name", "–"),
        "place": ", ".join(
            one.company[key] for key in ("city", "province", "country") if one.company.get(key)
        ),
        "certificate": one.certificate,
        "kind": rows.kind(
            one.certificate.brand, one.certificate.type, one.certificate.domain_type, "BOUGHT", False
        ),
        "usual": _(rows.approval(one.certificate.type)),
        "more_names": len(one.names) - 1,
        "domain": one.domain,
        "waiting_since": one.waiting_since,
        "ended_at": one.ended_at,
        "method": method_text(one.method),
        "promise": promise_text(one),
        "late": bool(one.promise and one.promise.late),
        "documents": sum(1 for line in one.documents if line.removed_at is None),
        "needed": one.decisions_needed,
        "why_not": say(one.why_not),
        **_badge(one),
        "state": one.status,
    }


@page(LIST, post=DECIDE)
def request_page(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """Company, checklist, decisions so far; approve or reject (ORG-2, ORG-3)."""
    found = desk.show(principal, certificate_id, DECIDE if request.method == "POST" else LIST)
    numbered = found.level != "EV" or bool(found.company.get("registration_number"))
    form = DecisionForm(found.checklist, request.POST or None, numbered=numbered)
    code = ""
    if request.method == "POST" and form.is_valid():
        try:
            return _decide(request, principal, certificate_id, form)
        except CertdeskError as error:
            code = code_of(error)
            put(form, error)
    return render(
        request,
        "console/organization_request.html",
        _request_context(principal, found, form, code),
        status=422 if form.errors else 200,
    )


def _decide(
    request: HttpRequest, principal: Principal, certificate_id: str, form: DecisionForm
) -> HttpResponse:
    wanted = request.POST.get("decision", "")
    if wanted not in ("approve", "reject"):
        raise BadParameter(_("Choose to approve or to reject."))
    given = form.cleaned_data
    body = {"decision": wanted, "checked": given["checked"], "reason": given["reason"]}
    number = given.get("registration_number", "")
    _status, answer = call(
        "organization.decide",
        principal,
        body={**body, "registration_number": number},
        certificate_id=certificate_id,
    )
    needed = cast(Mapping[str, Any], answer)["decisions_needed"]
    if wanted == "reject":
        tell(
            request,
            _("The application is rejected; the applicant reads your reason."),
            "organization.rejected",
        )
    elif needed:
        tell(
            request,
            _("Your approval is recorded. A second, different officer has to approve too."),
            "organization.recorded",
        )
    else:
        tell(request, _("The organization is approved."), "organization.approved")
    return back_to("organizations")


def _request_context(
    principal: Principal, found: OrganizationInfo, form: DecisionForm, code: str
) -> dict[str, Any]:
    certificate = found.certificate
    resource = rules.resource_of(certificate)
    pending = found.status == OrganizationState.PENDING
    return {
        "title": found.company.get("name", "") or certificate.domain,
        "crumbs": [{"label": _("Organization checks"), "url": reverse("organizations")}],
        "request_": found,
        "pending": pending,
        "why_not": say(found.why_not),
        **_badge(found),
        "form": form,
        "code": code,
        "may_decide": found.may_decide and principal.may(DECIDE, resource),
        "company": company_facts(found.company),
        "facts": [
            Fact(
                _("Type"),
                rows.kind(
                    certificate.brand, certificate.type, certificate.domain_type, "BOUGHT", certificate.free
                ),
            ),
            Fact(
                _("Certificate"),
                certificate.name,
                reverse("certificate", args=[certificate.id])
                if principal.may("scm:cert:get", resource)
                else "",
            ),
            Fact(
                _("Way of verification"),
                method_text(found.method)
                if found.method_chosen or not pending
                else _("%(way)s (the applicant has not chosen)") % {"way": method_text(found.method)},
            ),
            Fact(_("Usual time"), _(rows.approval(certificate.type))),
            Fact(_("Promise"), promise_text(found)),
        ],
        "names": found.names,
        "documents": document_lines(found, may_remove=False)
        if principal.may(documents.READ, resource)
        else [],
        "waited": waited(found.waiting_since, clock.now()),
    }


def company_facts(company: dict[str, str]) -> list[Fact]:
    labels = {
        "name": _("Company name"),
        "unit": _("Department"),
        "country": _("Country/Region"),
        "province": _("Province"),
        "city": _("City"),
        "registration_number": _("Registration number"),
        "jurisdiction_country": _("Country of registration"),
        "business_category": _("Business category"),
    }
    return [Fact(label, company.get(key, "")) for key, label in labels.items()]


def document_lines(found: OrganizationInfo, *, may_remove: bool) -> list[dict[str, Any]]:
    """Documents with where to save them; one whose content is gone has only what it was."""
    lines = []
    for one in found.documents:
        arguments = [found.certificate_id, one.id]
        here = one.removed_at is None
        lines.append(
            {
                "name": one.name or _("Deleted document"),
                "kind": one.kind,
                "size": filesizeformat(one.size),
                "uploaded_at": one.uploaded_at,
                "removed_at": one.removed_at,
                "url": reverse("document", args=arguments) if here else "",
                "remove": reverse("remove-document", args=arguments) if here and may_remove else "",
            }
        )
    return lines


def promise_text(one: OrganizationInfo) -> str:
    """How the promised period stands, in working days (ISS-5); empty where nothing was promised."""
    if one.promise is None:
        return ""
    count = one.promise.waited
    words = {"count": count, "due": date_format(one.promise.due, _("j M Y"))}
    if one.promise.late:
        return (
            ngettext(
                "waiting %(count)d working day, was due by %(due)s",
                "waiting %(count)d working days, was due by %(due)s",
                count,
            )
            % words
        )
    return (
        ngettext(
            "waiting %(count)d working day, due by %(due)s",
            "waiting %(count)d working days, due by %(due)s",
            count,
        )
        % words
    )


def method_text(method: str) -> str:
    return {"PHONE": _("Phone call"), "EMAIL": _("Email"), "DOCUMENTS": _("Documents")}.get(method, method)


def _badge(one: OrganizationInfo) -> dict[str, str]:
    """The state as this officer sees it: what he has decided is not for him to do any more."""
    if one.status == OrganizationState.PENDING and one.decided_by_me:
        return {"badge": _("Waiting for another officer"), "tone": "end"}
    tones = {"PENDING": "wait", "APPROVED": "good", "REJECTED": "bad"}
    return {"badge": state_text(one.status), "tone": tones.get(one.status, "end")}


def state_text(state: str) -> str:
    words = {"PENDING": _("Waiting for a decision"), "APPROVED": _("Approved"), "REJECTED": _("Rejected")}
    return words.get(state, _("Withdrawn"))


@page("scm:cert:get", post=APPLY)
def method(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """For the applicant: how the organization shall be verified, and how long it takes (ORG-1, ISS-5)."""
    certificate = certificates.fetch(principal, "scm:cert:get", certificate_id)
    try:
        if request.method == "POST":
            organization_method.choose(principal, certificate_id, request.POST.get("method", ""), clock.now())
            tell(request, _("The way of verification is saved."), "organization.method_saved")
            return back_to("organization", certificate_id)
        found = desk.show(principal, certificate_id, "scm:cert:get")
    except (WrongState, BadParameter) as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    state = rules.state_of(certificate, clock.now())
    resource = rules.resource_of(certificate)
    may_show = found.status == OrganizationState.PENDING and principal.may(APPLY, resource)
    context = {
        "title": _("Organization verification"),
        "state": state.value,
        "progress": ROWS[state].progress,
        "request_": found,
        "pending": found.status == OrganizationState.PENDING,
        "may_choose": may_show,
        "choices": [
            ("PHONE", _("Phone call"), _("The officer calls the public phone number of your organization.")),
            ("EMAIL", _("Email"), _("The officer writes to an address of your organization.")),
            ("DOCUMENTS", _("Documents"), _("You show the business license or another official document.")),
        ],
        "documents": document_lines(found, may_remove=may_show and not found.decisions)
        if principal.may(documents.READ, resource)
        else [],
        "may_show": may_show,
        "most": document_rules.MAX_BYTES // (1024 * 1024),
        "next": next_steps.callout(standing_of(certificate, None, clock.now()), clock.now()),
        "company": company_facts(found.company),
        **detail.crumbs(certificate),
    }
    return render(request, "console/organization.html", context)
