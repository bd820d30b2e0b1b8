"""Forms of the chapter on people: users, groups, policies, keys, projects, simulator."""

import json
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from .common import choose

EXAMPLE = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["scm:cert:list", "scm:cert:get"]}]}


class _Form(forms.Form):
    def __init__(self, data: Any = None, **more: Any) -> None:
        super().__init__(data, label_suffix="", **more)


class UserForm(_Form):
    """A new user; without a password it acts by access keys alone."""

    name = forms.CharField(
        label=_("User name"),
        max_length=64,
        help_text=_("Letters, digits and _ . @ -; it cannot be changed later."),
    )
    email = forms.CharField(label=_("Email address"), max_length=254, required=False)
    description = forms.CharField(label=_("Description"), max_length=255, required=False)
    group = forms.ChoiceField(label=_("Group"), required=False)
    password = forms.CharField(
        label=_("First password"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_(
            "At least 12 characters; the user changes it at the first sign-in. Empty: access keys only."
        ),
    )

    def __init__(self, groups: Iterable[tuple[str, str]], data: Any = None) -> None:
        super().__init__(data)
        choose(self, "group", [("", "–"), *groups])


class UserEditForm(_Form):
    """What an administrator changes of a user; an empty password stays as it is."""

    email = forms.CharField(label=_("Email address"), max_length=254, required=False)
    phone = forms.CharField(label=_("Phone"), max_length=32, required=False)
    description = forms.CharField(label=_("Description"), max_length=255, required=False)
    password = forms.CharField(
        label=_("New password"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Leave it empty to keep the present one. The user changes it at the next sign-in."),
    )


class NameForm(_Form):
    """A group or a project."""

    name = forms.CharField(label=_("Name"), max_length=64)
    description = forms.CharField(label=_("Description"), max_length=255, required=False)


class ProjectEditForm(NameForm):
    """A project can be switched off: nothing new comes into it then."""

    enabled = forms.BooleanField(
        label=_("Switched on"),
        required=False,
        help_text=_("Into a project that is off nothing new comes; what lies in it stays."),
    )


class PolicyForm(_Form):
    name = forms.CharField(label=_("Policy name"), max_length=64)
    description = forms.CharField(label=_("Description"), max_length=255, required=False)
    policy = forms.CharField(
        label=_("Policy document (JSON)"),
        strip=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 16, "class": "cd-mono", "spellcheck": "false"}),
        initial=json.dumps(EXAMPLE, indent=2),
    )


class KeyForm(_Form):
    description = forms.CharField(
        label=_("Description"),
        max_length=255,
        required=False,
        help_text=_("What it is for, e.g. the CI server."),
    )


class ChoiceForm(_Form):
    """One thing to add: a user to a group, a policy to a group."""

    chosen = forms.ChoiceField()

    def __init__(self, label: str, choices: Iterable[tuple[str, str]], data: Any = None) -> None:
        super().__init__(data)
        self.fields["chosen"].label = label
        choose(self, "chosen", choices)


class AttachForm(ChoiceForm):
    project = forms.ChoiceField(label=_("In which projects"), required=False)

    def __init__(
        self,
        label: str,
        choices: Iterable[tuple[str, str]],
        projects: Iterable[tuple[str, str]],
        data: Any = None,
    ) -> None:
        super().__init__(label, choices, data)
        choose(self, "project", projects)


class ForgottenForm(_Form):
    login = forms.CharField(
        label=_("User name"), max_length=130, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )


class ProfileForm(_Form):
    language = forms.ChoiceField(label=_("Language"), choices=[("en", "English"), ("zh-hans", "简体中文")])
    time_zone = forms.ChoiceField(label=_("Time zone"))

    def __init__(self, zones: Iterable[str], data: Any = None, **more: Any) -> None:
        super().__init__(data, **more)
        choose(self, "time_zone", [(zone, zone.replace("_", " ")) for zone in zones])


class QuestionForm(_Form):
    """May this user do that, and which statement says so?"""

    user = forms.CharField(label=_("User name"), max_length=64)
    action = forms.CharField(
        label=_("Action"), max_length=64, help_text=_("For example scm:cert:download, to export a key.")
    )
    resource = forms.CharField(
        label=_("Certificate or other thing"),
        max_length=255,
        required=False,
        help_text=_("type:id, for example cert:scs1600313391074. Empty: on anything at all."),
    )
    enterprise_project_id = forms.CharField(
        label=_("Enterprise project id"), max_length=36, required=False, help_text=_("Where the thing lies.")
    )
    domain = forms.CharField(
        label=_("Domain name"),
        max_length=255,
        required=False,
        help_text=_("Of the certificate; empty: those that it has."),
    )
    tag = forms.CharField(
        label=_("Tag"), max_length=400, required=False, help_text=_("key=value; empty: those that it has.")
    )
    source = forms.CharField(label=_("From which address"), max_length=64, required=False)
    time = forms.CharField(
        label=_("When (UTC)"),
        max_length=20,
        required=False,
        help_text=_("For example 2026-11-30T12:00:00Z. Empty: now."),
    )
    mfa = forms.BooleanField(label=_("A second factor was shown"), required=False)

    def context(self) -> dict[str, object]:
        given = self.cleaned_data
        texts = ("source", "time", "enterprise_project_id", "domain")
        found: dict[str, object] = {name: given[name] for name in texts if given[name]}
        if given["tag"]:
            key, _equals, value = given["tag"].partition("=")
            found["tags"] = {key: value}
        return {**found, "mfa": given["mfa"]}
