"""The forms of an agency."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

KEEP = ""
LASTS = [
    ("FOREVER", _("until it is deleted")),
    ("ONEDAY", _("for one day")),
    ("7", _("for 7 days")),
    ("30", _("for 30 days")),
    ("365", _("for 365 days")),
]


class AgencyForm(forms.Form):
    """Whom an agency trusts, and for how long. A new one has a name too; an old one may keep its end."""

    name = forms.CharField(
        label=_("Agency name"),
        max_length=64,
        help_text=_("The other account's users see it; it cannot be changed later."),
    )
    trust_domain_name = forms.CharField(
        label=_("Trusted account"),
        max_length=64,
        help_text=_("Its name or id, exactly as it is written there."),
    )
    trust_users = forms.CharField(
        label=_("Users of it who may act here"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_(
            "User names, one a line. Empty: everybody there whose own policies allow iam:agencies:assume."
        ),
    )
    description = forms.CharField(label=_("Description"), max_length=255, required=False)
    duration = forms.ChoiceField(label=_("How long"), required=False, choices=LASTS)

    def __init__(self, data: Any = None, *, is_new: bool, **more: Any) -> None:
        super().__init__(data, label_suffix="", **more)
        if not is_new:
            del self.fields["name"]
            self.fields["duration"].choices = [(KEEP, _("as it is")), *LASTS]  # type: ignore[attr-defined]

    def body(self) -> dict[str, Any]:
        """What the operation takes."""
        given = dict(self.cleaned_data)
        names = (one.strip() for one in re.split(r"[\n,]", given["trust_users"]))
        given["trust_users"] = [one for one in names if one]
        if given["duration"] == KEEP:
            del given["duration"]
        return given
