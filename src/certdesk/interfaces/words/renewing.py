"""Renewal."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("It was not bought here, so it cannot be renewed: buy a certificate instead."),
    _("A certificate can be renewed in the last 30 days before its paid period ends."),
    _("Wait until then, or buy another certificate now."),
    _("A certificate that is '%(state)s' cannot be renewed."),
    _("Possible only in the last 30 days before it expires; buy a new certificate instead."),
    _("The company name cannot be changed when a certificate is renewed."),
    _(
        "Enter it as it stands in the renewed certificate: %(name)s. "
        "For another company buy a new certificate."
    ),
)
