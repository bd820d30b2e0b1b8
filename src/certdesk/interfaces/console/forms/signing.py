"""The small forms of signing in: a code, a password again, the account's rules."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from .people import _Form


class CodeForm(_Form):
    """A code of the app, or a recovery code."""

    code = forms.CharField(
        label=_("Verification code"),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}
        ),
        help_text=_("The six digits that the app shows now, or one of your recovery codes."),
    )

    def __init__(self, data: Any = None, *, passkey: bool = False) -> None:
        """`passkey`: one was shown in place of a code."""
        super().__init__(data)
        self.fields["code"].required = not passkey


class PasskeyNameForm(_Form):
    """What a new passkey is called."""

    name = forms.CharField(
        label=_("Name of the passkey"),
        max_length=64,
        required=False,
        help_text=_("For example the device that it is on."),
    )


class FirstCodeForm(_Form):
    """The first code of an app that is being enrolled."""

    code = forms.CharField(
        label=_("Code from the app"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
        help_text=_("Six digits; a new code comes every 30 seconds."),
    )


class PasswordAgainForm(_Form):
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class SecondFactorForm(_Form):
    """What the account wants of everybody."""

    required = forms.BooleanField(
        label=_("Second factor for everybody"),
        required=False,
        help_text=_(
            "Who has none is led to enrol one at the next sign-in. Tokens for a password alone are refused; "
            "access keys go on working."
        ),
    )
