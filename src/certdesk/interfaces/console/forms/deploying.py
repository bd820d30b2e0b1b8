"""Forms of targets (drawn from the typed options) and of pushing."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.connectors.dns.providers import options as typed
from certdesk.connectors.targets.registry import KINDS
from certdesk.lifecycle.deployment import rollout, windows
from certdesk.lifecycle.deployment.models import Binding, Target
from certdesk.lifecycle.deployment.rollout import Rollout

from .common import card, choose
from .dns import MONO, PREFIX, drawn, typed_value


class TargetForm(forms.Form):
    """Where it stands, and the options of its kind; a list has one entry a line."""

    label = forms.CharField(
        label=gettext_lazy("Name of the target"),
        required=False,
        max_length=64,
        help_text=gettext_lazy("How it is called on these pages. Empty: its kind."),
    )
    service = forms.ChoiceField(label=gettext_lazy("Service"))
    region = forms.CharField(
        label=gettext_lazy("Region"),
        max_length=64,
        help_text=gettext_lazy(
            "Where it stands, e.g. cn-north-4 or office. Deploying begins with the region."
        ),
        widget=forms.TextInput(attrs=MONO),
    )
    project = forms.CharField(
        label=gettext_lazy("Project"), required=False, max_length=64, widget=forms.TextInput(attrs=MONO)
    )
    window = forms.CharField(
        label=gettext_lazy("Maintenance window"),
        required=False,
        max_length=100,
        help_text=gettext_lazy(
            "When it may be changed, e.g. MON-FRI 22:00-04:00 Asia/Shanghai. Empty: at any time."
        ),
        widget=forms.TextInput(attrs=MONO),
    )

    def __init__(self, kind: str, data: Any = None, *, target: Target | None = None) -> None:
        super().__init__(data, label_suffix="")
        self.kind = kind
        choose(self, "service", [("ELB", "ELB"), ("WAF", "WAF"), ("CDN", "CDN"), ("OTHER", _("Other"))])
        self.fields["service"].initial = KINDS[kind].options.usual_service
        self.shown = target.shown if target is not None else None
        if target is not None:
            del self.fields["service"]
            for name in ("label", "region", "project"):
                self.fields[name].initial = getattr(target, name)
            self.fields["window"].initial = windows.line_of(target.window)
        for field in typed.form(KINDS[kind].options):
            self.fields[PREFIX + field.name] = drawn(field, self.shown)

    def options(self) -> dict[str, Any]:
        """What was typed, as the options model reads it; what is empty is left to its default."""
        fields = typed.form(KINDS[self.kind].options)
        found = {one.name: typed_value(one, self.cleaned_data, self.shown) for one in fields}
        return {name: value for name, value in found.items() if value is not None}


class RolloutForm(forms.Form):
    """In which order several places are done, and when it stops by itself."""

    canary = forms.IntegerField(
        label=gettext_lazy("First wave"),
        required=False,
        min_value=0,
        max_value=rollout.MOST,
        help_text=gettext_lazy("Places to try it on first; if one fails, no other is begun. 0: none."),
    )
    wave_size = forms.IntegerField(
        label=gettext_lazy("Further waves"),
        required=False,
        min_value=0,
        max_value=rollout.MOST,
        help_text=gettext_lazy("Places of each; the next one begins when one is over. 0: all at once."),
    )
    stop_after = forms.IntegerField(
        label=gettext_lazy("Stop after failures"),
        required=False,
        min_value=0,
        max_value=rollout.MOST,
        help_text=gettext_lazy("So many failed places hold the rest until you decide. 0: never."),
    )

    def __init__(self, data: Any = None, *, count: int) -> None:
        super().__init__(data, label_suffix="", initial={"canary": 1, "wave_size": 20, "stop_after": 5})
        if count == 1:
            self.fields.clear()

    def plan(self) -> Rollout:
        """What was entered; an empty field is 0."""
        return Rollout(**{name: value or 0 for name, value in self.cleaned_data.items()})


class BindingForm(forms.Form):
    """What happens when a place serves something else than it should, and what need not serve it."""

    policy = forms.ChoiceField(
        label=gettext_lazy("If something else is served"),
        widget=forms.RadioSelect,
    )
    exempt = forms.MultipleChoiceField(
        label=gettext_lazy("These need not serve it"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("They are not looked at after a deployment, nor later; each one notes it."),
    )

    def __init__(self, binding: Binding, data: Any = None) -> None:
        super().__init__(data, label_suffix="", initial={"policy": binding.policy, "exempt": binding.exempt})
        choose(
            self,
            "policy",
            [
                ("REPORT", card(_("Tell"), _("It stands on the overview, and a mail is sent."))),
                (
                    "MEND",
                    card(
                        _("Tell and mend"),
                        _("The certificate is deployed there again; a renewed one also by itself."),
                    ),
                ),
            ],
        )
        choices = [(one, one) for one in [*binding.listeners, *binding.names]]
        choose(self, "exempt", choices)
        if len(binding.listeners) < _SEVERAL and len(binding.names) < _SEVERAL:
            del self.fields["exempt"]


_SEVERAL = 2


class PushForm(forms.Form):
    """Service and region in one choice."""

    place = forms.ChoiceField(label=gettext_lazy("Service and region"))

    def __init__(self, data: Any = None, *, choices: list[tuple[str, str]]) -> None:
        super().__init__(data, label_suffix="")
        choose(self, "place", choices)
