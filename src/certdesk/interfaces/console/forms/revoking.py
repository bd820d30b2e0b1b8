"""The revocation form (§5.4)."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.lifecycle.issuance import revocation_rules
from certdesk.lifecycle.issuance.revocation_rules import Code

from .hosting import MONO

REASONS = {
    Code.UNSPECIFIED: gettext_lazy("Not stated"),
    Code.KEY_COMPROMISE: gettext_lazy("Private key lost or known to others"),
    Code.AFFILIATION_CHANGED: gettext_lazy("The organization's name or details have changed"),
    Code.SUPERSEDED: gettext_lazy("Replaced by another certificate"),
    Code.CESSATION_OF_OPERATION: gettext_lazy("The site or service has ended"),
}


class RevokeForm(forms.Form):
    """Reason, the proof of a key compromise, and the name typed."""

    reason_code = forms.ChoiceField(label=gettext_lazy("Reason"), choices=list(REASONS.items()))
    reason = forms.CharField(
        label=gettext_lazy("In your own words"),
        required=False,
        max_length=revocation_rules.REASON_LIMIT,
        help_text=gettext_lazy("Kept with the record; the mail that asks for confirmation shows it."),
    )
    key_proof = forms.CharField(
        label=gettext_lazy("Proof that the key is known"),
        required=False,
        widget=forms.Textarea(attrs={**MONO, "rows": 4, "placeholder": "-----BEGIN …-----"}),
    )
    confirm_name = forms.CharField(max_length=512, widget=forms.TextInput(attrs=MONO))

    def __init__(self, data: Any = None, *, name: str, proof_for: str) -> None:
        super().__init__(data, label_suffix="")
        self._name = name
        self.fields["confirm_name"].label = _("Type %(name)s to confirm") % {"name": name}
        self.fields["key_proof"].help_text = _(
            "Only when the private key is lost or known to others; never the key itself. It blocks the key "
            "for ever, in every account. Make it with: %(command)s"
        ) % {"command": f'openssl req -new -key server.key -subj "/CN=key compromise {proof_for}"'}

    def clean_confirm_name(self) -> str:
        typed = str(self.cleaned_data["confirm_name"]).strip()
        if typed.lower() != self._name.lower():
            raise forms.ValidationError(_("This is not the name. Nothing was revoked."))
        return typed

    def body(self) -> dict[str, str]:
        """The request of the operation."""
        return {name: self.cleaned_data[name] for name in ("reason_code", "reason", "key_proof")}
