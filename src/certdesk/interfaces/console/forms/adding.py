"""The form that adds domain names (§5.7)."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


class AddDomainsForm(forms.Form):
    """New names and the address for what is told of them; the room decides about both."""

    add_sans = forms.CharField(
        label=gettext_lazy("Additional domain names to be added"),
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "cd-mono"}),
    )
    email = forms.CharField(
        label=gettext_lazy("Email address"),
        max_length=254,
        help_text=gettext_lazy("What happens to this addition is told here; be sure that you can read it."),
        widget=forms.TextInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )

    def __init__(self, data: Any = None, *, initial: Any = None, room: tuple[int, int]) -> None:
        super().__init__(data, initial=initial, label_suffix="")
        self.fields["add_sans"].help_text = _(
            "One name per line. Still free: %(plain)d plain and %(wildcard)d wildcard names. "
            "Names cannot be taken out again."
        ) % {"plain": room[0], "wildcard": room[1]}
