"""The fields of the account's identity provider."""

from django import forms
from django.utils.translation import gettext_lazy as _

from .people import _Form


class ProviderForm(_Form):
    """An OpenID Connect provider; the secret is written, never shown."""

    name = forms.CharField(
        label=_("Name on the button"), max_length=40, help_text=_("Sign in with …: your organization's name.")
    )
    issuer = forms.CharField(
        label=_("Issuer"),
        max_length=255,
        help_text=_("The https address under which the provider publishes itself, exactly as it writes it."),
    )
    client_id = forms.CharField(
        label=_("Client ID"), max_length=255, help_text=_("As the provider names this installation.")
    )
    secret = forms.CharField(
        label=_("Client secret"),
        max_length=500,
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Kept sealed and never shown. Empty: the present one stays."),
    )
    domains = forms.CharField(
        label=_("Allowed domains"),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Only people with a verified mail address of these domains get in. Empty: no limit."),
    )
    makes_users = forms.BooleanField(
        label=_("Make users at the first sign-in"),
        required=False,
        help_text=_("Off: only who is invited to the same verified address, or has linked an own user."),
    )
    group_claim = forms.CharField(
        label=_("Claim with groups"),
        max_length=64,
        required=False,
        help_text=_("For example groups. Empty: groups are kept here alone."),
    )
    groups = forms.CharField(
        label=_("Groups"),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "One a line: value = group. At each sign-in the user is in exactly those of these groups."
        ),
    )
    mfa_acrs = forms.CharField(
        label=_("Classes that mean a second factor"),
        max_length=255,
        required=False,
        help_text=_("Values of acr, with blanks between. amr is understood without it."),
    )
    enabled = forms.BooleanField(label=_("Offer this way of signing in"), required=False)
