"""Revocation."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("It was uploaded, so only the CA that issued it can revoke it."),
    _("A certificate is not revoked within one month before it expires, unless its key is compromised."),
    _("The revocation was not confirmed within 30 days, so the certificate stays in force."),
    _("The certificate expired before its revocation was confirmed."),
    _("Its private key is known to others."),
    _("There is no reason %(text)s."),
    _("Give one of %(list)s."),
    _("The reason has %(count)s characters; at most %(most)s are kept."),
    _("Say it shorter."),
    _("A proof of key compromise goes with the reason KEY_COMPROMISE alone."),
    _("Give that reason, or leave the proof out."),
    _("No revocation of this certificate waits for a confirmation."),
    _("Open the certificate to see how it stands."),
    _("The built-in CA never issued a certificate with this serial."),
    _("Look for it in the list of certificates."),
    _("The proof of key compromise %(fault)s."),
    _("has %(count)s characters; at most %(most)s are read"),
    _("is for another key than the certificate's"),
    _("is not signed with its key"),
    _("has another common name than %(words)s"),
    _("cannot be read"),
    _("is no CSR"),
    _("is not one CSR in PEM"),
    _('Make it with: openssl req -new -key server.key -subj "/CN=%(words)s"'),
)
