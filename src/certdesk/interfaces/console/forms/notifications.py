"""Forms of channels (drawn from the typed options), of rules of notices and of their hours."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.connectors.channels.registry import KINDS
from certdesk.connectors.dns.providers import options as typed
from certdesk.connectors.dns.providers.options import MASK

from .common import choose
from .dns import MONO, PREFIX, drawn


class ChannelForm(forms.Form):
    """Name and options of one kind. A secret is never shown again: empty keeps the one that is stored."""

    label = forms.CharField(
        label=gettext_lazy("Name of the channel"),
        required=False,
        max_length=64,
        help_text=gettext_lazy("How it is called on these pages. Empty: its kind."),
    )

    def __init__(self, kind: str, data: Any = None, *, shown: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, label_suffix="")
        self.kind, self.shown = kind, shown
        for field in typed.form(KINDS[kind].options):
            self.fields[PREFIX + field.name] = drawn(field, shown)

    def options(self) -> dict[str, Any]:
        """What was typed; an empty secret keeps the stored one."""
        found: dict[str, Any] = {}
        for field in typed.form(KINDS[self.kind].options):
            value = self.cleaned_data.get(PREFIX + field.name)
            if value not in ("", None):
                found[field.name] = value
            elif (self.shown or {}).get(field.name) == MASK:
                found[field.name] = MASK
        return found


class ChannelTestForm(forms.Form):
    """Where an SMS gateway sends its test."""

    phone = forms.CharField(
        label=gettext_lazy("Phone number for the test"),
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"placeholder": "+86 138 0013 8000", "autocomplete": "tel"}),
    )


class NoticeRuleForm(forms.Form):
    """Who is told, of which certificates, at once or later."""

    whom = forms.ChoiceField(label=gettext_lazy("Who is told"))
    recipient = forms.CharField(
        label=gettext_lazy("Mail address or phone number"),
        required=False,
        max_length=320,
        widget=forms.TextInput(attrs=MONO),
        help_text=gettext_lazy("Only for an address or a number; a number begins with + and its country."),
    )
    scope = forms.ChoiceField(label=gettext_lazy("Of which certificates"))
    after_days = forms.IntegerField(
        label=gettext_lazy("Days without acknowledgement"),
        initial=0,
        min_value=0,
        max_value=60,
        help_text=gettext_lazy("0: together with everybody. Else only when nobody acknowledged for so long."),
    )
    locale = forms.ChoiceField(
        label=gettext_lazy("Language"), choices=[("en", "English"), ("zh-hans", "简体中文")]
    )

    def __init__(
        self, data: Any = None, *, channels: Sequence[Any], scopes: Sequence[tuple[str, str]], initial: Any
    ) -> None:
        super().__init__(data, label_suffix="", initial=initial)
        people = [
            ("EMAIL", _("A mail address")),
            ("PHONE", _("A phone number, by SMS")),
            ("ADMINISTRATORS", _("The administrators of the account")),
            ("CONTACT", _("The account contact, once more")),
            ("APPLICANT", _("The applicant, once more")),
        ]
        rooms = [(f"CHANNEL:{one.id}", _("Channel: %(name)s") % {"name": one.label}) for one in channels]
        choose(self, "whom", [*people[:2], *rooms, *people[2:]])
        choose(self, "scope", scopes)


class HoursForm(forms.Form):
    """Zone, quiet hours and digest of an account."""

    zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=64,
        widget=forms.TextInput(attrs=MONO),
        help_text=gettext_lazy("An IANA name such as Asia/Shanghai or UTC."),
    )
    quiet_from = forms.CharField(
        label=gettext_lazy("Quiet from"),
        required=False,
        max_length=5,
        help_text=gettext_lazy("For example 22:00; empty: no quiet hours."),
    )
    quiet_to = forms.CharField(label=gettext_lazy("Quiet until"), required=False, max_length=5)
    digest_at = forms.CharField(
        label=gettext_lazy("One message a day, at"),
        required=False,
        max_length=5,
        help_text=gettext_lazy("Each person then gets one message about all certificates that are due."),
    )
