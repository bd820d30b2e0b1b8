"""ACME: credentials, and what looks at challenges saw."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("There is no such ACME credential."),
    _("Look for it on the ACME page."),
    _("The name of an ACME credential has at most %(most)s characters."),
    _("A credential is limited to at most %(most)s names."),
    _("Use *.example.com for everything below example.com."),
    _("The account has %(most)s ACME credentials already."),
    _("Delete one that is not needed any more."),
    _("Certificate types go with a brand of the catalogue."),
    _("Give the brand as issuer, or leave the types out."),
    _("The brand %(text)s is not in the catalogue."),
    _("Use one of: %(text)s; or none for the built-in CA."),
    _("An ACME credential for a brand needs the certificate types that it may ask for."),
    _("Use one or more of: %(text)s."),
    _("The quota of an ACME credential is 1 to %(most)s certificates."),
    _("Leave it out for any number."),
    _("Built-in CA"),
    _('%(url)s answered with other text, beginning "%(text)s".'),
    _("%(where)s shows the certificate of the challenge."),
    _("does not mark the extension of the challenge critical"),
    _("is not for this name alone"),
    _("holds another key authorization"),
    _("%(url)s answered status %(status)s."),
    _("%(url)s has the key authorization."),
    _("%(where)s does not speak %(protocol)s."),
    _("The certificate of %(where)s %(fault)s."),
    _("lacks the extension %(oid)s"),
    _("No TLS connection to %(where)s: %(text)s."),
)
