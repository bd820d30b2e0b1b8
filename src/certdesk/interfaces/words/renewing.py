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
    _("The balance of the account is too small to buy the renewal."),
    _("Have the account credited; it is tried again by itself."),
    _("The contact or organization details of its application are gone, so nobody can apply for it again."),
    _("Renew it by hand and enter them there."),
    _("Whoever switched the auto-renewal on may not buy, apply or deploy any more."),
    _("Let somebody with these rights switch it on again."),
    _("Its product is not sold any more."),
    _("Buy another certificate."),
    _("No DNS connection of the account covers its names, so control of them cannot be proved by itself."),
    _("Connect the DNS provider, or set the records by hand."),
    _("Control of its names is not proved yet."),
    _("Look at the page of the proofs: it says what was seen."),
    _("An RA officer checks the organization."),
    _("Wait for the decision."),
    _("A CAA record does not permit the CA."),
    _("Change the CAA record of the domain."),
    _("The issuer does not answer."),
    _("It is asked again by itself."),
    _("The issuer refused it."),
    _("Read the reason on its page."),
    _("It is issued, but could not be deployed everywhere where the old one is served."),
    _("Look at the deployment; it is tried again by itself."),
    _("The service does not know where it is served, or does not have its key."),
    _("Once the new one is issued, download it and install it."),
    _("Something else is under way with it."),
    _("It is tried again by itself."),
    _("A certificate that is '%(state)s' cannot renew itself."),
    _("Possible only while it is Issued."),
    _("by %(text)s is unknown."),
    _("Use MACHINE, CLIENT or PERSON."),
)
