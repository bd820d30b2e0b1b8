"""Forms of issuers (drawn from the typed options) and of their order for a product."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from certdesk.connectors.dns.providers import options as typed
from certdesk.connectors.issuers.registry import KINDS
from certdesk.lifecycle.issuers.models import Issuer

from .common import card, choose
from .dns import MONO, PREFIX, drawn, typed_value

PLACES = 5
"""How many issuers of a product the page sets; the API takes ten."""


class IssuerForm(forms.Form):
    """What every issuer has, and the options of its kind."""

    title = forms.CharField(
        label=gettext_lazy("Name of the issuer"),
        required=False,
        max_length=64,
        help_text=gettext_lazy("How it is called on these pages. Empty: its kind."),
    )
    slug = forms.CharField(
        label=gettext_lazy("Short name"),
        max_length=19,
        help_text=gettext_lazy(
            "Small letters, digits and hyphens, e.g. lets-encrypt. The catalogue file and each certificate "
            "name the issuer by it, so it cannot be changed later."
        ),
        widget=forms.TextInput(attrs=MONO),
    )
    profile = forms.ChoiceField(label=gettext_lazy("Who trusts its certificates"), widget=forms.RadioSelect)
    weekly_limit = forms.IntegerField(
        label=gettext_lazy("Orders a week"),
        required=False,
        min_value=0,
        max_value=1_000_000,
        help_text=gettext_lazy("What this certificate authority allows us in seven days. Empty: not known."),
    )
    priority = forms.IntegerField(
        label=gettext_lazy("Place in lists"),
        required=False,
        min_value=0,
        max_value=10_000,
        initial=100,
        help_text=gettext_lazy("The smallest number stands first."),
    )
    enabled = forms.BooleanField(
        label=gettext_lazy("It gets new orders"),
        required=False,
        initial=True,
        help_text=gettext_lazy("Switched off, it finishes what it has, and still revokes."),
    )

    def __init__(self, kind: str, data: Any = None, *, issuer: Issuer | None = None) -> None:
        super().__init__(data, label_suffix="")
        self.kind = kind
        self.shown = issuer.shown if issuer is not None else None
        choose(
            self,
            "profile",
            [
                ("public", card(_("Everybody"), _("Browsers and operating systems know its root."))),
                ("private", card(_("Only where its root is installed"), _("A CA inside your organization."))),
            ],
        )
        if issuer is not None:
            del self.fields["slug"], self.fields["profile"]
            for name in ("title", "priority", "enabled"):
                self.fields[name].initial = getattr(issuer, name)
            self.fields["weekly_limit"].initial = issuer.weekly_limit or None
        for field in typed.form(KINDS[kind].options):
            self.fields[PREFIX + field.name] = drawn(field, self.shown)

    def options(self) -> dict[str, Any]:
        """What was typed, as the options model reads it; what is empty is left to its default."""
        fields = typed.form(KINDS[self.kind].options)
        found = {one.name: typed_value(one, self.cleaned_data, self.shown) for one in fields}
        return {name: value for name, value in found.items() if value is not None}

    def values(self) -> dict[str, Any]:
        """What every issuer has; an empty number is its usual one."""
        given = self.cleaned_data
        usual = {"weekly_limit": 0, "priority": 100}
        names = ("title", "slug", "profile", "weekly_limit", "priority", "enabled")
        return {
            name: usual[name] if given[name] is None else given[name] for name in names if name in self.fields
        }


class OrderForm(forms.Form):
    """Who serves a product: first, second, and so on."""

    also = forms.ChoiceField(label=gettext_lazy("For which products"), widget=forms.RadioSelect)

    def __init__(
        self,
        issuers: list[tuple[str, str]],
        order: tuple[str, ...],
        also: list[tuple[str, str]],
        data: Any = None,
    ) -> None:
        super().__init__(data, label_suffix="", initial={"also": "one"})
        choose(self, "also", also)
        words = [_("First"), _("Then"), *[_("Then, if that one cannot either")] * (PLACES - 2)]
        for number in range(PLACES):
            self.fields[f"place{number}"] = forms.ChoiceField(
                label=words[number],
                required=False,
                choices=[("", _("nobody")), *issuers],
                initial=order[number] if number < len(order) else "",
            )
        self.order_fields([*(f"place{number}" for number in range(PLACES)), "also"])

    def order(self) -> list[str]:
        """The slugs in their order, empty places left out."""
        found = [self.cleaned_data[f"place{number}"] for number in range(PLACES)]
        return [one for one in found if one]
