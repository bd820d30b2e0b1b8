"""What happened to a certificate, newest first (§5.11)."""

from dataclasses import dataclass
from datetime import datetime

import orjson
from django.utils.translation import gettext as _

from certdesk.foundation.audit.models import Event
from certdesk.lifecycle.certificates import queries
from certdesk.lifecycle.certificates.models import Certificate

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
    words = event_words().get(event.action, event.action)
    note = str(details.get("note", ""))
    who = event.actor_name or (_("the service") if not event.actor.startswith("user:") else event.actor)
    if not event.actor.startswith("user:"):
        who = _("the applicant, by the mailed link") if event.actor.startswith("link:") else _("the service")
    text = f"{words}: {note}" if note else words
    return Happened(event.at, text, who, TONES.get(event.action, "end"))


def event_words() -> dict[str, str]:
    return {
        "certificate.bought": _("Bought"),
        "certificate.uploaded": _("Uploaded"),
        "certificate.unsubscribe": _("Unsubscription requested"),
        "certificate.unsubscription_refused": _("Unsubscription ended"),
        "scm:notification:update": _("Expiry notices switched"),
        "notices.acknowledged": _("Expiry notice acknowledged"),
        "keystore.export": _("Private key handed out"),
        "certificate.apply": _("Application submitted"),
        "certificate.domains_proved": _("Domain names verified"),
        "certificate.organization_approved": _("Organization approved"),
        "certificate.organization_rejected": _("Organization rejected"),
        "certificate.issue": _("Issued"),
        "certificate.issuer_refused": _("Refused by the CA"),
        "certificate.reopen": _("Reopened to modify and reapply"),
        "certificate.withdraw": _("Withdrawal of the application requested"),
        "certificate.withdrawal_done": _("Application withdrawn"),
        "certificate.withdrawal_refused": _("Withdrawal failed"),
        "certificate.revoke": _("Revocation requested"),
        "certificate.reissue": _("Reissue requested"),
        "certificate.reissue_confirmed": _("Reissue confirmed, the certificate of before revoked"),
        "certificate.reissue_declined": _("Reissue declined"),
        "reissue.confirmed": _("Confirmation of the reissue received"),
        "certificate.add_names": _("Addition of domain names requested"),
        "certificate.addition_issued": _("Issued with the added names"),
        "certificate.addition_refused": _("Addition refused by the CA"),
        "certificate.rollover_begun": _("Rollover begun"),
        "certificate.roll_over": _("Rolled over"),
        "certificate.rollover_failed": _("Rollover refused"),
        "certificate.revocation_confirmed": _("Revocation confirmed"),
        "certificate.revoked": _("Revoked"),
        "certificate.renewed": _("Renewed by the machine"),
        "scm:cert:autoRenew": _("Auto-renewal switched"),
        "certificate.lapse": _("Request lapsed"),
        "certificate.key_compromised": _("Its private key is known to others"),
        "scm:cert:verify": _("Verification started by hand"),
        "scm:cert:update": _("Name or description changed"),
        "scm:cert:download": _("Downloaded"),
        "application.saved": _("Application saved without submitting it"),
        "scm:privacyProtection:delete": _("Privacy authorization canceled: contact and organization deleted"),
        "scm:cert:createTag": _("Tags set"),
        "scm:cert:batchTags": _("Tags changed"),
        "organization.reused": _("Organization known already: no new check"),
        "organization.document_added": _("Document for the organization check uploaded"),
        "organization.document_read": _("Document of the organization check opened"),
        "organization.document_removed": _("Document of the organization check deleted"),
        "organization.document_cleared": _("Document deleted with the end of the application"),
        "scm:organization:decide": _("Decision of an RA officer"),
        "organization.method": _("Way of organization verification chosen"),
    }
