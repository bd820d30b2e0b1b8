"""Certificate authorities outside the house and the connectors to them."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("The options of the certificate authority are wrong: %(detail)s."),
    _("%(kind)s is no kind of certificate authority."),
)
