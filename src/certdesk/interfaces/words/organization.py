"""Verification of organizations: documents, links, officers."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("The file is empty."),
    _("Choose another file."),
    _("The file is larger than %(size)s MiB."),
    _("Save it with a lower resolution, or in several files."),
    _("The file is neither PDF, PNG nor JPEG; its first bytes say so, whatever its name is."),
    _("Save the document as PDF, or take a picture of it as PNG or JPEG."),
    _("There are %(count)s documents already, which is the most."),
    _("Remove one that the officer does not need."),
    _("This document is there already."),
    _("Choose another one."),
    _("No file was chosen."),
    _("Choose a PDF, PNG or JPEG file."),
    _("An officer has decided with this document before him, so it stays until the end."),
    _("It goes by itself when the application ends."),
    _("This link is not one of ours, or it was cut off."),
    _("Copy the whole address from the mail, or sign in and open the certificate."),
    _("The organization has been decided about, so there is nothing to choose any more."),
    _("Sign in and open the certificate to see how it stands."),
    _("This link has expired: it is good for 30 days."),
    _("Sign in and open the certificate: the way of verification can be chosen there too."),
)
