"""The purchase page's form and the statement of the confirmation page."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from certdesk.interfaces.words.say import say
from certdesk.lifecycle.catalogue.rules import Catalogue, CertificateType, DomainType, Product
from certdesk.lifecycle.issuers.queries import offered_all
from certdesk.lifecycle.orders.rules import MOST_CERTIFICATES, BuyRequest

from .common import choose

FREE = "FREE"
"""The choice among the types that stands for the free product."""
RENAMED = {"single_domain_number": "domain_numbers"}


class BuyForm(forms.Form):
    """Domain type, quantity, type, authority, period, number (ORD-2)."""

    domain_type = forms.ChoiceField(label=gettext_lazy("Domain type"), widget=forms.RadioSelect)
    domain_numbers = forms.IntegerField(
        label=gettext_lazy("Domain quantity"),
        min_value=2,
        max_value=250,
        required=False,
        help_text=gettext_lazy("2 to 250 names in all. Names can be added later, up to this quantity."),
    )
    primary_domain_type = forms.ChoiceField(
        label=gettext_lazy("Primary domain name"),
        required=False,
        choices=(
            ("SINGLE_DOMAIN", gettext_lazy("A plain name")),
            ("WILDCARD_DOMAIN", gettext_lazy("A wildcard name (OV and OV Pro)")),
        ),
    )
    wildcard_domain_number = forms.IntegerField(
        label=gettext_lazy("Additional wildcard names"),
        min_value=0,
        max_value=249,
        required=False,
        help_text=gettext_lazy("Of the quantity above; only OV and OV Pro may hold wildcard names."),
    )
    cert_type = forms.ChoiceField(label=gettext_lazy("Certificate type"), widget=forms.RadioSelect)
    cert_brand = forms.ChoiceField(label=gettext_lazy("Certificate authority"), widget=forms.RadioSelect)
    effective_time = forms.TypedChoiceField(
        label=gettext_lazy("Validity period"),
        coerce=int,
        help_text=gettext_lazy(
            "Counted from the time the certificate is issued. After expiry a new one must be bought."
        ),
    )
    order_number = forms.IntegerField(
        label=gettext_lazy("Quantity"), min_value=1, max_value=MOST_CERTIFICATES, initial=1
    )

    def __init__(self, book: Catalogue, data: Any = None, *, initial: Any = None) -> None:
        super().__init__(data, initial=initial, label_suffix="")
        self.book = book
        lines = offered_all(book.products)
        self.free = next((one for one in lines if one.free and one.available), None)
        choices: dict[str, list[tuple[Any, Any]]] = {
            "domain_type": _domain_types(),
            "cert_type": _types(book, self.free),
            "cert_brand": _brands(book, lines),
            "effective_time": _years(book),
        }
        for name, found in choices.items():
            choose(self, name, found)

    def request(self) -> BuyRequest:
        """What was asked; the statement comes on the next page."""
        given = self.cleaned_data
        free = self.free if given["cert_type"] == FREE else None
        is_multi = given["domain_type"] == DomainType.MULTI
        return BuyRequest(
            cert_brand=free.brand if free else given["cert_brand"],
            cert_type=free.type if free else given["cert_type"],
            domain_type=given["domain_type"],
            domain_numbers=(given["domain_numbers"] or 0) if is_multi else 1,
            effective_time=given["effective_time"],
            order_number=given["order_number"],
            agree_privacy_protection=None,
            primary_domain_type=(given["primary_domain_type"] or "SINGLE_DOMAIN")
            if is_multi
            else "SINGLE_DOMAIN",
            wildcard_domain_number=(given["wildcard_domain_number"] or 0) if is_multi else None,
            free=free is not None,
        )


class PayForm(forms.Form):
    """The confirmation page: statement, and what pays: coupon, vouchers, account balance (ORD-2)."""

    coupon_code = forms.ChoiceField(
        label=gettext_lazy("Discount coupon"),
        required=False,
        help_text=gettext_lazy("One coupon an order, and one order a coupon."),
    )
    voucher_ids = forms.MultipleChoiceField(
        label=gettext_lazy("Vouchers"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Used before the balance; what is left of a voucher stays for another order."),
    )
    payment_method = forms.ChoiceField(
        label=gettext_lazy("The rest is paid by"), widget=forms.RadioSelect, initial="BALANCE"
    )
    agree_privacy_protection = forms.BooleanField(
        label=gettext_lazy("I have read and agree to the Cloud Certificate Manager Statement"),
        error_messages={
            "required": gettext_lazy(
                "The Cloud Certificate Manager Statement has not been accepted. "
                "Read it and tick the box to pay."
            )
        },
    )

    def __init__(
        self,
        balance: str,
        data: Any = None,
        *,
        vouchers: Sequence[tuple[str, Any]] = (),
        coupons: Sequence[tuple[str, str]] = (),
        initial: Any = None,
    ) -> None:
        super().__init__(data, initial=initial, label_suffix="")
        note = _("Available: %(amount)s") % {"amount": balance} if balance else ""
        choose(self, "payment_method", [("BALANCE", _choice(_("Account balance"), note))])
        for name, found in (("voucher_ids", vouchers), ("coupon_code", coupons)):
            if found:
                none = [("", _("No coupon"))] if name == "coupon_code" else []
                choose(self, name, [*none, *found])
            else:
                del self.fields[name]


def _choice(title: str, *notes: str) -> SafeString:
    """A choice card: a title in bold and what it means under it."""
    text = format_html("<b>{}</b>", title)
    for note in notes:
        if note:
            text += format_html('<span class="cd-soft cd-small cd-choice-note">{}</span>', note)
    return text


def _domain_types() -> list[tuple[str, SafeString]]:
    return [
        ("SINGLE_DOMAIN", _choice(_("Single domain"), _("One name, for example www.example.com."))),
        ("MULTI_DOMAIN", _choice(_("Multiple domains"), _("2 to 250 names in one certificate."))),
        (
            "WILDCARD",
            _choice(
                _("Wildcard"),
                _("*.example.com: every name one level below, a.example.com but not a.a.example.com."),
            ),
        ),
    ]


def _types(book: Catalogue, free: Product | None) -> list[tuple[str, SafeString]]:
    found = [(one.code, _choice(_(one.title), *_meaning(one))) for one in book.types.values()]
    if free is not None:
        months = free.validity_months[0]
        note = ngettext(
            "%(type)s of %(brand)s, single domain, %(months)d month.",
            "%(type)s of %(brand)s, single domain, %(months)d months.",
            months,
        ) % {"type": free.type_title, "brand": free.brand_title, "months": months}
        found.insert(0, (FREE, _choice(_("Free test certificate"), note)))
    return found


def _meaning(found: CertificateType) -> tuple[str, ...]:
    """CAT-5: scenario, verification, security level, approval period."""
    level = _("Security: %(level)s. Approval: %(period)s.") % {
        "level": _(found.security),
        "period": _(found.approval),
    }
    return _(found.scenario), _(found.verification), level


def _brands(book: Catalogue, lines: Sequence[Product]) -> list[tuple[str, SafeString]]:
    sold = {one.brand for one in lines if one.available}
    reasons = {one.brand: one.reason for one in reversed(lines) if one.reason}
    return [
        (
            brand.code,
            _choice(
                brand.title,
                _("Issued by: %(issuer)s") % {"issuer": _(brand.issuer_title)}
                if brand.code in sold
                else _("Cannot be bought: %(reason)s") % {"reason": say(reasons.get(brand.code, ""))},
            ),
        )
        for brand in book.brands.values()
    ]


def _years(book: Catalogue) -> list[tuple[int, str]]:
    months = sorted({one for product in book.products if not product.free for one in product.validity_months})
    return [(one, years(one)) for one in [one // 12 for one in months if one >= 12] or [1]]


def years(count: int) -> str:
    """`1 year`."""
    return ngettext("%(count)d year", "%(count)d years", count) % {"count": count}
