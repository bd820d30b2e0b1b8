"""Further versions of an issued certificate: rollovers, reissues, added names."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("The period that was paid for ended on %(moment)s UTC."),
    _("Nothing was issued yet, so its validity has not begun."),
    _("Finish the application first."),
    _("This certificate was not issued here, so there is no application to go on from."),
    _("The organization details of this certificate were deleted with the privacy authorization."),
    _("Buy a new certificate and enter them there."),
    _("Only a certificate that was issued here and is in force gets a further version."),
)
