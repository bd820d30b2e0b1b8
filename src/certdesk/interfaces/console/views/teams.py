"""Groups, policies, projects and the simulator in the console."""

import json
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import groups, people, policies, projects, simulator
from certdesk.foundation.iam.finding import resource
from certdesk.foundation.iam.models import AgencyGrant, EnterpriseProject, Grant, Group, Policy
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates.queries import described

from ..forms.common import put
from ..forms.people import AttachForm, ChoiceForm, NameForm, PolicyForm, ProjectEditForm, QuestionForm
from .page import alert, back_to, page, tell
from .people import LIST, SURE, crumb, form_page, tried

# --- groups --------------------------------------------------------------------------------------


@page(groups.LIST)
def group_list(request: HttpRequest, principal: Principal) -> HttpResponse:
    context = {
        "title": _("Groups"),
        "heads": [_("Group"), _("Users"), _("Policies")],
        "lines": [_group_line(one) for one in groups.listed(principal)],
        "add_url": reverse("iam-group-add") if principal.may(groups.CREATE) else "",
        "add_label": _("Add a group"),
        "operation": "group-add",
    }
    return render(request, LIST, context)


def _group_line(group: Group) -> dict[str, Any]:
    names = sorted({one.policy.name for one in groups.grants(group)})
    return {
        "name": group.name,
        "note": group.description,
        "url": reverse("iam-group", args=[group.id]),
        "cells": [
            {"label": _("Users"), "value": str(len(groups.members(group)))},
            {"label": _("Policies"), "value": ", ".join(names)},
        ],
    }


@page(groups.CREATE, post=groups.CREATE)
def group_add(request: HttpRequest, principal: Principal) -> HttpResponse:
    return _named(request, principal, _("Add a group"), "groups.create", "group", None)


@page(groups.UPDATE, post=groups.UPDATE)
def group_edit(request: HttpRequest, principal: Principal, group_id: str) -> HttpResponse:
    group = groups.fetch(principal, group_id)
    return _named(request, principal, _("Edit the group"), "groups.update", "group", group)


def _named(
    request: HttpRequest,
    principal: Principal,
    title: str,
    operation: str,
    kind: str,
    one: Group | EnterpriseProject | None,
) -> HttpResponse:
    """The form of a name and a description, for groups and projects."""
    initial: dict[str, Any] = {"name": one.name, "description": one.description} if one else {}
    made = ProjectEditForm if isinstance(one, EnterpriseProject) else NameForm
    if isinstance(one, EnterpriseProject):
        initial["enabled"] = one.enabled
    form = made(request.POST if request.method == "POST" else None, initial=initial)
    home = {"group": "iam-groups", "project": "iam-projects"}[kind]
    if request.method == "POST" and form.is_valid():
        try:
            call(operation, principal, body=_body(form), **({"id": one.id} if one else {}))
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("Saved."), f"{kind}.saved")
            return back_to("iam-group", one.id) if kind == "group" and one else back_to(home)
    label = {"group": _("Groups"), "project": _("Enterprise projects")}[kind]
    return form_page(
        request,
        title,
        form,
        submit=_("Save"),
        back=reverse(home),
        operation=f"{kind}-save",
        crumbs=[crumb(label, home)],
        delete_url=_project_end(principal, one.id) if kind == "project" and one else "",
        delete_label=_("Delete the project"),
    )


def _body(form: NameForm) -> dict[str, Any]:
    """What EPS calls 1 (on) and 2 (off)."""
    given = dict(form.cleaned_data)
    return given | {"status": 1 if given.pop("enabled") else 2} if "enabled" in given else given


def _project_end(principal: Principal, project_id: str) -> str:
    may = principal.may(projects.DELETE, resource("project", principal, project_id))
    return reverse("iam-project-delete", args=[project_id]) if may else ""


@page(groups.GET)
def group(request: HttpRequest, principal: Principal, group_id: str) -> HttpResponse:
    """Who is in it, and what it gives."""
    found = groups.fetch(principal, group_id)
    about = resource("group", principal, found.id)
    inside = groups.members(found)
    held = {one.id for one in inside}
    users = [(one.id, one.name) for one in people.listed(principal)[:500] if one.id not in held]
    names = {one.id: one.name for one in projects.listed(principal)}
    context = {
        "title": found.name,
        "subtitle": found.description,
        "crumbs": [crumb(_("Groups"), "iam-groups")],
        "group": found,
        "members": inside,
        "may_see_users": principal.may(people.GET),
        "grants": [grant_line(one, names) for one in groups.grants(found)],
        "may_edit": principal.may(groups.UPDATE, about),
        "may_delete": principal.may(groups.DELETE, about),
        "may_remove": principal.may(groups.REMOVE, about),
        "may_detach": principal.may(groups.DETACH, about),
        "add_form": ChoiceForm(_("User"), users) if users and principal.may(groups.ADD, about) else None,
        "attach_form": attach_form(principal, names) if principal.may(groups.ATTACH, about) else None,
    }
    return render(request, "console/iam/group.html", context)


def attach_form(principal: Principal, names: dict[str, str]) -> AttachForm:
    choices = [(one.id, one.name) for one in policies.listed(principal)]
    return AttachForm(_("Policy"), choices, [("", _("All projects")), *names.items()])


def grant_line(grant: Grant | AgencyGrant, names: dict[str, str]) -> dict[str, Any]:
    project = grant.enterprise_project_id
    return {
        "policy": grant.policy,
        "project_id": project,
        "project": names.get(project, project) if project else _("All projects"),
    }


@page("", post=groups.ADD)
def member_add(request: HttpRequest, principal: Principal, group_id: str) -> HttpResponse:
    ids = {"group_id": group_id, "user_id": request.POST.get("chosen", "")}
    tried(
        request, _("The user is in the group."), "group.added", "groups.add_user", principal=principal, **ids
    )
    return back_to("iam-group", group_id)


@page("", post=groups.REMOVE)
def member_remove(request: HttpRequest, principal: Principal, group_id: str) -> HttpResponse:
    ids = {"group_id": group_id, "user_id": request.POST.get("chosen", "")}
    told = _("The user is out of the group.")
    tried(request, told, "group.removed", "groups.remove_user", principal=principal, **ids)
    return back_to("iam-group", group_id)


@page("", post=groups.ATTACH)
def attach(request: HttpRequest, principal: Principal, group_id: str) -> HttpResponse:
    return _attachment(request, principal, group_id, "groups.attach_policy", _("The policy is attached."))


@page("", post=groups.DETACH)
def detach(request: HttpRequest, principal: Principal, group_id: str) -> HttpResponse:
    return _attachment(request, principal, group_id, "groups.detach_policy", _("The policy is detached."))


def _attachment(
    request: HttpRequest, principal: Principal, group_id: str, operation: str, told: str
) -> HttpResponse:
    ids = {"group_id": group_id, "policy_id": request.POST.get("chosen", "")}
    body = {"enterprise_project_id": request.POST.get("project", "")}
    tried(request, told, "group.policies", operation, principal=principal, body=body, **ids)
    return back_to("iam-group", group_id)


@page(groups.DELETE, post=groups.DELETE)
def group_delete(request: HttpRequest, principal: Principal, group_id: str) -> HttpResponse:
    loss = _("Its users stay, but lose at once what the group gave them.")
    words = (_("Groups"), loss, _("Delete the group"))
    return _delete(request, principal, "group", groups.fetch(principal, group_id), words)


def _delete(
    request: HttpRequest, principal: Principal, kind: str, found: Group | Policy, words: tuple[str, str, str]
) -> HttpResponse:
    """Asks before a group or a policy goes, naming what follows.

    Args:
        words: the list it is in, what is lost, and the button.
    """
    plural = {"group": "groups", "policy": "policies"}[kind]
    home, page_ = f"iam-{plural}", f"iam-{kind}"
    if request.method == "POST":
        return deleted(request, f"{plural}.delete", found.id, by=principal, home=home, page_=page_)
    listed, loss, submit = words
    context = {
        "title": _("Delete %(name)s?") % {"name": found.name},
        "crumbs": [crumb(listed, home), crumb(found.name, page_, found.id)],
        "losses": [loss],
        "submit": submit,
        "operation": f"{kind}-delete",
        "back": reverse(page_, args=[found.id]),
    }
    return render(request, SURE, context)


def deleted(
    request: HttpRequest, operation: str, id_: str, *, by: Principal, home: str, page_: str
) -> HttpResponse:
    try:
        call(operation, by, id=id_)
    except CertdeskError as error:
        alert(request, error)
        return back_to(page_, id_)
    tell(request, _("Deleted."), "iam.deleted")
    return back_to(home)


# --- policies ------------------------------------------------------------------------------------


@page(policies.LIST)
def policy_list(request: HttpRequest, principal: Principal) -> HttpResponse:
    """System policies, then the account's own."""
    found = sorted(policies.listed(principal), key=lambda one: (one.account_id is not None, one.name))
    context = {
        "title": _("Policies"),
        "heads": [_("Policy"), _("Kind")],
        "lines": [_policy_line(one) for one in found],
        "add_url": reverse("iam-policy-add") if principal.may(policies.CREATE) else "",
        "add_label": _("Write a policy"),
        "operation": "policy-add",
        "simulator_url": reverse("iam-simulator") if principal.may(simulator.SIMULATE) else "",
    }
    return render(request, LIST, context)


def _policy_line(policy: Policy) -> dict[str, Any]:
    own = policy.account_id is not None
    return {
        "name": policy.name,
        "note": policy.description if own else _(policy.description),
        "url": reverse("iam-policy", args=[policy.id]),
        "cells": [
            {
                "label": _("Kind"),
                "badge": _("Custom") if own else _("System"),
                "tone": "wait" if own else "end",
            }
        ],
    }


@page(policies.GET)
def policy(request: HttpRequest, principal: Principal, policy_id: str) -> HttpResponse:
    found = policies.fetch(principal, policy_id)
    own, about = found.account_id is not None, resource("policy", principal, policy_id)
    context = {
        "title": found.name,
        "subtitle": found.description if own else _(found.description),
        "crumbs": [crumb(_("Policies"), "iam-policies")],
        "policy": found,
        "text": json.dumps(found.document, indent=2, ensure_ascii=False),
        "warnings": [_(one) for one in policies.warnings(found.document)] if own else [],
        "may_edit": own and principal.may(policies.UPDATE, about),
        "may_delete": own and principal.may(policies.DELETE, about),
    }
    return render(request, "console/iam/policy.html", context)


@page(policies.CREATE, post=policies.CREATE)
def policy_add(request: HttpRequest, principal: Principal) -> HttpResponse:
    return _editor(request, principal, None)


@page(policies.UPDATE, post=policies.UPDATE)
def policy_edit(request: HttpRequest, principal: Principal, policy_id: str) -> HttpResponse:
    return _editor(request, principal, policies.fetch(principal, policy_id))


def _editor(request: HttpRequest, principal: Principal, found: Policy | None) -> HttpResponse:
    """The JSON editor; a refusal stands at the document with place and reason."""
    initial = {}
    if found is not None:
        text = json.dumps(found.document, indent=2, ensure_ascii=False)
        initial = {"name": found.name, "description": found.description, "policy": text}
    form = PolicyForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            document = policies.read_text(given["policy"])
            body = {"display_name": given["name"], "description": given["description"], "policy": document}
            name, ids = ("policies.update", {"id": found.id}) if found else ("policies.create", {})
            _status, made = call(name, principal, body=body, **ids)
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("The policy is saved."), "policy.saved")
            return back_to("iam-policy", made["id"])  # type: ignore[call-overload,index]
    return form_page(
        request,
        _("Edit the policy") if found else _("Write a policy"),
        form,
        submit=_("Save the policy"),
        back=reverse("iam-policies"),
        operation="policy-save",
        crumbs=[crumb(_("Policies"), "iam-policies")],
        grammar=True,
    )


@page(policies.DELETE, post=policies.DELETE)
def policy_delete(request: HttpRequest, principal: Principal, policy_id: str) -> HttpResponse:
    loss = _("Only a policy that is attached to no group can be deleted.")
    words = (_("Policies"), loss, _("Delete the policy"))
    return _delete(request, principal, "policy", policies.fetch(principal, policy_id), words)


# --- projects ------------------------------------------------------------------------------------


@page(projects.LIST)
def project_list(request: HttpRequest, principal: Principal) -> HttpResponse:
    context = {
        "title": _("Enterprise projects"),
        "heads": [_("Project"), _("State"), _("Id")],
        "lines": [_project_line(principal, one) for one in projects.listed(principal)],
        "add_url": reverse("iam-project-add") if principal.may(projects.CREATE) else "",
        "add_label": _("Add a project"),
        "operation": "project-add",
    }
    return render(request, LIST, context)


def _project_line(principal: Principal, one: EnterpriseProject) -> dict[str, Any]:
    is_own = one.id != "0"
    return {
        "name": one.name,
        "note": one.description if is_own else _(one.description),
        "url": reverse("iam-project", args=[one.id]) if is_own and principal.may(projects.UPDATE) else "",
        "cells": [
            {
                "label": _("State"),
                "badge": _("On") if one.enabled else _("Off"),
                "tone": "good" if one.enabled else "end",
            },
            {"label": _("Id"), "value": one.id, "mono": True},
        ],
    }


@page(projects.CREATE, post=projects.CREATE)
def project_add(request: HttpRequest, principal: Principal) -> HttpResponse:
    return _named(request, principal, _("Add a project"), "projects.create", "project", None)


@page(projects.UPDATE, post=projects.UPDATE)
def project_edit(request: HttpRequest, principal: Principal, project_id: str) -> HttpResponse:
    found = projects.fetch(principal, projects.UPDATE, project_id)
    return _named(request, principal, _("Edit the project"), "projects.update", "project", found)


# --- simulator -----------------------------------------------------------------------------------


@page(simulator.SIMULATE)
def simulate(request: HttpRequest, principal: Principal) -> HttpResponse:
    """May this user do that, and which statement says so? Nothing is done."""
    asked = "user" in request.GET
    form, answer = QuestionForm(request.GET if asked else None), None
    if asked and form.is_valid():
        given = form.cleaned_data
        try:
            answer = simulator.simulate(
                principal,
                given["user"],
                given["action"],
                given["resource"],
                form.context(),
                partial(described, principal),
            )
        except CertdeskError as error:
            put(form, error, {"context": "", "": "user" if "user" in str(error) else ""})
    context = {
        "title": _("Permission simulator"),
        "crumbs": [crumb(_("Policies"), "iam-policies")] if principal.may(policies.LIST) else [],
        "form": form,
        "answer": answer,
        "reason": say(simulator.reason(answer)) if answer is not None else "",
        "matched": [
            {"policy": one.policy, "number": one.statement + 1, "effect": one.effect.value}
            for one in (() if answer is None else answer.matched)
        ],
    }
    return render(request, "console/iam/simulator.html", context, status=422 if form.errors else 200)
