"""Forms of approvals: the decision, and the rules."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from certdesk.foundation.approvals.rules import (
    LEAST_HOURS,
    LONGEST_REASON,
    MOST_APPROVALS,
    MOST_HOURS,
    RuleLine,
)


class DecideForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "maxlength": LONGEST_REASON}),
        help_text=_("Needed when you reject: the person who asked reads it."),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, label_suffix="")


class RulesForm(forms.Form):
    """Three fields for each kind of operation."""

    def __init__(self, titles: Mapping[str, str], held: Mapping[str, RuleLine], data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        self.titles = titles
        for kind, title in titles.items():
            line = held.get(kind, RuleLine(kind))
            self.fields[f"{kind}.on"] = forms.BooleanField(label=title, required=False, initial=kind in held)
            self.fields[f"{kind}.approvals"] = forms.IntegerField(
                label=_("Other people"), min_value=1, max_value=MOST_APPROVALS, initial=line.approvals
            )
            self.fields[f"{kind}.hours"] = forms.IntegerField(
                label=_("Hours to decide"), min_value=LEAST_HOURS, max_value=MOST_HOURS, initial=line.hours
            )

    def lines(self) -> list[tuple[forms.BoundField, forms.BoundField, forms.BoundField]]:
        """Switch, people and hours of each kind."""
        return [
            (self[f"{kind}.on"], self[f"{kind}.approvals"], self[f"{kind}.hours"]) for kind in self.titles
        ]

    def items(self) -> list[dict[str, Any]]:
        """As the operation takes them."""
        given = self.cleaned_data
        return [
            {
                "operation": kind,
                "required": given[f"{kind}.on"],
                "approvals": given[f"{kind}.approvals"],
                "hours": given[f"{kind}.hours"],
            }
            for kind in self.titles
        ]
