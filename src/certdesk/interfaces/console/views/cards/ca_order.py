"""The order at a CA outside, as the certificate's page shows it: who acts, what to set up, what was said."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates import rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance import by_hand, outside_info
from certdesk.lifecycle.issuance.outside_info import OrderInfo
from certdesk.lifecycle.issuance.outside_rules import Kept, open_names

from ...next_steps import Callout


@dataclass(frozen=True, slots=True)
class Reason:
    title: str
    taken: bool
    why: str


def card(principal: Principal, certificate: Certificate) -> dict[str, Any]:
    """For `console/_ca_order.html`; empty where the certificate was never ordered outside."""
    info = outside_info.order_info(certificate)
    if info is None:
        return {}
    officer = principal.may(by_hand.RIGHT, rules.resource_of(certificate))
    return {
        "ca_order": info,
        "ca_state": state_text(info.state),
        "ca_who": who_text(info.who),
        "ca_records": [_record(one) for one in _shown(info)],
        "ca_reasons": [Reason(title, taken, say(why)) for title, taken, why in info.reasons],
        "ca_answer": reverse("ca-answer", args=[certificate.id]) if officer and info.awaits_officer else "",
        "ca_revoking": info.revokes,
    }


def callout(info: OrderInfo, since: str) -> Callout | None:
    """What happens next, where it is not the CA alone that is waited for."""
    if info.who == "you":
        return Callout(
            _("What happens next: set up what the CA wants to see."),
            _("It stands below. We look every few minutes and tell the CA as soon as it is seen."),
            _("You, or whoever manages the domain's DNS"),
            "you",
        )
    if info.who == "officer":
        return Callout(
            _("What happens next: an officer orders it at the CA."),
            _("The officer takes the CSR below there and uploads what the CA sends. Waiting for %(waited)s.")
            % {"waited": since},
            _("RA officer"),
            "wait",
        )
    return None


def state_text(state: str) -> str:
    words = {
        "": _("Not answered yet"),
        "TASKS": _("Waits for proofs"),
        "WORKING": _("The CA is working"),
        "ISSUED": _("Issued"),
        "REFUSED": _("Refused"),
        "CANCELLED": _("Cancelled"),
    }
    return words.get(state, state)


def who_text(who: str) -> str:
    words = {"you": _("You"), "officer": _("RA officer"), "CA": _("CA")}
    return words.get(who, _("Nobody; it goes on by itself"))


def _shown(info: OrderInfo) -> list[Kept]:
    """What is still to be set up or waited for, the CSR of a CA without an interface included."""
    names = set(open_names(info.tasks))
    return [one for one in info.tasks if one.name in names]


def _record(task: Kept) -> dict[str, Any]:
    """As `_components/records.html` wants it."""
    labels = {
        "dns-01": (_("Record name"), _("Record value")),
        "http-01": (_("Address"), _("Content")),
        "by-hand": (_("Where to order"), _("CSR")),
    }
    where, value = labels.get(task.method, (_("Where"), _("What")))
    rows = [{"label": label, "value": text} for label, text in ((where, task.where), (value, task.value))]
    kind = [{"label": _("Type"), "value": task.record_type}] if task.record_type else []
    by = [
        {"label": _("Set up by"), "value": _("RA officer") if task.method == "by-hand" else by_text(task.by)}
    ]
    said = [{"label": _("The CA says"), "value": say(task.words)}] if task.words else []
    return {
        "names": [task.name],
        "label": _("Seen") if task.ready else _("Not seen yet") if task.is_seen else "",
        "tone": "good" if task.ready else "wait",
        "code": "",
        "rows": [row for row in rows if row["value"]],
        "small": kind + by + said,
    }


def by_text(by: str) -> str:
    words = {
        "automatic": _("Automatic DNS"),
        "served": _("This service, where the name leads here"),
        "hand": _("You"),
        "words": _("The CA"),
    }
    return words.get(by, by)
