"""What the probe saw beyond a plain verdict (connectors/probe, handshake, starttls)."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("the new certificate, but those above it are sent in the wrong order."),
    _("still the previous certificate, but for clients that take the new one's kind of key alone."),
    _("the new certificate, but clients that take another kind of key still get the previous one."),
    _("serial %(number)s, valid until %(when)s UTC"),
    _("serial %(number)s, valid until %(when)s UTC, signed by itself"),
    _("it speaks %(version)s at best, which clients refuse"),
    _("it speaks an old version of TLS alone, which clients refuse"),
    _("it speaks another version of TLS alone, which clients refuse"),
    _("it does not know this name"),
    _("it does not speak TLS here"),
    _("it sends more certificates than clients take"),
    _("it has no certificate or cipher for such a client"),
    _("it does not hold the key of the certificate that it shows"),
    _("what it shows as a certificate cannot be read"),
    _("no server can be asked for this name"),
    _("it wants a certificate of the client"),
    _("%(text)s is no protocol; known are %(protocols)s."),
    _("a message without an end"),
)
