"""What is odd about the chain of an uploaded certificate."""

from datetime import datetime

from django.utils.translation import gettext as _

from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates import uploading
from certdesk.lifecycle.certificates.models import Certificate


def findings(certificate: Certificate, now: datetime) -> list[str]:
    """What is odd about an uploaded chain, with the certificate's place where it is not the first."""
    if certificate.source != "UPLOADED":
        return []
    return [
        say(one.sentence)
        if one.place == 1
        else _("Certificate %(place)d of the chain: %(sentence)s")
        % {"place": one.place, "sentence": say(one.sentence)}
        for one in uploading.findings_of(certificate, now)
    ]
