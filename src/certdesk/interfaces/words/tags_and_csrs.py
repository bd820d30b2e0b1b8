"""Tags and CSR management (lifecycle/certificates: tag_rules, csr_rules; pki/x509/private_keys)."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("The tag key %(key)s has the character %(sign)s, which is not allowed."),
    _("The tag value %(value)s has the character %(sign)s, which is not allowed."),
    _("The tag key %(key)s starts with _sys_, which is kept for the system."),
    _("The certificate would have %(count)s tags; at most %(most)s are allowed."),
    _("The CSR has %(count)s characters; at most %(most)s are allowed."),
    _("Ask for fewer names, or take a shorter key."),
    _("The private key text has %(count)s characters; at most %(most)s are read."),
    _("Use one of: %(some)s."),
)
