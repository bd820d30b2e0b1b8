"""Forms of scans, and of adopting what they found."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from certdesk.lifecycle.discovery import rules, scans
from certdesk.lifecycle.discovery.adopting import REISSUE, UPLOAD
from certdesk.lifecycle.discovery.models import Repeat, Scan

from .common import card, choose
from .hosting import MONO
from .tools import ServedForm

REPEATS = (
    (Repeat.ONCE.value, gettext_lazy("Only when started")),
    (Repeat.DAILY.value, gettext_lazy("Every day")),
    (Repeat.WEEKLY.value, gettext_lazy("Every week")),
)
_LISTS = ("ranges", "ports", "sni")


def _area(rows: int, placeholder: str) -> forms.Textarea:
    return forms.Textarea(attrs={**MONO, "rows": rows, "placeholder": placeholder})


class ScanForm(forms.Form):
    """Where to look, for which names, how fast, how often."""

    name = forms.CharField(label=gettext_lazy("Name of the scan"), max_length=scans.LONGEST_NAME)
    ranges = forms.CharField(
        label=gettext_lazy("Hosts and networks"),
        required=False,
        max_length=20_000,
        widget=_area(3, "www.example.com\n10.1.0.0/24"),
        help_text=gettext_lazy("One a line. Private networks must be opened by the operator."),
    )
    targets = forms.BooleanField(
        label=gettext_lazy("Also what connected targets serve, at their listeners"), required=False
    )
    protocol = forms.ChoiceField(
        label=gettext_lazy("Protocol"),
        choices=ServedForm.base_fields["protocol"].choices,  # type: ignore[attr-defined]
    )
    ports = forms.CharField(
        label=gettext_lazy("Ports"),
        required=False,
        max_length=2_000,
        widget=forms.TextInput(attrs={**MONO, "placeholder": "443, 8443, 9000-9010"}),
        help_text=gettext_lazy("Empty: the protocol's usual one."),
    )
    sni = forms.CharField(
        label=gettext_lazy("Server names"),
        required=False,
        max_length=20_000,
        widget=_area(2, "shop.example.com"),
        help_text=gettext_lazy("Each place is asked for each of them (SNI). Empty: a host's own name."),
    )
    repeat = forms.ChoiceField(label=gettext_lazy("How often"), choices=REPEATS)
    per_second = forms.IntegerField(
        label=gettext_lazy("Places a second"),
        min_value=1,
        max_value=rules.MOST_PER_SECOND,
        initial=50,
        help_text=gettext_lazy("Slower is kinder to small devices."),
    )

    def __init__(self, data: Any = None, *, scan: Scan | None = None) -> None:
        super().__init__(data, label_suffix="")
        if scan is None:
            return
        for field in ("name", "targets", "protocol", "repeat", "per_second"):
            self.initial[field] = getattr(scan, field)
        for field, mark in (("ranges", "\n"), ("ports", ", "), ("sni", "\n")):
            self.initial[field] = mark.join(getattr(scan, field))

    def body(self) -> dict[str, Any]:
        """As the operation takes it."""
        given = dict(self.cleaned_data)
        return {**given, **{field: _words(given[field]) for field in _LISTS}}


def _words(text: str) -> list[str]:
    return [one for part in text.replace(",", "\n").splitlines() if (one := part.strip())]


class AdoptForm(forms.Form):
    """Watch it as it is, or replace it by one of ours."""

    mode = forms.ChoiceField(label=gettext_lazy("What happens"), widget=forms.RadioSelect)
    name = forms.CharField(
        label=gettext_lazy("Name in the list of certificates"),
        max_length=63,
        required=False,
        help_text=gettext_lazy("For watching. Letters, digits and . _ -"),
    )
    certificate_id = forms.ChoiceField(
        label=gettext_lazy("Certificate to apply with"),
        required=False,
        help_text=gettext_lazy("For replacing: one that was bought and has no application yet."),
    )
    agree_privacy_protection = forms.BooleanField(
        label=gettext_lazy("The application may be kept, as the privacy statement says"), required=False
    )

    def __init__(self, data: Any, *, name: str, certificates: list[tuple[str, str]]) -> None:
        super().__init__(data, label_suffix="", initial={"name": name, "mode": UPLOAD})
        choose(
            self,
            "mode",
            [(one, card(str(title), str(note))) for one, title, note in _MODES],
        )
        choose(self, "certificate_id", [("", gettext_lazy("none")), *certificates])

    def body(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


_MODES = (
    (
        UPLOAD,
        gettext_lazy("Watch it"),
        gettext_lazy("It is hosted without its key: you are told before it ends. It cannot be deployed."),
    ),
    (
        REISSUE,
        gettext_lazy("Replace it"),
        gettext_lazy(
            "An application with its names is begun. Where a connected target serves it, the new one is "
            "deployed there once it is issued."
        ),
    ),
)
