"""The form of an ACME credential."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from .common import choose


class CredentialForm(forms.Form):
    """Each limit may be left empty: then there is none."""

    label = forms.CharField(
        label=_("Name"),
        max_length=64,
        required=False,
        help_text=_("Where its client runs, e.g. the web servers of the shop."),
    )
    names = forms.CharField(
        label=_("Domain names"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One a line; *.example.com is everything below it. Empty: any name that proves itself."),
    )
    issuer = forms.ChoiceField(
        label=_("Certificate authority"),
        required=False,
        help_text=_("Certificates of a brand are paid from the balance, one for each order of the client."),
    )
    types = forms.ChoiceField(label=_("Certificate type"), required=False)
    quota = forms.IntegerField(
        label=_("Most certificates"),
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text=_("In all, renewals too. Empty: any number."),
    )

    def __init__(
        self, brands: Iterable[tuple[str, str]], types: Iterable[tuple[str, str]], data: Any = None
    ) -> None:
        super().__init__(data, label_suffix="")
        choose(self, "issuer", [("", _("Built-in CA, free of charge")), *brands])
        choose(self, "types", [("", "–"), *types])

    def names_given(self) -> list[str]:
        """The patterns, one each."""
        text = str(self.cleaned_data.get("names", "")).replace(",", "\n").replace(";", "\n")
        return [one.strip() for one in text.splitlines() if one.strip()]
