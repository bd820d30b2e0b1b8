"""Users and access keys in the console: list, make, change, switch off, delete."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import groups, keys, people, second_factor, simulator
from certdesk.foundation.iam.finding import resource
from certdesk.foundation.iam.models import AccessKey, User
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox import people as mails
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.applications import handover

from ..forms.common import put
from ..forms.people import ChoiceForm, KeyForm, UserEditForm, UserForm
from ..templatetags.certdesk_ui import moment
from .page import OWN, alert, back_to, page, tell

PAGE = 50
LIST, FORM, SURE = "console/iam/list.html", "console/iam/form.html", "console/iam/sure.html"


def crumb(label: str, name: str, *arguments: object) -> dict[str, str]:
    return {"label": label, "url": reverse(name, args=arguments)}


def form_page(
    request: HttpRequest, title: str, form: Any, *, submit: str, back: str, operation: str, **more: object
) -> HttpResponse:
    """A form on a page of its own; 422 when something in it needs another look."""
    context = {"title": title, "form": form, "submit": submit, "back": back, "operation": operation, **more}
    return render(request, FORM, context, status=422 if form.errors else 200)


def tried(request: HttpRequest, told: str, code: str, name: str, /, **call_with: Any) -> None:
    """Runs an operation for a button; its success or its refusal stands on the next page."""
    principal = call_with.pop("principal")
    try:
        call(name, principal, **call_with)
    except CertdeskError as error:
        alert(request, error)
    else:
        tell(request, told, code)


@page(people.LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The account's users, by name."""
    name, after = request.GET.get("name", "")[:64], request.GET.get("after", "")
    found = list(people.listed(principal, name).filter(name__gt=after)[: PAGE + 1])
    rows, more = found[:PAGE], len(found) > PAGE
    context = {
        "title": _("Users"),
        "heads": [_("User"), _("State"), _("Email address"), _("Groups")],
        "lines": [_line(user) for user in rows],
        "add_url": reverse("iam-user-add") if principal.may(people.CREATE) else "",
        "add_label": _("Add a user"),
        "operation": "user-add",
        "next_url": f"?{urlencode({'name': name, 'after': rows[-1].name})}" if more else "",
        "previous_url": reverse("iam-users") if after else "",
    }
    return render(request, LIST, context)


def _line(user: User) -> dict[str, Any]:
    tone, label = state(user)
    return {
        "name": user.name,
        "note": user.description,
        "url": reverse("iam-user", args=[user.id]),
        "cells": [
            {"label": _("State"), "badge": label, "tone": tone},
            {"label": _("Email address"), "value": user.email},
            {"label": _("Groups"), "value": ", ".join(one.name for one in people.groups_of(user))},
        ],
    }


def state(user: User) -> tuple[str, str]:
    if not user.is_active:
        return "end", _("Switched off")
    if user.must_change_password:
        return "you", _("First sign-in pending")
    return ("good", _("Active")) if user.has_usable_password() else ("good", _("Access keys only"))


def _next_of(user: User) -> str:
    """What happens next with a user who cannot sign in as usual, and who must act."""
    if not user.is_active:
        return _("Nothing works for this user. An administrator can switch the user on again.")
    if user.must_change_password:
        return _("Next: the user signs in with the first password and chooses an own one.")
    if not user.has_usable_password():
        return _("There is no password: programs use the access keys. To sign in, the user needs one: Edit.")
    return ""


@page(people.CREATE, post=people.CREATE)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    may_add = principal.may(groups.ADD)
    choices = [(one.id, one.name) for one in groups.listed(principal)] if may_add else []
    form = UserForm(choices, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        given = dict(form.cleaned_data)
        group, password = given.pop("group"), given.pop("password")
        body = {**given, "groups": [group] if group else [], **({"password": password} if password else {})}
        try:
            _status, made = call("users.create", principal, body=body)
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("The user is made."), "user.created")
            return back_to("iam-user", made["id"])  # type: ignore[call-overload,index]
    return form_page(
        request,
        _("Add a user"),
        form,
        submit=_("Add the user"),
        back=reverse("iam-users"),
        operation="user-save",
        crumbs=[crumb(_("Users"), "iam-users")],
        secret=True,
    )


@page(people.GET)
def shown(request: HttpRequest, principal: Principal, user_id: str) -> HttpResponse:
    """One user: groups, keys, and what may be done."""
    user = people.fetch(principal, user_id)
    about = resource("user", principal, user.id)
    tone, label = state(user)
    may_edit, is_me = principal.may(people.UPDATE, about), user.id == principal.user_id
    context = {
        "title": user.name,
        "crumbs": [crumb(_("Users"), "iam-users")],
        "owner": user,
        "tone": tone,
        "label": label,
        "facts": [
            {"label": _("Signs in as"), "value": user.login, "mono": True},
            {"label": _("Email address"), "value": user.email},
            {"label": _("Phone"), "value": user.phone},
            {"label": _("Description"), "value": user.description},
            {"label": _("Second factor"), "value": _factor(user)},
            {"label": _("Made"), "value": moment(user.created_at)},
        ],
        "groups": people.groups_of(user),
        "may_see_groups": principal.may(groups.GET),
        "next": _next_of(user),
        "keys": [_key_line(one) for one in _keys(principal, user)],
        "keys_url": f"{reverse('iam-keys')}?{urlencode({'user': user.id})}",
        "may_invite": bool(user.email and settings.get().smtp_url)
        and user.is_active
        and not user.has_usable_password()
        and principal.may(mails.INVITE, about),
        "may_hand_over": principal.may(handover.HAND_OVER, about),
        "may_ask": principal.may(simulator.SIMULATE),
        "may_reset": principal.may(people.RESET_SECOND_FACTOR, about)
        and not is_me
        and second_factor.has(user.id),
        "may_edit": may_edit,
        "may_switch": may_edit and not is_me,
        "may_delete": principal.may(people.DELETE, about) and not is_me,
    }
    return render(request, "console/iam/user.html", context)


def _factor(user: User) -> str:
    return _("Switched on") if second_factor.has(user.id) else _("none")


def _keys(principal: Principal, user: User) -> list[AccessKey]:
    try:
        return list(keys.listed(principal, user.id))
    except CertdeskError:
        return []  # the page shows the rest


@page(people.UPDATE, post=people.UPDATE, fresh=True)
def edit(request: HttpRequest, principal: Principal, user_id: str) -> HttpResponse:
    user = people.fetch(principal, user_id)
    initial = {"email": user.email, "phone": user.phone, "description": user.description}
    form = UserEditForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        body = {name: value for name, value in form.cleaned_data.items() if name != "password" or value}
        try:
            call("users.update", principal, body=body, id=user_id)
        except CertdeskError as error:
            put(form, error)
        else:
            tell(request, _("The user is changed."), "user.changed")
            return back_to("iam-user", user_id)
    return form_page(
        request,
        _("Edit the user"),
        form,
        submit=_("Save"),
        back=reverse("iam-user", args=[user_id]),
        operation="user-save",
        crumbs=[crumb(_("Users"), "iam-users"), crumb(user.name, "iam-user", user_id)],
        secret=True,
    )


@page("", post=people.UPDATE)
def switch(request: HttpRequest, principal: Principal, user_id: str) -> HttpResponse:
    """On or off."""
    on = request.POST.get("on") == "1"
    told = _("The user may sign in again.") if on else _("The user is switched off and out at once.")
    tried(
        request, told, "user.switched", "users.update", principal=principal, body={"enabled": on}, id=user_id
    )
    return back_to("iam-user", user_id)


@page(handover.HAND_OVER, post=handover.HAND_OVER)
def hand_over(request: HttpRequest, principal: Principal, user_id: str) -> HttpResponse:
    """When somebody leaves: everything goes to a team mate."""
    user = people.fetch(principal, user_id)
    choices = [(one.id, one.name) for one in people.mates(principal, but=user.id)[:500]]
    form = ChoiceForm(_("To whom"), choices, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _status, done = call(
                "users.hand_over", principal, body={"to": form.cleaned_data["chosen"]}, id=user_id
            )
        except CertdeskError as error:
            put(form, error, {"": "chosen", "to": "chosen"})
        else:
            told = _("Handed over: %(certificates)s certificates, %(orders)s orders, %(contacts)s contacts.")
            tell(request, told % done, "user.handed_over")
            return back_to("iam-user", user_id)
    return form_page(
        request,
        _("Hand over what is %(name)s's") % {"name": user.name},
        form,
        submit=_("Hand over"),
        back=reverse("iam-user", args=[user_id]),
        operation="user-hand-over",
        note=_(
            "Certificates, orders and contacts go to the chosen team mate at once, who then acts for them."
        ),
        crumbs=[crumb(_("Users"), "iam-users"), crumb(user.name, "iam-user", user_id)],
    )


@page("", post=mails.INVITE)
def invite(request: HttpRequest, principal: Principal, user_id: str) -> HttpResponse:
    tried(
        request,
        _("The invitation is on its way."),
        "user.invited",
        "users.invite",
        principal=principal,
        id=user_id,
    )
    return back_to("iam-user", user_id)


@page(people.DELETE, post=people.DELETE)
def delete(request: HttpRequest, principal: Principal, user_id: str) -> HttpResponse:
    """Asks first, naming what is lost."""
    user = people.fetch(principal, user_id)
    if request.method == "POST":
        try:
            call("users.delete", principal, id=user_id)
        except CertdeskError as error:
            alert(request, error)
            return back_to("iam-user", user_id)
        tell(request, _("The user is deleted."), "user.deleted")
        return back_to("iam-users")
    context = {
        "title": _("Delete %(name)s?") % {"name": user.name},
        "crumbs": [crumb(_("Users"), "iam-users"), crumb(user.name, "iam-user", user_id)],
        "losses": [
            _("The user is out at once; all access keys are destroyed."),
            _("Certificates and orders stay and keep their owner's id: hand them over first."),
        ],
        "submit": _("Delete the user"),
        "operation": "user-delete",
        "back": reverse("iam-user", args=[user_id]),
    }
    return render(request, SURE, context)


@page(people.RESET_SECOND_FACTOR, post=people.RESET_SECOND_FACTOR, fresh=True)
def reset_second_factor(request: HttpRequest, principal: Principal, user_id: str) -> HttpResponse:
    """For who has lost app and recovery codes; asks first, naming what follows."""
    user = people.fetch(principal, user_id)
    if request.method == "POST":
        told = _("The second factor is taken off.")
        name = "users.reset_second_factor"
        tried(request, told, "user.second_factor_reset", name, principal=principal, id=user_id)
        return back_to("iam-user", user_id)
    context = {
        "title": _("Take the second factor off %(name)s?") % {"name": user.name},
        "crumbs": [crumb(_("Users"), "iam-users"), crumb(user.name, "iam-user", user_id)],
        "losses": [
            _("App, passkeys and recovery codes of this user end; the user is out at once."),
            _("From then on the password alone signs in, until a new one is enrolled."),
            _("Be sure that it is really this user who asks: call back, or meet. The user gets a mail."),
        ],
        "submit": _("Take it off"),
        "operation": "second-factor-reset",
        "back": reverse("iam-user", args=[user_id]),
    }
    return render(request, SURE, context)


# --- access keys ---------------------------------------------------------------------------------


@page(OWN)
def key_list(request: HttpRequest, principal: Principal) -> HttpResponse:
    """One's own keys; those of others with the right."""
    user_id = request.GET.get("user", "")
    found = keys.listed(principal, user_id)[:200]
    whose = user_id or principal.user_id
    context = {
        "title": _("Access keys"),
        "lines": [_key_line(one) for one in found],
        "add_url": f"{reverse('iam-key-add')}?{urlencode({'user': whose})}",
        "several": not user_id,
    }
    return render(request, "console/iam/keys.html", context)


def _key_line(key: AccessKey) -> dict[str, Any]:
    return {
        "key": key,
        "user": key.user.name,
        "tone": "good" if key.enabled else "end",
        "label": _("On") if key.enabled else _("Off"),
        "status": "active" if key.enabled else "inactive",
    }


@page(OWN, post=OWN)
def key_add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Makes a key; its secret is on the page that answers, and nowhere else ever again."""
    user_id = request.GET.get("user", "") or principal.user_id
    form = KeyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            key, secret = keys.create(principal, user_id, form.cleaned_data["description"])
        except CertdeskError as error:
            put(form, error)
        else:
            context = {
                "title": _("Access key"),
                "crumbs": [crumb(_("Access keys"), "iam-keys")],
                "key": key,
                "secret": secret,
                "back": f"{reverse('iam-keys')}?{urlencode({'user': user_id})}",
            }
            return render(request, "console/iam/secret.html", context)
    return form_page(
        request,
        _("Make an access key"),
        form,
        submit=_("Make the key"),
        back=f"{reverse('iam-keys')}?{urlencode({'user': user_id})}",
        operation="key-save",
        crumbs=[crumb(_("Access keys"), "iam-keys")],
    )


@page("", post=OWN)
def key_switch(request: HttpRequest, principal: Principal, access_key: str) -> HttpResponse:
    on = request.POST.get("on") == "1"
    told = _("The key works again.") if on else _("The key is off.")
    body = {"enabled": on}
    tried(request, told, "key.switched", "access_keys.update", principal=principal, body=body, id=access_key)
    return _to_keys(request)


@page(OWN, post=OWN)
def key_delete(request: HttpRequest, principal: Principal, access_key: str) -> HttpResponse:
    """Asks first, naming what follows."""
    key = keys.fetch(principal, access_key)
    if request.method == "POST":
        told = _("The key is destroyed.")
        tried(request, told, "key.deleted", "access_keys.delete", principal=principal, id=access_key)
        return _to_keys(request)
    context = {
        "title": _("Destroy the access key %(name)s?") % {"name": access_key},
        "crumbs": [crumb(_("Access keys"), "iam-keys")],
        "losses": [
            _("Programs that sign with it are refused at once."),
            _("Its secret is destroyed; %(name)s needs a new key afterwards.") % {"name": key.user.name},
        ],
        "submit": _("Destroy the key"),
        "operation": "key-delete-sure",
        "back": reverse("iam-keys"),
    }
    return render(request, SURE, context)


def _to_keys(request: HttpRequest) -> HttpResponse:
    return back_to("iam-keys")
