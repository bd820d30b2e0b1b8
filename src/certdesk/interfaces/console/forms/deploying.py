"""Forms of targets (drawn from the typed options) and of pushing."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.connectors.targets.registry import KINDS
from certdesk.lifecycle.deployment.models import Target

from .common import choose

MONO = {"class": "cd-mono", "autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
PREFIX = "o_"


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

    def __init__(self, kind: str, data: Any = None, *, target: Target | None = None) -> None:
        super().__init__(data, label_suffix="")
        self.kind = kind
        choose(self, "service", [("ELB", "ELB"), ("WAF", "WAF"), ("CDN", "CDN"), ("OTHER", _("Other"))])
        if target is not None:
            del self.fields["service"]
            for name in ("label", "region", "project"):
                self.fields[name].initial = getattr(target, name)
        for name, field in KINDS[kind].options.model_fields.items():
            shown = target.shown.get(name) if target is not None else None
            is_list = name == "listeners"
            lines = "\n".join(shown) if isinstance(shown, list) else shown or ""
            self.fields[PREFIX + name] = forms.CharField(
                label=_(field.title or name),
                help_text=_(field.description or ""),
                required=field.is_required(),
                initial=lines,
                widget=forms.Textarea(attrs={**MONO, "rows": 2, "placeholder": "10.0.0.5:443"})
                if is_list
                else forms.TextInput(attrs=MONO),
            )

    def options(self) -> dict[str, Any]:
        """What was typed, as the options model reads it."""
        found: dict[str, Any] = {}
        for name in KINDS[self.kind].options.model_fields:
            text = str(self.cleaned_data.get(PREFIX + name) or "").strip()
            if name == "listeners":
                found[name] = text.replace(",", " ").split()
            elif text:
                found[name] = text
        return found


class PushForm(forms.Form):
    """Service and region in one choice."""

    place = forms.ChoiceField(label=gettext_lazy("Service and region"))

    def __init__(self, data: Any = None, *, choices: list[tuple[str, str]]) -> None:
        super().__init__(data, label_suffix="")
        choose(self, "place", choices)
