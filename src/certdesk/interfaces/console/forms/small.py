"""The small forms: password, name and description, an officer's decision."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.lifecycle.validation.organization_rules import NUMBER_LIMIT, REASON_LIMIT, Item

from .common import choose


class PasswordForm(forms.Form):
    """A new password; the old one is asked for unless it was given only to be changed."""

    old = forms.CharField(
        label=gettext_lazy("Current password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        strip=False,
    )
    new = forms.CharField(
        label=gettext_lazy("New password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("At least 12 characters, and not a common one."),
        strip=False,
    )
    again = forms.CharField(
        label=gettext_lazy("New password again"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
    )

    def __init__(self, data: Any = None, *, must_change: bool) -> None:
        super().__init__(data, label_suffix="")
        if must_change:
            del self.fields["old"]

    def clean_again(self) -> str:
        again = str(self.cleaned_data.get("again", ""))
        if again != self.cleaned_data.get("new"):
            raise forms.ValidationError(_("The two new passwords differ. Type the same one twice."))
        return again


class EditForm(forms.Form):
    """LST-4."""

    name = forms.CharField(
        label=gettext_lazy("Certificate name"),
        help_text=gettext_lazy("3 to 63 letters, digits and . _ -"),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("At most 255 characters."),
    )
    owner = forms.ChoiceField(
        label=gettext_lazy("Owner"),
        required=False,
        help_text=gettext_lazy("Who is asked about it, and who is told before it expires."),
    )
    owner_group = forms.ChoiceField(
        label=gettext_lazy("Owning group"),
        required=False,
        help_text=gettext_lazy("Its members find the certificate as their own; it gives them no right."),
    )


class CaAnswerForm(forms.Form):
    """What an officer brings from a CA without an interface."""

    certificate = forms.CharField(
        label=gettext_lazy("Certificate and chain"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}),
        help_text=gettext_lazy("PEM: the server's certificate first, then the certificates of the CA."),
    )
    refusal = forms.CharField(
        label=gettext_lazy("Or: why the CA does not issue it"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("The applicant reads these words, and the application ends."),
    )


class DecisionForm(forms.Form):
    """What the officer checked, and the decision (ORG-2)."""

    checked = forms.MultipleChoiceField(
        label=gettext_lazy("What was checked"), required=False, widget=forms.CheckboxSelectMultiple
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": REASON_LIMIT}),
        help_text=gettext_lazy("Needed when you reject: the applicant reads it."),
    )

    registration_number = forms.CharField(
        label=gettext_lazy("Registration number from the register"),
        required=False,
        max_length=NUMBER_LIMIT,
        help_text=gettext_lazy("The applicant gave none. Left empty, the certificate says: Not stated."),
    )

    def __init__(self, items: Sequence[Item], data: Any = None, *, numbered: bool = True) -> None:
        """`numbered`: no registration number is wanted."""
        super().__init__(data, label_suffix="")
        if numbered:
            del self.fields["registration_number"]
        choose(self, "checked", [(item.id, _(item.text)) for item in items])


class TestMailForm(forms.Form):
    """Where a test message goes."""

    __test__ = False  # no test case of pytest's

    address = forms.CharField(
        label=gettext_lazy("Email address"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "email", "inputmode": "email"}),
        help_text=gettext_lazy("The message goes the same way as every other one; its result is recorded."),
    )
