"""Prices, orders and what pays them."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("The balance is too small: %(needed)s needed, %(there)s there."),
    _("Have the account credited, then pay the order again."),
    _("There is no certificate %(id)s."),
    _("Check the id in the list of certificates."),
    _("There is no order %(id)s."),
    _("Check the id in the list of orders."),
    _("You have decided about this organization already."),
    _("You applied for this certificate, so you may not decide about its organization."),
    _("Ask another RA officer."),
    _("An EV certificate needs a second, different officer."),
    _(
        "You may not decide: your user belongs to the person who applied, or one of the two was made "
        "or given its rights by the other."
    ),
    _(
        "Ask an RA officer whom the applicant did not appoint; an operator can make one with "
        "`./certdesk user create --groups officers`."
    ),
    _("There is an account %(name)s already."),
    _("The catalogue has no %(kind)s price of %(product)s."),
    _("The catalogue has no prices in %(currency)s."),
    _("The %(file)s cannot be used. %(place)s: %(fault)s."),
    _("catalogue"),
    _("file of working days"),
    _("Correct the file that %(setting)s names, then start again."),
    _("The catalogue has no %(type)s of %(brand)s with domain type %(domain_type)s."),
    _("The catalogue has no free %(type)s of %(brand)s with domain type %(domain_type)s."),
    _("%(product)s cannot be bought: no issuer is configured for %(brand)s."),
    _("no issuer is configured for %(brand)s."),
    _("There is no price in %(currency)s."),
    _("The catalogue has prices in: %(list)s."),
    _("no currency"),
    _("%(name)s %(value)s is not in the catalogue."),
    _("There is no enterprise project %(project)s that takes new certificates."),
    _("There is no enterprise project %(project)s."),
    _("Order %(order)s has just been paid or cancelled by another request."),
    _(
        "This account has already had its %(quota)s free certificates; deleted, revoked and failed "
        "ones count too."
    ),
    _("The %(means)s has just been used by another request."),
    _("voucher"),
    _("coupon"),
    _("balance"),
    _("%(code)s is no code of a coupon."),
    _("%(percent)s is no percentage of a discount."),
    _("The note has %(count)s characters; at most %(most)s are allowed."),
    _("This account has a coupon %(code)s already."),
    _("A credit with the reference %(reference)s is booked already."),
    _("There is no coupon %(code)s."),
    _("There is no voucher %(voucher)s."),
    _("%(text)s is not an amount with at most %(digits)s digits after the point."),
    _("Voucher %(voucher)s has expired."),
    _("Voucher %(voucher)s is in %(theirs)s, the order in %(ours)s."),
    _("Voucher %(voucher)s is used up."),
    _("Coupon %(code)s was used for another order."),
    _("Coupon %(code)s has expired."),
    _("Coupon %(code)s is for orders in %(theirs)s, this one is in %(ours)s."),
    _("Coupon %(code)s is for orders of %(least)s and more."),
    _("Nothing was paid for %(item)s."),
    _("Order %(order)s is not paid."),
    _("There is no expansion package %(package)s."),
    _(
        "This account is marked as a special enterprise: it cannot buy %(type)s certificates, whose "
        "organization check needs a unified social credit code."
    ),
    _("effective_time %(years)s is not offered for this product."),
    _("Use a number of years out of: %(list)s."),
    _("%(name)s is %(value)s, but it must be %(allowed)s."),
    _("Send %(allowed)s."),
    _(
        "domain_numbers is %(number)s, but one primary name, %(single)s plain and %(wildcard)s "
        "wildcard names make %(sum)s."
    ),
    _("primary_domain_type %(type)s is unknown."),
    _("Use %(one)s or %(other)s."),
    _("A multi-domain certificate of type %(type)s cannot hold wildcard names."),
    _("Order %(order)s is paid already."),
    _("Order %(order)s was cancelled, or closed by itself after 24 hours."),
    _("Order %(order)s was paid and refunded."),
    _("is paid already"),
    _("was cancelled, or closed by itself after 24 hours"),
    _("was paid and refunded"),
    _("Order %(order)s %(what)s."),
    _("payment_method %(method)s is unknown."),
    _("status %(status)s is unknown."),
    _("There is no product %(product)s."),
    _("There is no product %(product)s with a price."),
    _("There is no project %(project)s."),
)
