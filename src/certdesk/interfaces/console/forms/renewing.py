"""The renewal form (§5.3)."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from certdesk.lifecycle.catalogue.rules import Product

from .buying import years
from .common import choose


class RenewForm(forms.Form):
    """For how long; everything else is that of the old certificate (REN-3)."""

    effective_time = forms.TypedChoiceField(label=gettext_lazy("Validity period"), coerce=int)

    def __init__(self, product: Product, data: Any = None, *, initial: int) -> None:
        super().__init__(data, initial={"effective_time": initial}, label_suffix="")
        choose(self, "effective_time", [(count, years(count)) for count in offered(product)])


def offered(product: Product) -> list[int]:
    """Years that the product is sold for."""
    return [months // 12 for months in product.validity_months]
