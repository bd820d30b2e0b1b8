"""Renewing a certificate: what is bought, what it costs, how long it will be valid (§5.3)."""

from datetime import datetime
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.interfaces.words.say import both
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates import endings
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.renewal import actions, queries, rules
from certdesk.lifecycle.renewal.rules import Outlook, Wish

from ..forms.common import put
from ..forms.renewing import RenewForm, offered
from ..templatetags.certdesk_ui import moment
from . import buying, detail, rows
from .cards import facts
from .cards.facts import Fact
from .page import alert, back_to, page, tell

SUBSCRIBE, PAY, AUTO = "scm:cert:subscribe", "bss:order:pay", "scm:cert:autoRenew"


@page(SUBSCRIBE, post=SUBSCRIBE)
def renew(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """*Buy Now* makes an unpaid order; statement and payment are on the next page (ORD-2)."""
    principal.require(PAY)
    now = clock.now()
    try:
        old = actions.fetch_renewable(principal, certificate_id, now)
    except WrongState as error:
        alert(request, error)
        return back_to("certificate", certificate_id)
    product = applications.product_of(old)
    form = _form(request, old, product)
    if request.method == "POST" and form.is_valid():
        try:
            wish = Wish(form.cleaned_data["effective_time"], None)
            made = actions.renew(principal, certificate_id, wish, now, auto_pay=False)
            return back_to("confirm-order", made.order.order_id)
        except CertdeskError as error:
            put(form, error)
    context = {
        "title": _("Renew certificate"),
        "form": form,
        "name": old.domain or old.name,
        "facts": _facts(old),
        "outlook": _words(old, product, _months(form), now),
        "price": _price(principal, old, _months(form) // 12),
        "renewals": queries.renewals_shown(principal, old),
        "needs_company": product.needs_organization,
        "buy_other": rows.successor(old, urgent=False, small=True).url,
        "steps": buying.path_of("choose"),
        "private_ca_matters": True,
        **detail.crumbs(old),
    }
    return render(request, "console/renew.html", context, status=422 if form.errors else 200)


def _form(request: HttpRequest, old: Certificate, product: Product) -> RenewForm:
    usual = old.validity_months // 12
    asked = request.GET.get("effective_time", "")
    chosen = int(asked) if asked.isdecimal() and len(asked) < 3 else usual
    data = request.POST if request.method == "POST" else None
    return RenewForm(product, data, initial=chosen if chosen in offered(product) else offered(product)[0])


def _months(form: RenewForm) -> int:
    chosen = str(form["effective_time"].value())
    known = {str(value): 12 * int(value) for value, _label in form.fields["effective_time"].choices}  # type: ignore[attr-defined]
    return known.get(chosen) or next(iter(known.values()))


def _facts(old: Certificate) -> list[Fact]:
    return [
        Fact(_("Renews"), old.name, reverse("certificate", args=[old.id])),
        Fact(_("Primary domain name"), old.domain),
        Fact(_("Product"), rows.kind(old.brand, old.type, old.domain_type, old.source, old.free)),
        Fact(_("Domain quantity"), facts.quota(old)),
        Fact(_("It expires"), moment(old.not_after)),
        Fact(_("Paid until"), facts.paid_until(old)),
    ]


def _words(old: Certificate, product: Product, months: int, now: datetime) -> list[str]:
    """REN-5 in words, with the dates that an issuance today would give."""
    longest = catalogue().max_validity_days(product.profile, now.date())
    found = rules.outlook(endings.paid_end(old), months, longest, now)
    said = [_carried(found), _kept()]
    return said if not found.rolls_over else [*said, _rolling(longest)]


def _carried(found: Outlook) -> str:
    days = ngettext("%(count)d day", "%(count)d days", found.days) % {"count": found.days}
    return _(
        "The period that you buy, and what is left of the old certificate on the day of issuance: "
        "issued today, %(days)s more, so it is paid until %(date)s."
    ) % {"days": days, "date": date_format(found.until, _("j M Y"))}


def _kept() -> str:
    return _(
        "That holds while certificate authority, type, domain type, quantity and primary domain name stay "
        "the same. With another primary domain name it is the bought period alone."
    )


def _rolling(longest: int) -> str:
    return _(
        "Certificates of this issuer last at most %(days)d days, so within the paid period it is replaced "
        "by newer ones, without charge."
    ) % {"days": longest}


def _price(principal: Principal, old: Certificate, years: int) -> dict[str, Any]:
    asked = rules.request(old, Wish(years, True))
    body = {
        name: getattr(asked, name)
        for name in (
            "cert_brand",
            "cert_type",
            "domain_type",
            "domain_numbers",
            "effective_time",
            "primary_domain_type",
            "single_domain_number",
            "wildcard_domain_number",
        )
    }
    try:
        return cast(dict[str, Any], call("catalogue.price", principal, body=body)[1])
    except CertdeskError as error:
        return {"available": False, "reason": both(error)}


@page("", post=AUTO)
def auto(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """The switch on the certificate's page (REN-7)."""
    body = {"enabled": request.POST.get("on") == "1", "deploy": request.POST.get("deploy", "1") == "1"}
    try:
        call("certificates.set_auto_renewal", principal, certificate_id=certificate_id, body=body)
        words = _("Auto-renewal is on.") if body["enabled"] else _("Auto-renewal is off.")
        tell(request, words, "certificate.auto_renewal")
    except WrongState as error:
        alert(request, error)
    return back_to("certificate", certificate_id)
