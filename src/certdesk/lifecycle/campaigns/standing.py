"""Replacements that stand still: what for, who was told, and when they are waited for no longer.

A new version waits for a proof of control (somebody sets a record) or for its issuer. Both are said in the
report; of a proof the owner and the applicant hear by mail, once, with its page.
"""

from datetime import datetime, timedelta

from django.db.models import F

from certdesk.foundation.common import clock
from certdesk.lifecycle.issuance import followup
from certdesk.lifecycle.renewal import telling
from certdesk.lifecycle.renewal.buying import cause_of_proof
from certdesk.lifecycle.validation import queries as validation

from . import queries, rules
from .models import Campaign, Item
from .states import ItemState

AT_ONCE = 8  # each is about ten rows (law 13)
MAILS_A_DAY = 20
"""To one owner: whoever has more of them finds them in his list."""


def look(campaign: Campaign) -> list[Item]:
    """Names what some of those wait for that have waited for a while, and tells of it; answers those that
    have waited for a proof for too long. In the caller's transaction."""
    now = clock.real_now()
    still = queries.items(campaign, ItemState.REPLACING)
    still = still.filter(certificate__current_version__lte=F("version"))
    new = still.filter(why="", begun_at__lte=now - rules.PATIENCE).select_related("certificate")
    for item in new[:AT_ONCE]:
        _name(item, _reason(item))
        if item.why == rules.WAITS_FOR_PROOF:
            _tell(campaign, item, now)
    late = still.filter(why=rules.WAITS_FOR_PROOF, begun_at__lte=now - rules.LONGEST)
    found = list(late.select_related("certificate")[:AT_ONCE])
    for item in found:  # one that was proved since it was named waits for its issuer by now
        _name(item, _reason(item))
    return [item for item in found if item.why == rules.WAITS_FOR_PROOF]


def _name(item: Item, why: str) -> None:
    if item.why != why:
        item.why = why
        item.save(update_fields=["why"])


def _reason(item: Item) -> str:
    application = followup.open_rollover(item.certificate_id)
    outside = queries.is_outside(item.certificate_id)
    if application is None or outside or validation.all_proved(application):
        return rules.WAITS_FOR_ISSUER
    return rules.WAITS_FOR_PROOF


def _tell(campaign: Campaign, item: Item, now: datetime) -> None:
    told = queries.items(campaign).filter(owner_id=item.owner_id, why=rules.WAITS_FOR_PROOF)
    if told.filter(begun_at__gt=now - timedelta(days=1)).exclude(id=item.id).count() < MAILS_A_DAY:
        cause = cause_of_proof(followup.open_rollover(item.certificate_id))
        telling.ask(item.certificate, cause, campaign.words, f"campaign:{item.id}:proof")
