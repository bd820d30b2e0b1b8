"""The operator's forms: top-up, voucher, coupon, price."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .common import choose

DAY = {"type": "date"}


class _MoneyForm(forms.Form):
    amount = forms.CharField(
        label=gettext_lazy("Amount"), max_length=24, widget=forms.TextInput(attrs={"inputmode": "decimal"})
    )
    currency = forms.ChoiceField(label=gettext_lazy("Currency"))

    def __init__(self, currencies: Iterable[str], usual: str, data: Any = None) -> None:
        super().__init__(data, label_suffix="", initial={"currency": usual}, auto_id=self.ids())
        choose(self, "currency", [(code, code) for code in currencies])

    def ids(self) -> str:
        """Ids differ where two of these forms stand on one page."""
        return f"id_{type(self).__name__}_%s"


class FlagsForm(forms.Form):
    """Who stands behind an account."""

    real_name_verified = forms.BooleanField(
        label=gettext_lazy("Real-name authentication passed"),
        required=False,
        help_text=gettext_lazy("Without it the account can buy, but not apply for certificates."),
    )
    special_enterprise = forms.BooleanField(
        label=gettext_lazy("Special enterprise"),
        required=False,
        help_text=gettext_lazy(
            "It has no unified social credit code, so it can neither buy nor apply for "
            "OV and EV certificates."
        ),
    )


class CreditForm(_MoneyForm):
    reference = forms.CharField(
        label=gettext_lazy("Payment reference"),
        required=False,
        max_length=64,
        help_text=gettext_lazy("For example the number of the bank transfer; the same one is booked once."),
    )


class _GrantForm(_MoneyForm):
    expires_at = forms.CharField(
        label=gettext_lazy("Last day"),
        widget=forms.DateInput(attrs=DAY),
        help_text=gettext_lazy("Until its end, UTC."),
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=100,
        help_text=gettext_lazy("The buyer reads it."),
    )


class VoucherForm(_GrantForm):
    """A voucher has no more than that."""


class CouponForm(_GrantForm):
    field_order = ("code", "kind", "amount", "currency", "minimum", "expires_at", "note")
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=32,
        help_text=gettext_lazy("3 to 32 capital letters, digits and hyphens."),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Discount"),
        choices=(("percent", gettext_lazy("Percent of the order")), ("amount", gettext_lazy("An amount"))),
    )
    minimum = forms.CharField(
        label=gettext_lazy("Least amount of the order"),
        required=False,
        max_length=24,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )

    def __init__(self, currencies: Iterable[str], usual: str, data: Any = None) -> None:
        super().__init__(currencies, usual, data)
        self.fields["amount"].label = _("Percent or amount")

    def body(self) -> dict[str, Any]:
        """As the API takes it: a percentage or an amount."""
        given = dict(self.cleaned_data)
        value = given.pop("amount").strip()
        if given.pop("kind") == "percent":
            return given | {"percent": int(value)}
        return given | {"amount": value}

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        text = str(given.get("amount", "")).strip()
        if given.get("kind") == "percent" and not (text.isascii() and text.isdigit() and len(text) < 4):
            self.add_error("amount", _("Write a percentage as a whole number, for example 10."))
        return given


class PriceForm(forms.Form):
    """One unit price from a day on."""

    price = forms.ChoiceField(label=gettext_lazy("Which price"))
    amount = forms.CharField(
        label=gettext_lazy("New price"),
        required=False,
        max_length=24,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text=gettext_lazy("For one name and one year. Empty: the catalogue file's price counts again."),
    )
    since = forms.CharField(
        label=gettext_lazy("Counts from"),
        widget=forms.DateInput(attrs=DAY),
        help_text=gettext_lazy("From the beginning of that day, UTC; today means at once."),
    )

    def __init__(self, prices: Iterable[tuple[str, str]], today: str, data: Any = None) -> None:
        super().__init__(data, label_suffix="", initial={"since": today})
        choose(self, "price", prices)
