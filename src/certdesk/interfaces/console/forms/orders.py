"""The filters of My Orders."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

DAY = {"type": "date"}
DECIMAL = {"inputmode": "decimal"}


class OrderFilterForm(forms.Form):
    """Text, dates and amounts; the status is chosen by the tabs and kept here."""

    content = forms.CharField(
        label=gettext_lazy("Order, product, certificate or domain"), required=False, max_length=128
    )
    created_from = forms.CharField(
        label=gettext_lazy("Ordered from"), required=False, max_length=32, widget=forms.DateInput(attrs=DAY)
    )
    created_to = forms.CharField(
        label=gettext_lazy("Ordered to"), required=False, max_length=32, widget=forms.DateInput(attrs=DAY)
    )
    min_amount = forms.CharField(
        label=gettext_lazy("Lowest amount"),
        required=False,
        max_length=24,
        widget=forms.TextInput(attrs=DECIMAL),
    )
    max_amount = forms.CharField(
        label=gettext_lazy("Highest amount"),
        required=False,
        max_length=24,
        widget=forms.TextInput(attrs=DECIMAL),
    )
    status = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)

    def __init__(self, data: Any) -> None:
        super().__init__(data, label_suffix="")
