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
    _("The email address %(fault)s."),
    _("Enter one that you can read."),
    _("It was uploaded, so only the CA that issued it can change it."),
    _("A multi-domain certificate is not reissued; names are added to it instead."),
    _("Names are added to multi-domain certificates only; others can be reissued for another name."),
    _("All domain names that were bought are in the certificate already."),
    _("Its CA reissues within %(days)s days after the first issuance; they are over."),
    _("Buy another certificate, or add names where it takes several."),
    _("Buy another certificate for the other names."),
    _("No domain name to add was given."),
    _("Enter one or more, one per line."),
    _("%(name)s is in the certificate already."),
    _("Leave it out."),
    _("No reissue of this certificate waits for a confirmation."),
    _("Decline this reissue, then ask for another one."),
    _("The reissue was not confirmed within 30 days, so the certificate stays as it is."),
    _("The certificate expired before its reissue was confirmed."),
    _("The certificate expired before the added names were issued."),
)
