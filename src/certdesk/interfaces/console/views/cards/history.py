"""What happened to a certificate, newest first (§5.11)."""

from dataclasses import dataclass
from datetime import datetime

import orjson
from django.utils.translation import gettext as _

from certdesk.foundation.audit.models import Event
from certdesk.lifecycle.certificates import queries
from certdesk.lifecycle.certificates.models import Certificate

from .. import audit_words

EVENTS = 30


TONES = {
    "certificate.issue": "good",
    "certificate.uploaded": "good",
    "certificate.unsubscription_refused": "bad",
    "certificate.organization_rejected": "bad",
    "certificate.issuer_refused": "bad",
    "certificate.withdrawal_refused": "bad",
    "certificate.apply": "wait",
    "certificate.domains_proved": "good",
    "certificate.revoke": "wait",
    "certificate.reissue": "wait",
    "certificate.add_names": "wait",
    "certificate.addition_issued": "good",
    "certificate.roll_over": "good",
    "certificate.addition_refused": "bad",
    "certificate.rollover_failed": "bad",
    "certificate.lapse": "bad",
    "certificate.key_compromised": "bad",
    "certificate.organization_approved": "good",
}


@dataclass(frozen=True, slots=True)
class Happened:
    at: datetime
    text: str
    who: str
    tone: str = "end"
    url: str = ""


def history(certificate: Certificate) -> list[Happened]:
    """The last events, newest first; the purchase, which stands on the order, closes the list."""
    found = list(queries.events(certificate)[:EVENTS])
    events = [happened(one) for one in found]
    told = certificate.source == "UPLOADED" or any(one.action == "certificate.bought" for one in found)
    if len(events) < EVENTS and not told:
        events.append(Happened(certificate.created_at, _("Bought"), ""))
    return events


def happened(event: Event) -> Happened:
    """An audit event in words (§5.11)."""
    details = orjson.loads(event.details or "{}")
    words = audit_words.words(event.action)
    note = str(details.get("note", ""))
    who = event.actor_name or (_("the service") if not event.actor.startswith("user:") else event.actor)
    if not event.actor.startswith("user:"):
        who = _("the applicant, by the mailed link") if event.actor.startswith("link:") else _("the service")
    text = f"{words}: {note}" if note else words
    return Happened(event.at, text, who, TONES.get(event.action, "end"))
