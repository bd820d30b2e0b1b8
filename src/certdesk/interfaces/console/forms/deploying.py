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
=======
from .common import card, choose

MONO = {"class": "cd-mono", "autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
PREFIX = "o_"
>>>>>>> a583474 (Waves, trial, stop rules, windows and exemptions, in API and console; places with their policy)


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
<<<<<<< HEAD
        for field in typed.form(KINDS[kind].options):
            self.fields[PREFIX + field.name] = drawn(field, self.shown)
