"""Replacements that stand still: what for, who was told, and when they are waited for no longer.

A new version waits for a proof of control (somebody sets a record) or for its issuer. Both are said in the
report; of a proof the owner and the applicant hear by mail, once, with its page.
"""

from datetime import datetime, timedelta

from django.db.models import F

from certdesk.foundation.common import clock
from certdesk.lifecycle.certificates.models import Certificate
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
    have waited for too long. In the caller's transaction."""
    now = clock.real_now()
    still = queries.items(campaign, ItemState.REPLACING)
    still = still.filter(certificate__current_version__lte=F("version"))
    new = still.filter(why="", begun_at__lte=now - rules.PATIENCE).select_related("certificate")
    for item in new[:AT_ONCE]:
        item.why = _reason(campaign, item, now)
        item.save(update_fields=["why"])
    late = still.filter(why=rules.WAITS_FOR_PROOF, begun_at__lte=now - rules.LONGEST)
    return list(late.select_related("certificate")[:AT_ONCE])


def _reason(campaign: Campaign, item: Item, now: datetime) -> str:
    application = followup.open_rollover(item.certificate_id)
    outside = queries.is_outside(item.certificate_id)
    if application is None or outside or validation.all_proved(application):
        return rules.WAITS_FOR_ISSUER
    told = queries.items(campaign).filter(owner_id=item.owner_id, why=rules.WAITS_FOR_PROOF)
    if told.filter(begun_at__gt=now - timedelta(days=1)).count() < MAILS_A_DAY:
        _tell(campaign, item.certificate, item)
    return rules.WAITS_FOR_PROOF


def _tell(campaign: Campaign, certificate: Certificate, item: Item) -> None:
    cause = cause_of_proof(followup.open_rollover(certificate.id))
    telling.ask(certificate, cause, campaign.words, f"campaign:{item.id}:proof")
