"""Forms of DNS connections (drawn from the typed options), of record sets and of the pre-flight."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.connectors.dns.providers import options as provider_options
from certdesk.connectors.dns.providers.options import MASK, FormField
from certdesk.connectors.dns.providers.registry import KINDS
from certdesk.connectors.dns.providers.values import WRITABLE
from certdesk.lifecycle.catalogue.queries import catalogue

from .common import choose

PREFIX = "o_"
MONO = {"class": "cd-mono", "autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}


class ConnectionForm(forms.Form):
    """Name and options of one kind. A secret is never shown again: empty keeps the one that is stored."""

    label = forms.CharField(
        label=gettext_lazy("Name of the connection"),
        required=False,
        max_length=64,
        help_text=gettext_lazy("How it is called on these pages. Empty: kind and server."),
    )

    def __init__(self, kind: str, data: Any = None, *, shown: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, label_suffix="")
        self.kind, self.shown = kind, shown
        for field in provider_options.form(KINDS[kind].options):
            self.fields[PREFIX + field.name] = drawn(field, shown)

    def options(self) -> dict[str, Any]:
        """What was typed, as the options model reads it; what is empty is left to its default."""
        fields = provider_options.form(KINDS[self.kind].options)
        found = {one.name: typed_value(one, self.cleaned_data, self.shown) for one in fields}
        return {name: value for name, value in found.items() if value is not None}


def typed_value(field: FormField, cleaned: Mapping[str, Any], shown: Mapping[str, Any] | None) -> Any:
    """What was typed into the input of one option; None = left to its default."""
    value, stored = cleaned.get(PREFIX + field.name), (shown or {}).get(field.name)
    if field.kind == "flag":
        return bool(value)
    if field.kind == "list":
        return str(value or "").replace(",", " ").split()
    if field.kind == "lines":
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]
    if field.kind == "secrets":
        return _pairs(str(value or ""), stored)
    if value not in ("", None):
        return value
    return MASK if field.kind in ("secret", "secret_block") and stored == MASK else None


def _pairs(text: str, stored: Any) -> dict[str, str]:
    """`name = value` a line; a name without a value keeps the stored one."""
    kept = dict(stored or {})
    typed: dict[str, str] = {}
    for line in text.splitlines():
        key, _equals, value = line.partition("=")
        if key.strip():
            typed[key.strip()] = value.strip() or (MASK if key.strip() in kept else "")
    return typed


def drawn(field: FormField, shown: Mapping[str, Any] | None) -> forms.Field:
    """The input of one option; `shown` are the stored options, None for a new thing."""
    stored = (shown or {}).get(field.name)
    initial = stored if shown is not None else field.default
    common: dict[str, Any] = {
        "label": _(field.label),
        "help_text": _(field.help) if field.help else "",
        "required": field.required,
    }
    if field.kind in ("secret", "secret_block"):
        return _secret(common, is_stored=stored == MASK, is_block=field.kind == "secret_block")
    if field.kind == "secrets":
        common["help_text"] = _("One a line: name = value. A stored value is kept when you leave it empty.")
        lines = "\n".join(f"{name} = " for name in stored or {})
        return forms.CharField(
            **common | {"required": False}, initial=lines, widget=forms.Textarea(attrs={**MONO, "rows": 4})
        )
    if field.kind in ("list", "lines"):
        return forms.CharField(
            **common,
            initial="\n".join(initial or ()),
            widget=forms.Textarea(attrs={**MONO, "rows": 3, "placeholder": field.example}),
        )
    if field.kind == "block":
        return forms.CharField(
            **common, initial=initial or "", widget=forms.Textarea(attrs={**MONO, "rows": 5})
        )
    if field.kind == "flag":
        return forms.BooleanField(**common | {"required": False}, initial=bool(initial))
    if field.kind == "number":
        return forms.IntegerField(**common | {"required": False}, initial=initial)
    if field.kind == "choice":
        return forms.ChoiceField(**common, initial=initial, choices=[(one, one) for one in field.choices])
    attributes = {**MONO, "placeholder": field.example} if field.example else MONO
    return forms.CharField(**common, initial=initial or "", widget=forms.TextInput(attrs=attributes))


def _secret(common: dict[str, Any], *, is_stored: bool, is_block: bool) -> forms.Field:
    if is_stored:
        common = common | {"required": False, "help_text": _("Stored. Leave it empty to keep it.")}
    if is_block:
        return forms.CharField(**common, widget=forms.Textarea(attrs={**MONO, "rows": 5}), strip=True)
    attributes = {**MONO, "autocomplete": "new-password"}
    return forms.CharField(**common, widget=forms.PasswordInput(attrs=attributes), strip=True)


class RecordSetForm(forms.Form):
    """Table 3-3 of the guide: name, type, alias, line, TTL, value."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs=MONO),
    )
    type = forms.ChoiceField(label=gettext_lazy("Type"))
    ttl = forms.IntegerField(
        label=gettext_lazy("TTL (s)"),
        initial=300,
        help_text=gettext_lazy("300 (5 min) is recommended for proofs."),
    )
    values = forms.CharField(
        label=gettext_lazy("Value"),
        widget=forms.Textarea(attrs={**MONO, "rows": 4}),
        help_text=gettext_lazy("One a line. A TXT value stands in quotation marks."),
    )

    def __init__(self, zone: str, data: Any = None, *, initial: Any = None, fixed: bool = False) -> None:
        super().__init__(data, initial=initial, label_suffix="")
        self.zone = zone
        order = ["TXT", "CNAME", *sorted(WRITABLE - {"TXT", "CNAME"})]
        choose(self, "type", [(one, one) for one in order])
        self.fields["name"].help_text = _("The part in front of .%(zone)s, or empty for the zone itself.") % {
            "zone": zone
        }
        if fixed:
            del self.fields["name"], self.fields["type"]

    def full_name(self) -> str:
        """The whole name: what was typed in front of the zone, or a whole name of the zone."""
        typed = str(self.cleaned_data.get("name", "")).strip().rstrip(".").lower()
        if not typed or typed == "@":
            return self.zone
        return typed if typed == self.zone or typed.endswith(f".{self.zone}") else f"{typed}.{self.zone}"

    def lines(self) -> tuple[str, ...]:
        text = str(self.cleaned_data["values"])
        return tuple(line.strip() for line in text.splitlines() if line.strip())


class PreflightForm(forms.Form):
    """What is to be ordered, as far as it decides what will fail."""

    domains = forms.CharField(
        label=gettext_lazy("Domain names"),
        widget=forms.Textarea(attrs={**MONO, "rows": 4, "placeholder": "www.example.com"}),
        help_text=gettext_lazy("One a line."),
    )
    brand = forms.ChoiceField(label=gettext_lazy("Certificate authority"), required=False)
    cert_type = forms.ChoiceField(label=gettext_lazy("Certificate type"), required=False)
    method = forms.ChoiceField(label=gettext_lazy("Domain verification method"))

    def __init__(self, data: Any = None, *, initial: Any = None) -> None:
        super().__init__(data, initial=initial, label_suffix="")
        book = catalogue()
        choose(self, "brand", [("", "–"), *((code, one.title) for code, one in book.brands.items())])
        choose(self, "cert_type", [(code, one.title) for code, one in book.types.items()])
        choose(
            self,
            "method",
            [
                ("DNS", _("Manual DNS verification")),
                ("AUTO", _("Automatic DNS verification")),
                ("FILE", _("File verification")),
                ("EMAIL", _("Email verification")),
            ],
        )
