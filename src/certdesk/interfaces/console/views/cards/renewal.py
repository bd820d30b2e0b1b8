"""The card of auto-renewal: the switch, what comes next, what stands in the way (REN-7, REN-8, REN-10)."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import both, say
from certdesk.lifecycle.certificates import rules, states
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.enrolment import succession
from certdesk.lifecycle.renewal import switch
from certdesk.lifecycle.renewal.schedule import Kind


@dataclass(frozen=True, slots=True)
class Card:
    """`may`: the switch works; `why_not`: why it would refuse. `client`: an ACME client ordered it, and
    renews it by itself. `words` and `at`: what the machine does next; `blockers`: each as one text of two
    sentences."""

    on: bool
    deploy: bool
    may: bool
    why_not: str
    client: bool
    rolls: bool
    words: str
    at: datetime | None
    blockers: tuple[str, ...]


def card(principal: Principal, certificate: Certificate, now: datetime) -> Card | None:
    """None where nothing renews itself, or the reader has no right to see it."""
    about = rules.resource_of(certificate)
    in_force = rules.state_of(certificate, now) in states.ROLLS_OVER
    if certificate.source != "BOUGHT" or not in_force or not principal.may(switch.AUTO, about):
        return None
    found = switch.standing(principal, certificate.id, now)
    rolls = found.next.action == Kind.ROLLOVER
    if certificate.free and not rolls:
        return None
    impossible = None if found.enabled else found.impossible
    return Card(
        found.enabled,
        found.deploy,
        impossible is None,
        both(impossible) if impossible else "",
        bool(succession.of_clients([certificate.id])),
        rolls,
        action_text(found.next.action),
        found.next.at,
        tuple(f"{say(one.sentence)} {say(one.next_step)}" for one in found.blockers)
        if found.next.action or not found.enabled
        else (),
    )


def action_text(action: str) -> str:
    """What the machine does."""
    return {
        Kind.BUY.value: _("buys its successor"),
        Kind.ROLLOVER.value: _("replaces it by a newer version"),
    }.get(action, "")
