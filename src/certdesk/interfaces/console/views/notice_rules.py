"""Who is told beside applicant and contact: adding and taking away."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import projects
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.notifications import audience, channels
from certdesk.lifecycle.notifications.channels import CREATE, DELETE

from ..forms.common import put
from ..forms.notifications import NoticeRuleForm
from .page import back_to, code_of, page, tell


@page(CREATE, post=CREATE)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """For one certificate when its id is given, else for all or a project's."""
    certificate_id = request.GET.get("certificate", "")
    scopes = _scopes(principal, certificate_id)
    rooms = [one for one in channels.listed(principal) if one.kind != "sms"]
    form = NoticeRuleForm(
        request.POST if request.method == "POST" else None,
        channels=rooms,
        scopes=scopes,
        initial={"scope": scopes[0][0]},
    )
    code = ""
    if request.method == "POST" and form.is_valid():
        try:
            call("notification_rules.create", principal, body=_body(form))
        except CertdeskError as error:
            code = code_of(error)
            put(form, error, {"scope_id": "scope"})
        else:
            tell(request, _("The rule holds from the next notice on."), "notice_rule.added")
            return back_to("certificate", certificate_id) if certificate_id else back_to("notifications")
    back = reverse("certificate", args=[certificate_id]) if certificate_id else reverse("notifications")
    context = {
        "title": _("Add somebody to tell"),
        "crumbs": [{"label": _("Notifications"), "url": reverse("notifications")}],
        "form": form,
        "code": code,
        "back": back,
    }
    return render(request, "console/notice_rule_form.html", context, status=422 if form.errors else 200)


def _scopes(principal: Principal, certificate_id: str) -> list[tuple[str, str]]:
    found = [("ACCOUNT:", _("All certificates"))]
    if certificate_id:
        certificate = certificates.fetch(principal, "scm:cert:get", certificate_id)
        name = certificate.domain or certificate.name
        found.insert(
            0, (f"CERTIFICATE:{certificate.id}", _("Only the certificate for %(name)s") % {"name": name})
        )
    known = projects.listed(principal) or [projects.default(principal.account_id)]
    named = [(f"PROJECT:{one.id}", _("Project %(name)s") % {"name": one.name}) for one in known]
    found += named
    return found


def _body(form: NoticeRuleForm) -> dict[str, object]:
    given = form.cleaned_data
    whom, _colon, channel_id = str(given["whom"]).partition(":")
    scope, _colon, scope_id = str(given["scope"]).partition(":")
    return {
        "scope": scope,
        "scope_id": scope_id,
        "whom": whom,
        "recipient": channel_id or (given["recipient"] if whom in ("EMAIL", "PHONE") else ""),
        "locale": given["locale"],
        "after_days": given["after_days"],
    }


@page("", post=DELETE)
def remove(request: HttpRequest, principal: Principal, rule_id: str) -> HttpResponse:
    """Nothing is lost but the rule, so nobody is asked twice."""
    rule = audience.fetch(principal, DELETE, rule_id)
    audience.remove(principal, rule_id)
    tell(request, _("The rule is taken away."), "notice_rule.removed")
    if request.POST.get("back") == "certificate" and rule.scope == "CERTIFICATE":
        return back_to("certificate", rule.scope_id)
    return back_to("notifications")
