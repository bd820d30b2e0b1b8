"""The switches of a certificate's expiry notices."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import EXPIRING, State
from certdesk.lifecycle.notifications import queries as notices
from certdesk.lifecycle.notifications.rules import NoticeType


@dataclass(frozen=True, slots=True)
class Switch:
    """One kind of expiry notices."""

    kind: str
    label: str
    on: bool


def switches(certificate: Certificate, state: State) -> list[Switch]:
    """The expiry notices of a certificate in force; nothing to switch for the others."""
    if state not in EXPIRING:
        return []
    on = notices.switched_on(certificate.id)
    words = {
        NoticeType.EXPIRING: _("Before it expires"),
        NoticeType.EXPIRED: _("When it has expired"),
    }
    return [Switch(kind.value, label, kind in on) for kind, label in words.items()]
