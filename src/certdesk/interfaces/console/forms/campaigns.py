"""The form of a campaign."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.foundation.common.errors import BadParameter
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.campaigns import rules
from certdesk.lifecycle.campaigns.models import Campaign
from certdesk.lifecycle.campaigns.rules import Action
from certdesk.lifecycle.issuance import revocation_rules
from certdesk.lifecycle.issuers.rules import BUILT_IN
from certdesk.pki.authority import queries as authorities

from .common import card, choose
from .hosting import MONO
from .revoking import REASONS

QUERY = "which_"
PROFILES = {
    "": gettext_lazy("Any"),
    "public": gettext_lazy("public"),
    "public:dv": gettext_lazy("public, DV"),
    "public:ov": gettext_lazy("public, OV"),
    "public:ev": gettext_lazy("public, EV"),
    "private": gettext_lazy("private"),
    "private:dv": gettext_lazy("private, DV"),
    "private:ov": gettext_lazy("private, OV"),
    "private:ev": gettext_lazy("private, EV"),
}


class CampaignForm(forms.Form):
    """Which certificates, what happens to them, why, and how fast.

    `houses`: titles of issuers by slug, the built-in CA first.
    """

    name = forms.CharField(
        label=gettext_lazy("Name of the campaign"),
        max_length=rules.NAME_LIMIT,
        help_text=gettext_lazy("Owners read it in their mail, e.g. Leaked build key, November."),
    )
    action = forms.ChoiceField(label=gettext_lazy("What happens to each"), widget=forms.RadioSelect)
    which_name = forms.CharField(
        label=gettext_lazy("Domain name, and everything under it"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={**MONO, "placeholder": "example.com"}),
    )
    which_issuer = forms.ChoiceField(
        label=gettext_lazy("Issuer"),
        required=False,
        help_text=gettext_lazy("Who issued them: a whole CA, or one authority of the built-in CA."),
    )
    which_key = forms.CharField(
        label=gettext_lazy("Key"),
        required=False,
        max_length=128,
        help_text=gettext_lazy("SHA-256 of the public key (SPKI), 64 hexadecimal digits."),
        widget=forms.TextInput(attrs=MONO),
    )
    which_profile = forms.ChoiceField(
        label=gettext_lazy("Profile"),
        required=False,
        choices=list(PROFILES.items()),
        help_text=gettext_lazy("The rules under which they were issued."),
    )
    issuer = forms.ChoiceField(
        label=gettext_lazy("New issuer"),
        required=False,
        help_text=gettext_lazy(
            "For replacements. Each product names the issuers that it may have; where it does not name this "
            "one, its certificates are left out."
        ),
    )
    reason_code = forms.ChoiceField(label=gettext_lazy("Reason"), choices=list(REASONS.items()))
    reason = forms.CharField(
        label=gettext_lazy("In your own words"),
        required=False,
        max_length=revocation_rules.REASON_LIMIT,
        help_text=gettext_lazy("Kept with each certificate; owners read it in their mail."),
    )
    per_minute = forms.IntegerField(
        label=gettext_lazy("Certificates a minute"),
        min_value=1,
        max_value=rules.MOST_PER_MINUTE,
        initial=rules.USUAL_PER_MINUTE,
    )
    issuer_per_minute = forms.IntegerField(
        label=gettext_lazy("Of one issuer a minute"),
        min_value=0,
        max_value=rules.MOST_PER_MINUTE,
        initial=0,
        help_text=gettext_lazy("0 sets no limit beside the one above."),
    )

    def __init__(
        self, data: Any, *, houses: Mapping[str, str], campaign: Campaign | None = None, issuer: str = ""
    ) -> None:
        super().__init__(data, label_suffix="")
        self.fields["which_issuer"].initial = issuer
        choose(
            self,
            "action",
            [(one.value, card(str(title), str(note))) for one, (title, note) in _ACTIONS.items()],
        )
        self.fields["action"].initial = Action.DRILL.value
        if campaign is not None:
            for name in ("name", "action", "issuer", "reason_code", "per_minute", "issuer_per_minute"):
                self.fields[name].initial = getattr(campaign, name)
            self.fields["reason"].initial = campaign.words
            for name, value in campaign.query.items():
                self.fields[QUERY + name].initial = value
        known = [(slug, say(title)) for slug, title in houses.items()]
        parts = [(f"{BUILT_IN}:{slug}", f"{known[0][1]}: {slug}") for slug in authorities.signing()]
        self._offer("which_issuer", [("", _("Any")), known[0], *parts, *known[1:]])
        self._offer("issuer", [("", _("Another one, as each product says")), *known])

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        """What is known, and what is asked for besides: an issuer that was removed, an authority that was
        retired. Whether it is one at all, the room says."""
        asked = self.data.get(name) or self.fields[name].initial
        if asked and asked not in dict(choices):
            choices.append((str(asked), str(asked)))
        choose(self, name, choices)

    def clean_issuer(self) -> str:
        """Refused at its own field, for the issuer that is looked for has the same name in the contract."""
        given, action = str(self.cleaned_data["issuer"]), self.cleaned_data.get("action")
        try:
            return rules.check_issuer(Action(action), given) if action else given
        except BadParameter as error:
            raise forms.ValidationError(f"{say(error.message)} {say(error.next_step)}") from None

    def body(self) -> dict[str, Any]:
        """As the operation takes it."""
        given = dict(self.cleaned_data)
        query = {name: given.pop(QUERY + name) for name in ("name", "issuer", "key", "profile")}
        return {**given, "query": query}


_ACTIONS = {
    Action.DRILL: (
        gettext_lazy("Rehearse"),
        gettext_lazy(
            "Nothing is changed and nobody is told. Shows which certificates, and measures the time it takes."
        ),
    ),
    Action.REPLACE_AND_REVOKE: (
        gettext_lazy("Replace, then revoke"),
        gettext_lazy(
            "A new version with a new key, deployed where the old one is served; then the old one is revoked."
        ),
    ),
    Action.REPLACE: (
        gettext_lazy("Replace"),
        gettext_lazy("The same, and the old version stays valid until it ends."),
    ),
    Action.REVOKE: (
        gettext_lazy("Revoke"),
        gettext_lazy("Clients refuse each of them from then on. Nothing takes it back."),
    ),
}
