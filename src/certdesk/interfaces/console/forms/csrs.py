"""The forms of CSR management and of tags."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.lifecycle.certificates.csr_rules import ALGORITHMS, NAME_LIMIT, CsrRequest

from .applying import ALGORITHMS as TITLES
from .common import card, choose

MONO = {"class": "cd-mono", "autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
COMPANY = ("company_country", "company_province", "company_city", "company_name")


def _name() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("CSR name"),
        max_length=NAME_LIMIT,
        help_text=gettext_lazy("Any name by which you find it again, at most 63 characters."),
    )


class CsrForm(forms.Form):
    """A key and a CSR made here. The room has the last word."""

    name = _name()
    domain_name = forms.CharField(
        label=gettext_lazy("Domain name"),
        widget=forms.TextInput(attrs=MONO),
        help_text=gettext_lazy(
            "The name that the certificate must hold, for example www.example.com or *.example.com."
        ),
    )
    sans = forms.CharField(
        label=gettext_lazy("Additional domain names"),
        required=False,
        widget=forms.Textarea(attrs={**MONO, "rows": 3}),
        help_text=gettext_lazy("One a line."),
    )
    private_key_algo = forms.ChoiceField(
        label=gettext_lazy("Key algorithm"),
        help_text=gettext_lazy("A certificate type takes only some of them: see its application page."),
    )
    usage = forms.ChoiceField(label=gettext_lazy("Usage"), widget=forms.RadioSelect, initial="PERSONAL")
    company_name = forms.CharField(
        label=gettext_lazy("Company name"),
        required=False,
        help_text=gettext_lazy("The full name, the same as on the business license."),
    )
    company_country = forms.CharField(
        label=gettext_lazy("Country/Region"),
        required=False,
        max_length=2,
        help_text=gettext_lazy("Two letters, for example CN."),
    )
    company_province = forms.CharField(label=gettext_lazy("Province"), required=False)
    company_city = forms.CharField(label=gettext_lazy("City"), required=False)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        choose(self, "private_key_algo", [(one, TITLES[one]) for one in ALGORITHMS])
        choose(
            self,
            "usage",
            [
                ("PERSONAL", card(_("Personal"), _("The CSR holds domain names alone."))),
                ("ENTERPRISE", card(_("Enterprise"), _("The company stands in the CSR too."))),
            ],
        )
        for name in COMPANY if self.data.get("usage") == "ENTERPRISE" else ():
            self.fields[name].required = True

    def request(self) -> CsrRequest:
        """What was typed; company details count for the usage Enterprise alone, where they are shown."""
        given = self.cleaned_data
        company = {name.removeprefix("company_"): given[name] for name in COMPANY}
        return CsrRequest(
            given["name"],
            given["domain_name"],
            given["private_key_algo"],
            given["sans"].replace("\r", "").replace("\n", ";"),
            given["usage"],
            company if given["usage"] == "ENTERPRISE" else None,
        )


class CsrUploadForm(forms.Form):
    name = _name()
    csr = forms.CharField(
        label=gettext_lazy("Your CSR (PEM)"),
        strip=False,
        widget=forms.Textarea(
            attrs={**MONO, "rows": 8, "placeholder": "-----BEGIN CERTIFICATE REQUEST-----"}
        ),
        help_text=gettext_lazy("At most 2555 characters."),
    )
    private_key = forms.CharField(
        label=gettext_lazy("Its private key (PEM)"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={**MONO, "rows": 8, "placeholder": "-----BEGIN PRIVATE KEY-----"}),
        help_text=gettext_lazy(
            "Without a password. Left empty, the key stays with you: certificates made with this CSR "
            "cannot be deployed or pushed from here."
        ),
    )


class CsrNameForm(forms.Form):
    name = _name()


class TagForm(forms.Form):
    """One tag of a certificate; the room checks it."""

    key = forms.CharField(label=gettext_lazy("Tag key"), max_length=128, widget=forms.TextInput(attrs=MONO))
    value = forms.CharField(
        label=gettext_lazy("Tag value"), max_length=255, required=False, widget=forms.TextInput(attrs=MONO)
    )
