"""The state table's words, marked for translation: they live in a room that knows no language.

A test keeps this list equal to the table (`lifecycle/certificates/states.py`).
"""

from django.utils.translation import gettext_noop as _

TITLES = (
    _("Pending application"),
    _("Pending domain name verification"),
    _("Pending organization verification"),
    _("To be issued"),
    _("Issued"),
    _("Approval failed"),
    _("CA verifying (domain name addition)"),
    _("CA verifying (application withdrawal)"),
    _("CA verifying (revocation)"),
    _("CA verifying revocation (pending domain name verification)"),
    _("CA verifying (reissue)"),
    _("Unsubscribing (under review)"),
    _("Revoked"),
    _("Hosted"),
    _("Expired"),
    _("Deleted"),
)
