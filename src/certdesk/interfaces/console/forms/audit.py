"""The filters of the audit log."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from ..views import audit_words
from .common import choose

DAY = {"type": "date"}


class AuditFilterForm(forms.Form):
    """Who, what, which resource, from when to when; the outcome is chosen by the tabs and kept here."""

    resource = forms.CharField(
        label=gettext_lazy("Certificate, order, user or other ID"), required=False, max_length=80
    )
    actor = forms.CharField(label=gettext_lazy("Who"), required=False, max_length=120)
    what = forms.ChoiceField(label=gettext_lazy("What"), required=False)
    since = forms.CharField(
        label=gettext_lazy("From"), required=False, max_length=32, widget=forms.DateInput(attrs=DAY)
    )
    until = forms.CharField(
        label=gettext_lazy("To"), required=False, max_length=32, widget=forms.DateInput(attrs=DAY)
    )
    outcome = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)

    def __init__(self, data: Any) -> None:
        super().__init__(data, label_suffix="")
        chapters = audit_words.chapters()
        everything = ("", gettext_lazy("Everything"))
        choose(self, "what", [everything, *((key, title) for key, (title, _actions) in chapters.items())])
